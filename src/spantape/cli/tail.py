"""`spantape tail`: the latest calls, and with -f each that begins or ends from now on."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice, takewhile
from typing import TypeAlias

import click

from .. import jsontext
from ..filter import Record
from ..sinks.files.reader import Recordings
from ._columns import COLUMNS, dig
from ._forms import plain
from ._output import NothingFound, fitted
from ._query import Query, most, query

Key: TypeAlias = tuple[object, object]

_EVERY = 0.25
_MOST_KNOWN = 10_000
_LEAST = 10
_WIDTHS = {"time": 8, "status": 9, "model": 16, "session": 10, "tokens": 10, "cost": 10, "latency": 7}
_SHAPES = {100: tuple(_WIDTHS), 70: ("time", "status", "model", "cost", "latency"), 0: ("time", "status")}
_PIPED = ("id", "time", "status", "model", "session", "tokens", "cost", "latency", "prompt", "response")


@click.command("tail")
@most(10)
@click.option("-f", "--follow", is_flag=True, help="Go on with each call that begins or ends, until you press Ctrl-C.")
@click.option("-o", "form", type=click.Choice(["table", "jsonl"]), help="Table in a terminal, else TSV.")
@query
def command(calls: Query, number: int, form: str | None, *, follow: bool) -> None:
    """Show the latest calls, the newest last; with -f also those that run, as soon as they begin."""
    told = _teller(form)
    # Looked at first: what comes while the latest are listed is new.
    known = dict.fromkeys(map(_key, islice(calls.recordings.iter_latest(), _MOST_KNOWN if follow else 0)))
    latest = list(calls.latest(number)) if number else []
    if not latest and not follow:
        raise NothingFound("nothing found")
    news = (
        filter(calls.where.matches, _news(calls.recordings, known | dict.fromkeys(map(_key, latest)))) if follow else ()
    )
    with contextlib.suppress(KeyboardInterrupt):
        for record in chain(reversed(latest), news):
            click.echo(told(record))


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


def _teller(form: str | None) -> Callable[[Record], str]:
    if form == "jsonl":
        return jsontext.text
    return _row if form == "table" or sys.stdout.isatty() else _tab_separated


def _row(record: Record) -> str:
    width = shutil.get_terminal_size().columns
    names = next(names for least, names in _SHAPES.items() if width >= least)
    cells = [fitted(COLUMNS[name].shown(record), _WIDTHS[name], right=COLUMNS[name].right) for name in names]
    cells[1] = click.style(cells[1], fg=COLUMNS["status"].style(record))
    left = width - sum(_WIDTHS[name] + 2 for name in names)
    return "  ".join([*cells, fitted(COLUMNS["said"].shown(record), left)] if left > _LEAST else cells)


def _tab_separated(record: Record) -> str:
    return "\t".join(plain(COLUMNS[name].value(record)) for name in _PIPED)
