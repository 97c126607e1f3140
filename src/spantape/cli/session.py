"""`spantape session ID`: a session as one conversation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import click

from ..filter import Record
from ._columns import CALLS
from ._conversation import conversation, lines
from ._output import NothingFound, Output, output
from ._progress import say
from ._query import Query, most, query


@click.command("session")
@click.argument("name", metavar="ID")
@most(0)
@query
@output
def command(calls: Query, name: str, number: int, output: Output) -> None:
    """Show a session as one conversation: of each call only what is new; with -o as a list of its calls."""
    found: Iterable[Record] = calls.session(name)
    found = deque(found, maxlen=number) if number else found  # the last of them
    if output.is_asked_for:
        output.emit(found, CALLS)
        return
    before: Record | None = None
    for record in found:
        for label, text, colour in lines(conversation(record, before)):
            say(click.style(label, fg=colour or None, bold=bool(colour)) + text)
        before = record
    if before is None:
        raise NothingFound(f"no session {name} below {calls.recordings.base_dir}: `spantape sessions` lists them")
