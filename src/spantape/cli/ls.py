"""`spantape ls`: what was recorded last."""

from __future__ import annotations

from itertools import islice

import click

from ..filter import Filter
from ..sinks.files.reader import Recordings
from ._columns import CALLS
from ._filters import filters
from ._output import Output, output
from ._place import place


@click.command("ls")
@click.option("-n", "number", type=click.IntRange(0), default=20, show_default=True, help="How many; 0 is all.")
@filters
@output
@place
def command(recordings: Recordings, where: Filter, number: int, output: Output) -> None:
    """List recorded calls, the newest first."""
    output.emit(islice(recordings.iter_latest(where), number or None), CALLS)
