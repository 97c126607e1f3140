"""`spantape ls`: what was recorded last."""

from __future__ import annotations

import click

from ._columns import CALLS
from ._output import Output, output
from ._query import Query, query


@click.command("ls")
@click.option("-n", "number", type=click.IntRange(0), default=20, show_default=True, help="How many; 0 is all.")
@query
@output
def command(calls: Query, number: int, output: Output) -> None:
    """List recorded calls, the newest first."""
    output.emit(calls.latest(number), CALLS)
