"""`spantape session ID`: a session as one conversation."""

from __future__ import annotations

import click

from ..filter import Record
from ._columns import CALLS
from ._conversation import conversation, lines
from ._output import NothingFound, Output, output
from ._progress import say
from ._query import Query, query


@click.command("session")
@click.argument("name", metavar="ID")
@query
@output
def command(calls: Query, name: str, output: Output) -> None:
    """Show a session as one conversation: of each call only what is new; with -o as a list of its calls."""
    found = calls.session(name)
    if output.form is not None:
        output.emit(found, CALLS)
        return
    before: Record | None = None
    for record in found:
        for label, text, colour in lines(conversation(record, before)):
            say(click.style(label, fg=colour or None, bold=bool(colour)) + text)
        before = record
    if before is None:
        raise NothingFound(f"no session {name} below {calls.recordings.base_dir}: `spantape sessions` lists them")
