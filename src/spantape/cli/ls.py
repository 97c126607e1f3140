"""`spantape ls`: what was recorded last."""

from __future__ import annotations

import click

from ._columns import CALLS
from ._output import Output, output
from ._query import Query, most, query


@click.command("ls")
@most(20)
@query
@output
def command(calls: Query, number: int, output: Output) -> None:
    """List recorded calls, the newest first."""
    output.emit(calls.latest(number), CALLS)
