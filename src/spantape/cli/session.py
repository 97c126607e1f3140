"""`spantape session ID`: a session as one conversation."""

from __future__ import annotations

from dataclasses import replace

import click

from ..filter import Filter
from ..sinks.files.reader import Recordings
from ._columns import CALLS, Record
from ._conversation import conversation, lines
from ._filters import filters
from ._output import NothingFound, Output, output
from ._place import place


@click.command("session")
@click.argument("name", metavar="ID")
@filters
@output
@place
def command(recordings: Recordings, where: Filter, name: str, output: Output) -> None:
    """Show a session as one conversation: of each call only what is new; with -o as a list of its calls."""
    calls = recordings.iter_session(name, where=replace(where, session=name))
    if output.form is not None:
        output.emit(calls, CALLS)
        return
    before: Record | None = None
    for record in calls:
        for label, text, colour in lines(conversation(record, before)):
            click.echo(click.style(label, fg=colour or None, bold=bool(colour)) + text)
        before = record
    if before is None:
        raise NothingFound(f"no session {name} below {recordings.base_dir}: `spantape sessions` lists them")
