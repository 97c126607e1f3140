"""`spantape ls`: what was recorded last."""

from __future__ import annotations

import click

from ..sinks.files.reader import Recordings
from ._columns import CALLS
from ._output import Output, output
from ._place import place


@click.command("ls")
@click.option("-n", "number", type=click.IntRange(0), default=20, show_default=True, help="How many; 0 is all.")
@output
@place
def command(recordings: Recordings, number: int, output: Output) -> None:
    """List recorded calls, the newest first."""
    output.emit(recordings.get_latest_interactions(number or 10**9), CALLS)
