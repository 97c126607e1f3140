"""`spantape tail`: the latest calls, and with -f each that begins or ends from now on."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice, takewhile
from typing import TypeAlias

import click

from ..filter import Record
from ..sinks.files.reader import Recordings
from . import _format as form
from ._columns import CALLS, Column, dig
from ._output import PIPED, Output, fitted, output
from ._progress import say
from ._query import Query, query

Key: TypeAlias = tuple[object, object]

_EVERY = 0.25
_MOST_KNOWN = 10_000
_LEAST, _USUAL, _GAP = 10, 16, 2
_WIDTHS = {
    "time": 8,
    "date": 19,
    "id": 8,
    "status": 9,
    "session": 10,
    "tokens": 10,
    "cost": 11,
    "latency": 7,
    "ttft": 7,
}
_SHAPES = {
    PIPED: CALLS[110],
    100: "time,status,model,session,tokens,cost,latency,said",
    70: "time,status,model,cost,latency,said",
    0: "time,status,said",
}


@click.command("tail")
@click.option(
    "-n", "number", type=click.IntRange(0), default=10, show_default=True, help="How many of the latest; 0 is none."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with each call that begins or ends, until you press Ctrl-C.")
@query
@output
def command(calls: Query, number: int, output: Output, *, follow: bool) -> None:
    """Show the latest calls, the newest last; with -f also those that run, as soon as they begin."""
    if follow and output.form == "json":
        raise click.UsageError("-f goes on, and what -o json gives has an end: give -o jsonl")
    # Looked at first: what comes while the latest are listed is new.
    known = dict.fromkeys(map(_key, islice(calls.recordings.iter_latest(), _MOST_KNOWN if follow else 0)))
    latest = list(calls.latest(number)) if number else []
    news = _news(calls.recordings, known | dict.fromkeys(map(_key, latest))) if follow else ()
    with contextlib.suppress(KeyboardInterrupt):
        output.emit(chain(reversed(latest), filter(calls.where.matches, news)), _SHAPES, table=_rows)


def _news(recordings: Recordings, known: dict[Key, None]) -> Iterator[Record]:
    """Give each call when it begins and when it ends; a call that ends between two looks is not seen to run."""
    while True:
        ended = list(takewhile(lambda record: _key(record) not in known, recordings.iter_latest()))
        running = (each for each in recordings.get_running_interactions() if _key(each) not in known)
        for record in [*reversed(ended), *running]:
            known[_key(record)] = None
            yield record
        for key in list(islice(known, max(0, len(known) - _MOST_KNOWN))):
            del known[key]
        time.sleep(_EVERY)


def _key(record: Record) -> Key:
    return record.get("id"), dig(record, "metadata.stage")


def _rows(records: Iterable[Record], chosen: Mapping[str, Column], *, full: bool) -> None:
    """Print a row as soon as there is one: nobody knows how wide those to come will be."""
    for record in records:
        say("  ".join(_cell(chosen[name], record, width, full) for name, width in _widths(chosen, full).items()))


def _widths(chosen: Mapping[str, Column], full: bool) -> dict[str, int]:
    """Give how wide columns are; texts share the rest of the terminal, or are left out where that is too little."""
    fixed = sum(_WIDTHS.get(name, _USUAL) + _GAP for name, column in chosen.items() if not column.flexible)
    texts = sum(column.flexible for column in chosen.values())
    share = (shutil.get_terminal_size().columns - fixed + _GAP) // max(1, texts) - _GAP
    widths = {name: share if column.flexible else _WIDTHS.get(name, _USUAL) for name, column in chosen.items()}
    return {name: width for name, width in widths.items() if full or width > _LEAST or not chosen[name].flexible}


def _cell(column: Column, record: Record, width: int, full: bool) -> str:
    text, style = column.shown(record), column.style(record)
    told = form.harmless(text) if full and column.flexible else fitted(text, width, right=column.right)
    return click.style(told, fg=style) if style else told
