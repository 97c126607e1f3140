"""`spantape errors`: what failed, call by call or by kind."""

from __future__ import annotations

import click

from ..filter import Filter
from ._columns import COLUMNS as CALLS
from ._columns import Column, got
from ._kinds import COLUMNS, find_good, kinds
from ._output import Output, output
from ._query import Query, most, query
from ._trend import compared

_CALLS = {
    110: "id,date,status,model,session,latency,error,message",
    76: "id,date,status,model,message",
    0: "id,message",
}
_MESSAGE = Column(lambda record: record.get("error_message"), got, flexible=True)
_KINDS = {110: "count,trend,first,last,sample,good,models,error", 76: "count,trend,last,sample,error", 0: "count,error"}


@click.command("errors")
@most(20)
@click.option("--group", "grouped", is_flag=True, help="A line for each kind, with a sample and the nearest good call.")
@query
@output
def command(calls: Query, number: int, output: Output, *, grouped: bool) -> None:
    """List what failed, the newest first."""
    if not grouped:
        output.emit(calls.latest(number, status="error"), _CALLS, CALLS | {"message": _MESSAGE})
        return
    found = kinds(calls.latest(status="error"))[: number or None]
    find_good(found, Query(calls.recordings, Filter(status="ok")).latest())
    trends = compared(kind.trend for kind in found)
    output.emit((kind.told(trend) for kind, trend in zip(found, trends, strict=True)), _KINDS, COLUMNS)
