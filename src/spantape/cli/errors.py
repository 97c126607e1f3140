"""`spantape errors`: what failed, call by call or by kind."""

from __future__ import annotations

from itertools import islice

import click

from ..filter import Filter, Record, began
from ..sinks.files.reader import Recordings
from ._kinds import COLUMNS, kinds
from ._output import Output, output
from ._query import Query, query

_CALLS = {
    110: "id,date,status,model,session,latency,error,response",
    60: "id,date,status,model,response",
    0: "id,response",
}
_KINDS = {110: "count,trend,first,last,sample,good,models,error", 60: "count,trend,last,sample,error", 0: "count,error"}


@click.command("errors")
@click.option("-n", "number", type=click.IntRange(0), default=20, show_default=True, help="How many; 0 is all.")
@click.option("--group", "grouped", is_flag=True, help="A line for each kind, with a sample and the nearest good call.")
@query
@output
def command(calls: Query, number: int, output: Output, *, grouped: bool) -> None:
    """List what failed, the newest first."""
    failed = calls.latest(status=calls.where.status or "error")
    if grouped:
        told = (kind.told(_good(calls.recordings, kind.sample)) for kind in kinds(failed)[: number or None])
        output.emit(told, _KINDS, COLUMNS)
    else:
        output.emit(islice(failed, number or None), _CALLS)


def _good(recordings: Recordings, failed: Record) -> Record | None:
    """Give the call of the same model before a failed one that went well."""
    model, until = failed.get("model"), began(failed)
    return next(recordings.iter_latest(Filter(status="ok", model=str(model), until=until)), None) if model else None
