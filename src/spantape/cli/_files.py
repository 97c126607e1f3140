"""Calls as files for other programs: whole, each value complete, one call at a time."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any

import click

from ..filter import Record
from . import _forms as forms
from ._columns import COLUMNS, Column, columns
from ._conversation import rows

CELLS = (
    "id,timestamp,session_id,user_id,agent_key,provider,model,operation,status,prompt,response,"
    "usage.input_tokens,usage.output_tokens,usage.cache_read_input_tokens,cost.total,cost.currency,"
    "timing.duration_ms,timing.time_to_first_chunk_ms,error.type,error.status_code,error_message,trace_id,span_id,metadata"
)
# What Excel takes in one cell, counted in UTF-16, and in one sheet; a longer text makes it call the file damaged.
_CELL, _ROWS = 32_767, 1_048_575
# Excel reads a CSV file without this mark as if it were Latin-1.
_ENCODINGS = {"csv": "utf-8-sig"}
_CUT = "… [cut: {} characters]"
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>spantape</title>
<style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em }
details { border: 1px solid #8884; border-radius: 6px; margin: .5em 0; padding: .5em 1em }
summary { cursor: pointer } dt { color: #888 } dd { margin: 0 0 .5em; white-space: pre-wrap; overflow-wrap: anywhere }
.red { color: #c00 } .green { color: #080 } .cyan { color: #07a } .magenta { color: #909 } .yellow { color: #a60 }
</style>
"""


def write(records: Iterable[Record], path: Path, form: str, fields: str | None) -> int:
    """Write calls to a file in one of the `FORMS`; gives how many there were."""
    counting = count()
    numbered = (record for record, _ in zip(records, counting, strict=False))
    with _whole(path) as part:
        if form == "xlsx":
            _spreadsheet(numbered, part, _cells(fields))
        else:
            with part.open("w", encoding=_ENCODINGS.get(form, "utf-8"), newline="") as file:
                _TEXTS[form](numbered, file, fields)
    return next(counting)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a file to write to that takes its name when it is whole: half an export looks like a small one."""
    if path.exists() and not path.is_file():  # a pipe or a device
        yield path
        return
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _json(records: Iterable[Record], file: IO[str], fields: str | None) -> None:
    _lines(forms.json_lines(_picked(records, fields)), file)


def _jsonl(records: Iterable[Record], file: IO[str], fields: str | None) -> None:
    _lines(forms.jsonl_lines(_picked(records, fields)), file)


def _csv(records: Iterable[Record], file: IO[str], fields: str | None) -> None:
    _lines(forms.csv_lines(records, _cells(fields)), file)


def _markdown(records: Iterable[Record], file: IO[str], fields: str | None) -> None:
    if fields is not None:
        _lines(forms.markdown_lines(records, _cells(fields)), file)
        return
    for record in records:
        _lines([*markdown(record), ""], file)


def _html(records: Iterable[Record], file: IO[str], fields: str | None) -> None:  # noqa: ARG001 - a page shows a whole call
    file.write(_PAGE)
    for record in records:
        _lines(_details(record), file)


def markdown(record: Record) -> Iterator[str]:
    """Give a call as Markdown."""
    for row in rows(record):
        if row.text:
            yield f"**{row.label}** {row.text}\n" if row.label else row.text


def _details(record: Record) -> Iterator[str]:
    head, *rest = rows(record)
    yield f'<details><summary class="{head.colour}">{html.escape(head.label)} {html.escape(head.text)}</summary><dl>'
    for row in rest:
        if row.text:
            yield f'<dt class="{row.colour}">{html.escape(row.label)}</dt><dd>{html.escape(row.text)}</dd>'
    yield "</dl></details>"


def _spreadsheet(records: Iterable[Record], path: Path, chosen: dict[str, Column]) -> None:
    try:
        from xlsxwriter import Workbook
    except ModuleNotFoundError:
        raise click.ClickException("a spreadsheet needs XlsxWriter: pip install spantape[xlsx]") from None
    # As text: what a model said is no formula and no link.
    given = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with Workbook(str(path), given) as book:
        sheet = book.add_worksheet("calls")
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, list(chosen))
        for number, record in enumerate(records, 1):
            if number > _ROWS:
                raise click.ClickException(f"a sheet has room for {_ROWS:,} calls: narrow the filter, or export to csv")
            sheet.write_row(number, 0, [_cell(column.value(record)) for column in chosen.values()])


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = forms.text(value)
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * _CELL:
        return text
    mark = _CUT.format(len(text))
    return units[: 2 * (_CELL - len(mark))].decode("utf-16-le", "ignore") + mark


def _cells(fields: str | None) -> dict[str, Column]:
    return columns(fields or CELLS, COLUMNS if fields else {"status": COLUMNS["status"]})


def _picked(records: Iterable[Record], fields: str | None) -> Iterable[Record]:
    return records if fields is None else forms.picked(records, _cells(fields))


def _lines(lines: Iterable[str], file: IO[str]) -> None:
    for line in lines:
        file.write(line + "\n")


_TEXTS: dict[str, Callable[[Iterable[Record], IO[str], str | None], None]] = {
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "md": _markdown,
    "html": _html,
}
FORMS = (*_TEXTS, "xlsx")
