"""Reading the recorded interactions back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date as Date  # noqa: N812 - `date` is the name of the parameter everywhere
from datetime import timedelta
from pathlib import Path

from ... import jsontext
from ...errors import QueryError
from ...jsontext import Json
from . import layout

Record = dict[str, Json]

_BLOCK = 256 * 1024


class Recordings:
    """The interactions recorded below one folder; each is a dict with the keys of the record on disk.

    A later record with the same id replaces an earlier one. What can't be read is skipped and counted in `damaged`.
    """

    def __init__(self, base_dir: Path) -> None:
        self.base_dir = Path(base_dir)
        self.damaged = 0

    def get_session_interactions(self, session_id: str | int | None, date: str | None = None) -> list[Record]:
        """Give a session's calls, oldest first, of all days or of one (YYYY-MM-DD)."""
        wanted = None if session_id is None else str(session_id)
        if date is None:
            files = sorted((self.base_dir / layout.session_folder(session_id)).glob("*.json"))
        else:
            files = [self.base_dir / layout.session_file(session_id, layout.day(date))]
        return self._ordered(record for record in self._read(files) if record.get("session_id") == wanted)

    def get_date_interactions(self, date: str) -> list[Record]:
        """Give all calls that started on one day (YYYY-MM-DD, local time), oldest first."""
        return self._ordered(self._read([self.base_dir / layout.date_file(layout.day(date))]))

    def get_error_interactions(self, date: str | None = None, days: int = 7) -> list[Record]:
        """Give the failed calls of one day, or without a date those of the last `days` days, oldest first."""
        if date is not None:
            wanted = [layout.day(date)]
        elif days < 1:
            raise QueryError(f"days is {days!r}: give a whole number of at least 1")
        else:
            today = Date.today()
            wanted = [(today - timedelta(days=back)).isoformat() for back in reversed(range(days))]
        return self._ordered(self._read([self.base_dir / layout.error_file(one) for one in wanted]))

    def get_latest_interactions(self, limit: int = 50) -> list[Record]:
        """Give the calls that were recorded last, newest first; its cost does not grow with what is on disk."""
        if limit < 1:
            raise QueryError(f"limit is {limit!r}: give a whole number of at least 1")
        found: dict[str, Record] = {}
        for record in self._backwards():
            found.setdefault(str(record.get("id")), record)
            if len(found) >= limit:
                break
        return sorted(found.values(), key=_when, reverse=True)

    def get_running_interactions(self) -> list[Record]:
        """Give the calls that run at this moment (their content shortened), oldest first."""
        latest = self._read([self.base_dir / layout.latest_file()])
        return self._ordered(record for record in latest if record.get("metadata", {}).get("stage") == "started")

    def _backwards(self) -> Iterator[Record]:
        for file in sorted((self.base_dir / layout.BY_DATE).glob("*.json"), reverse=True):
            for line in _lines_backwards(file):
                record = _record(line)
                if record is not None:
                    yield record
                else:
                    self.damaged += not _is_frame(line)

    def _ordered(self, records: Iterable[Record]) -> list[Record]:
        folded = {str(record.get("id")): record for record in records}
        return sorted(folded.values(), key=_when)

    def _read(self, files: Iterable[Path]) -> Iterator[Record]:
        for file in files:
            if file.is_file():
                yield from self._records(file)

    def _records(self, file: Path) -> Iterator[Record]:
        with file.open("rb") as lines:
            for line in lines:
                record = _record(line)
                if record is not None:
                    yield record
                elif not _is_frame(line):
                    self.damaged += 1


def _record(line: bytes) -> Record | None:
    found = jsontext.loads_or(line.strip().rstrip(b","))
    return found if isinstance(found, dict) else None


def _is_frame(line: bytes) -> bool:
    return line.strip() in {b"", b"[", b"]", b"[]"}


def _when(record: Record) -> str:
    return str(record.get("timestamp") or "")


def _lines_backwards(file: Path) -> Iterator[bytes]:
    with file.open("rb") as data:
        position, rest = data.seek(0, 2), b""
        while position > 0:
            step = min(_BLOCK, position)
            position -= step
            data.seek(position)
            first, *lines = (data.read(step) + rest).split(b"\n")
            yield from reversed(lines)
            rest = first
        yield rest
