"""The call that an ID names."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import click

from ..filter import Record
from ..sinks.files.reader import Recordings
from ._output import NothingFound

_MOST = 10_000
_WORDS: dict[str, Callable[[Record], bool]] = {
    "last": lambda _: True,
    "err": lambda record: record.get("success") is False,
}


def find(recordings: Recordings, name: str) -> Record:
    """Give the call that is meant: by the beginning of its id, `last`, `err`, or `last~2` for two before that."""
    word, _, back = name.partition("~")
    if word in _WORDS and (back.isdigit() or not back):
        latest = filter(_WORDS[word], recordings.get_latest_interactions(_MOST))
        found = list(islice(latest, int(back or 0), int(back or 0) + 1))
    else:
        found = [each for each in recordings.get_latest_interactions(_MOST) if str(each.get("id")).startswith(name)]
    if not found:
        raise NothingFound(f"no call {name} below {recordings.base_dir}: `spantape ls` lists the ids")
    if len(found) > 1:
        raise click.UsageError(f"{name} is the beginning of {len(found)} ids: give more of it")
    return found[0]


def before(recordings: Recordings, record: Record) -> Record | None:
    """Give the call before this one in its session; None when there is none, or no session."""
    if record.get("session_id") is None:
        return None
    calls = recordings.get_session_interactions(record["session_id"])
    earlier = [each for each in calls if str(each.get("timestamp")) < str(record.get("timestamp"))]
    return earlier[-1] if earlier else None
