"""Lists of records in the forms that `-o` names: a table for a person, complete data for a program."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import click

from ..filter import Record
from . import _format as form
from . import _forms as forms
from ._columns import COLUMNS, Column, columns
from ._progress import room, say_data

Shape: TypeAlias = Mapping[int, str]
"""The columns of a list, by the least width of a terminal that has room for them; a program gets the widest."""

PIPED = sys.maxsize
"""A width that no terminal has: the columns for programs, without pictures."""

_WHOLE: dict[str, Callable[[Iterable[Record]], Iterator[str]]] = {"json": forms.json_lines, "jsonl": forms.jsonl_lines}
_CELLS: dict[str, Callable[[Iterable[Record], Mapping[str, Column]], Iterator[str]]] = {
    "csv": forms.csv_lines,
    "md": forms.markdown_lines,
}
_FORMATS = ("table", *_WHOLE, *_CELLS)
_NOT_FOUND = 3
_WIDEST = 19
"""So wide is a moment; a longer name leaves the texts a place, and the ids whole."""


class NothingFound(click.ClickException):
    """Nothing matches; exit code 3."""

    exit_code = _NOT_FOUND


@dataclass(frozen=True)
class Output:
    """How a list is to be told; `fields` are None for all that a record has, where the form can carry it."""

    form: str | None
    fields: str | None
    full: bool

    @property
    def is_asked_for(self) -> bool:
        """Whether a list is wanted of what is usually told otherwise."""
        return self.form is not None or self.fields is not None

    def emit(
        self,
        records: Iterable[Record],
        usual: Shape,
        known: Mapping[str, Column] = COLUMNS,
        table: Callable[..., None] | None = None,
    ) -> None:
        """Print records with their usual columns, of those that are `known`; `table` draws them for a person.

        Raises:
            NothingFound: There are none.
        """
        first = next(iterator := iter(records), None)
        if first is None:
            raise NothingFound("nothing found")
        found, chosen = chain([first], iterator), columns(self.fields or usual[max(usual)], known)
        if self.form in _WHOLE:
            _print(_WHOLE[self.form](found if self.fields is None else forms.picked(found, chosen)))
        elif self.form in _CELLS:
            _print(_CELLS[self.form](found, chosen))
        elif self.form == "table" or sys.stdout.isatty():
            (table or _table)(found, columns(self.fields or _fitting(usual), known), full=self.full)
        else:
            _print(forms.tab_separated(found, chosen))


def output(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `-o`, `--fields` and `--full`, as one `Output`."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        given = Output(kwargs.pop("form"), kwargs.pop("fields"), kwargs.pop("full"))
        return command(*args, output=given, **kwargs)

    for option in (
        click.option("--full", is_flag=True, help="Do not shorten texts in the table."),
        click.option("--fields", metavar="A,B", help="Columns, or paths like usage.input_tokens."),
        click.option("-o", "--output", "form", type=click.Choice(_FORMATS), help="Table in a terminal, else TSV."),
    ):
        run = option(run)
    return run


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        say_data(line)


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Give a text exactly so wide in a terminal, where a Chinese character is as wide as two others."""
    from rich.cells import cell_len, set_cell_size

    text = form.harmless(text)
    wide = cell_len(text)
    if wide > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - wide) + text if right else text + " " * (width - wide)


def _fitting(usual: Shape) -> str:
    """Give the most columns that a terminal of this width has room for."""
    width = shutil.get_terminal_size().columns
    return next(names for least, names in sorted(usual.items(), reverse=True) if width >= least)


def _table(records: Iterable[Record], chosen: Mapping[str, Column], *, full: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    widest = max(_WIDEST, shutil.get_terminal_size().columns // 4)
    table = Table(box=None, pad_edge=False, header_style="dim", expand=any(each.flexible for each in chosen.values()))
    for name, column in chosen.items():
        fits = column.flexible and not full
        table.add_column(
            name,
            justify="right" if column.right else "left",
            no_wrap=not (column.flexible and full),
            overflow="fold" if full else "ellipsis",
            ratio=1 if fits else None,
            max_width=widest if column.is_name and not full else None,
        )
    for record in records:
        cells = [Text(form.harmless(column.shown(record)), column.style(record)) for column in chosen.values()]
        table.add_row(*cells)
    with room():
        Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto").print(table)
