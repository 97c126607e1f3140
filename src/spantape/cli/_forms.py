"""Records as lines of text: JSON, CSV, Markdown, tab-separated; complete, one record at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .. import jsontext
from ..filter import Record
from . import _format as form
from ._columns import Column

# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def picked(records: Iterable[Record], chosen: Mapping[str, Column]) -> Iterator[Record]:
    """Give of each record what the columns ask for."""
    return ({name: column.value(record) for name, column in chosen.items()} for record in records)


def json_lines(records: Iterable[Record]) -> Iterator[str]:
    """Give one JSON array."""
    before = "["
    for record in records:
        yield before + jsontext.text(record)
        before = ","
    yield "]"


def jsonl_lines(records: Iterable[Record]) -> Iterator[str]:
    """Give a JSON object a line."""
    return map(jsontext.text, records)


def csv_lines(records: Iterable[Record], chosen: Mapping[str, Column]) -> Iterator[str]:
    """Give CSV, with a head."""
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
    told = text(value)
    return f"'{told}" if told.startswith(_FORMULA) else told


def markdown_lines(records: Iterable[Record], chosen: Mapping[str, Column]) -> Iterator[str]:
    """Give a table in Markdown."""
    yield _markdown_line(chosen)
    yield _markdown_line("--:" if column.right else "---" for column in chosen.values())
    for record in records:
        yield _markdown_line(column.shown(record).replace("|", "\\|") for column in chosen.values())


def _markdown_line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def tab_separated(records: Iterable[Record], chosen: Mapping[str, Column]) -> Iterator[str]:
    """Give tab-separated values, with a head: what `cut` and `awk` read."""
    yield "\t".join(chosen)
    for record in records:
        yield "\t".join([plain(column.value(record)) for column in chosen.values()])


def plain(value: Any) -> str:
    """Give a value as the cell of a line that a program reads."""
    return "" if value is None else form.line(text(value))


def text(value: Any) -> str:
    """Give a value as text: a text as it is, all else as JSON."""
    return value if isinstance(value, str) else jsontext.text(value)
