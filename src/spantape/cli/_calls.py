"""The call that an ID names."""

from __future__ import annotations

from ..sinks.files.reader import Recordings
from ._columns import Record, status
from ._output import NothingFound


def find(recordings: Recordings, name: str) -> Record:
    """Give the call that is meant: by the beginning of its id, `last`, `-2`, or `err`."""
    if name == "last" or (name.startswith("-") and name[1:].isdigit()):
        place = 1 if name == "last" else max(1, int(name[1:]))
        found = recordings.get_latest_interactions(place)[place - 1 :]
    elif name == "err":
        found = [each for each in recordings.get_latest_interactions(1000) if status(each) == "failed"]
    else:
        found = [each for each in recordings.get_latest_interactions(1000) if str(each.get("id")).startswith(name)]
    if not found:
        raise NothingFound(f"no call {name} below {recordings.base_dir}: see `spantape ls` for ids")
    return found[0]


def before(recordings: Recordings, record: Record) -> Record | None:
    """Give the call before this one in its session; None when there is none, or no session."""
    if record.get("session_id") is None:
        return None
    calls = recordings.get_session_interactions(record["session_id"])
    earlier = [each for each in calls if str(each.get("timestamp")) < str(record.get("timestamp"))]
    return earlier[-1] if earlier else None
