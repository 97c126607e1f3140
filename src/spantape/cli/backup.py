"""`spantape backup DEST`: a copy of everything as of one moment, while recording goes on."""

from __future__ import annotations

from pathlib import Path

import click

from ..sinks.files.reader import Recordings
from ._format import size
from ._place import place
from ._progress import bar


@click.command("backup")
@click.argument("target", metavar="DEST", type=click.Path(path_type=Path))
@place
def command(recordings: Recordings, target: Path) -> None:
    """Copy all records into the new folder DEST, as of one moment, while recording goes on."""
    with bar("copying"):
        made = recordings.backup(target)
    click.echo(f"{made.files:,} files, {size(made.bytes)}: {made.path}")
