"""`spantape where`: the folder of the records, for scripts."""

from __future__ import annotations

import click

from ..sinks.files.reader import Recordings
from ._place import place


@click.command("where")
@place
def command(recordings: Recordings) -> None:
    """Print the folder that is recorded to."""
    click.echo(recordings.base_dir.absolute())
