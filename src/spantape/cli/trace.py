"""`spantape trace ID`: the calls of one trace, over time."""

from __future__ import annotations

from collections.abc import Sequence

import click

from .. import moments
from ..filter import Record
from . import _format as form
from ._columns import COLUMNS, Column, figure
from ._output import Output, output
from ._query import Query, most, query

_SHAPES = {
    100: "id,when,status,model,tokens,cost,latency,timeline,said",
    76: "id,when,status,latency,timeline,said",
    0: "id,timeline",
}
_WIDTH = 20


@click.command("trace")
@click.argument("trace_id", metavar="ID")
@most(0)
@query
@output
def command(calls: Query, trace_id: str, number: int, output: Output) -> None:
    """Show the calls of a trace in the order in which they began, with bars over its time."""
    found = sorted(calls.latest(number, trace=trace_id), key=_start)
    output.emit(found, _SHAPES, COLUMNS | _over(found))


def _over(calls: Sequence[Record]) -> dict[str, Column]:
    """Give the columns that place each call in the time of all."""
    first = min(map(_start, calls), default=0.0)
    whole = max((_start(call) + _took(call) for call in calls), default=0.0) - first

    def timeline(record: Record) -> str:
        if not whole:
            return ""
        before = round((_start(record) - first) / whole * _WIDTH)
        return " " * before + (form.bar(_took(record), whole, _WIDTH) or "▏")

    since = Column(
        lambda record: _start(record) - first, lambda record: "+" + form.duration((_start(record) - first) * 1000)
    )
    return {"when": since._replace(right=True), "timeline": Column(_took, timeline)}


def _start(record: Record) -> float:
    moment = moments.read(record.get("timestamp"))
    return moment.timestamp() if moment else 0.0


def _took(record: Record) -> float:
    return (figure(record, "timing.duration_ms") or 0) / 1000
