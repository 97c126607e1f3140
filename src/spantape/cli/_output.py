"""Lists of records in the forms that `-o` names: a table for a person, complete data for a program."""

from __future__ import annotations

import csv
import functools
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import click

from .. import jsontext
from . import _format as form
from ._columns import Column, Record, columns

Shape: TypeAlias = Mapping[int, str]
"""The columns of a list, by the least width of a terminal that has room for them."""

FORMATS = ("table", "json", "jsonl", "csv", "md")
_NOT_FOUND = 3
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class NothingFound(click.ClickException):
    """Nothing matches; exit code 3."""

    exit_code = _NOT_FOUND


@dataclass(frozen=True)
class Output:
    """How a list is to be told; `fields` are None for all that a record has, where the form can carry it."""

    form: str | None
    fields: str | None
    full: bool

    def emit(self, records: Iterable[Record], usual: Shape) -> None:
        """Print records with their usual columns.

        Raises:
            NothingFound: There are none.
        """
        first = next(iterator := iter(records), None)
        if first is None:
            raise NothingFound("nothing found")
        found, chosen = chain([first], iterator), columns(self.fields or usual[max(usual)])
        if self.form in {"json", "jsonl"}:
            _print(_EMITTERS[self.form](found if self.fields is None else _picked(found, chosen)))
        elif self.form in {"csv", "md"}:
            _print(_EMITTERS[self.form](found, chosen))
        elif self.form == "table" or sys.stdout.isatty():
            _table(found, columns(self.fields or _fitting(usual)), full=self.full)
        else:
            _print(_tab_separated(found, chosen))


def output(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `-o`, `--fields` and `--full`, as one `Output`."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        given = Output(kwargs.pop("form"), kwargs.pop("fields"), kwargs.pop("full"))
        return command(*args, output=given, **kwargs)

    for option in (
        click.option("--full", is_flag=True, help="Do not shorten texts in the table."),
        click.option("--fields", metavar="A,B", help="Columns, or paths like usage.input_tokens."),
        click.option("-o", "--output", "form", type=click.Choice(FORMATS), help="Table in a terminal, else TSV."),
    ):
        run = option(run)
    return run


def _picked(records: Iterable[Record], chosen: Mapping[str, Column]) -> Iterator[Record]:
    return ({name: column.value(record) for name, column in chosen.items()} for record in records)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _json(records: Iterable[Record]) -> Iterator[str]:
    before = "["
    for record in records:
        yield before + jsontext.text(record)
        before = ","
    yield "]"


def _jsonl(records: Iterable[Record]) -> Iterator[str]:
    return map(jsontext.text, records)


def _csv(records: Iterable[Record], chosen: Mapping[str, Column]) -> Iterator[str]:
    yield _csv_line(chosen)
    for record in records:
        yield _csv_line([_cell(column.value(record)) for column in chosen.values()])


def _csv_line(cells: Iterable[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(cells)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    """Give the value of a cell, so that no spreadsheet takes a model's answer for a formula."""
    if value is None or isinstance(value, (int, float)):
        return value
    text = value if isinstance(value, str) else jsontext.text(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _markdown(records: Iterable[Record], chosen: Mapping[str, Column]) -> Iterator[str]:
    yield _markdown_line(chosen)
    yield _markdown_line("--:" if column.right else "---" for column in chosen.values())
    for record in records:
        yield _markdown_line(column.shown(record).replace("|", "\\|") for column in chosen.values())


def _markdown_line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _tab_separated(records: Iterable[Record], chosen: Mapping[str, Column]) -> Iterator[str]:
    yield "\t".join(chosen)
    for record in records:
        yield "\t".join([_plain(column.value(record)) for column in chosen.values()])


def _plain(value: Any) -> str:
    return "" if value is None else form.line(value if isinstance(value, str) else jsontext.text(value))


def _fitting(usual: Shape) -> str:
    """Give the most columns that a terminal of this width has room for."""
    width = shutil.get_terminal_size().columns
    return next(names for least, names in sorted(usual.items(), reverse=True) if width >= least)


def _table(records: Iterable[Record], chosen: Mapping[str, Column], *, full: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim", expand=any(each.flexible for each in chosen.values()))
    for name, column in chosen.items():
        fits = column.flexible and not full
        table.add_column(
            name,
            justify="right" if column.right else "left",
            no_wrap=not (column.flexible and full),
            overflow="fold" if full else "ellipsis",
            ratio=1 if fits else None,
        )
    for record in records:
        table.add_row(*[Text(column.shown(record), style=column.style(record)) for column in chosen.values()])
    Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto").print(table)


_EMITTERS: dict[str, Callable[..., Iterator[str]]] = {"json": _json, "jsonl": _jsonl, "csv": _csv, "md": _markdown}
