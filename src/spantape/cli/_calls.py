"""The call that an ID names."""

from __future__ import annotations

from collections import deque

import click

from ..errors import QueryError
from ..filter import Filter, Record, began
from ..sinks.files.reader import Recordings
from ._output import NothingFound
from ._progress import bar


def find(recordings: Recordings, name: str) -> Record:
    """Give the call that is meant: by the beginning of its id, `last`, `err`, or `last~2` for two before that."""
    try:
        with bar(f"looking for {name}"):
            found = recordings.get(name)
    except QueryError as error:
        raise click.UsageError(str(error)) from error
    if found is None:
        raise NothingFound(f"no call {name} below {recordings.base_dir}: `spantape ls` lists the ids")
    return found


def before(recordings: Recordings, record: Record) -> Record | None:
    """Give the call before this one in its session; None when there is none, or no session."""
    if record.get("session_id") is None:
        return None
    session = str(record["session_id"])
    last = deque(recordings.iter_session(session, where=Filter(until=began(record))), maxlen=1)
    return last[0] if last else None
