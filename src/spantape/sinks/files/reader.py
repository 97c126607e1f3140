"""Reading the recorded interactions back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date as Date  # noqa: N812 - `date` is the name of the parameter everywhere
from datetime import datetime
from pathlib import Path

from ...errors import QueryError
from . import arrays, layout
from .arrays import Record
from .lock import locked
from .presence import settle

_WAIT = 2.0


class Recordings:
    """The interactions recorded below one folder; each is a dict with the keys of the record on disk.

    A later record with the same id replaces an earlier one. What can't be read is skipped and counted in `damaged`.
    """

    def __init__(self, base_dir: Path) -> None:
        self.base_dir = Path(base_dir)
        self._damaged: dict[Path, int] = {}

    @property
    def damaged(self) -> int:
        """How much could not be read in the files that were read so far."""
        return sum(self._damaged.values())

    def get_session_interactions(self, session_id: str | int | None, date: str | None = None) -> list[Record]:
        """Give a session's calls, oldest first, of all days or of one (YYYY-MM-DD)."""
        if date is None:
            files = sorted((self.base_dir / layout.session_folder(session_id)).glob("*.json"))
        else:
            files = [self.base_dir / layout.session_file(session_id, layout.day(date))]
        return _ordered(record for record in self._read(files) if _session_of(record) == _text(session_id))

    def get_date_interactions(self, date: str) -> list[Record]:
        """Give all calls that started on one day (YYYY-MM-DD, local time), oldest first."""
        return _ordered(self._read([self.base_dir / layout.date_file(layout.day(date))]))

    def get_error_interactions(self, date: str | None = None, days: int = 7) -> list[Record]:
        """Give the failed calls of one day, or without a date those of the last `days` days, oldest first."""
        settle(self.base_dir)
        if date is not None:
            return _ordered(self._read([self.base_dir / layout.error_file(layout.day(date))]))
        first = Date.fromordinal(max(1, Date.today().toordinal() + 1 - _count("days", days)))
        since = layout.error_file(first.isoformat()).name
        return _ordered(self._read(file for file in self._files(layout.ERRORS) if file.name >= since))

    def get_latest_interactions(self, limit: int = 50) -> list[Record]:
        """Give the calls that were recorded last, newest first; its cost does not grow with what is on disk."""
        wanted = _count("limit", limit)
        found: dict[object, Record] = {}
        for record in self._backwards():
            found.setdefault(_key(record), record)
            if len(found) >= wanted:
                break
        return sorted(found.values(), key=_when, reverse=True)

    def get_running_interactions(self) -> list[Record]:
        """Give the calls that run at this moment (their content shortened), oldest first."""
        settle(self.base_dir)
        return _ordered(filter(_runs, self._read([self.base_dir / layout.latest_file()])))

    def _files(self, folder: str) -> list[Path]:
        return sorted((self.base_dir / folder).glob("*.json"))

    def _backwards(self) -> Iterator[Record]:
        for file in reversed(self._files(layout.BY_DATE)):
            with suppress(FileNotFoundError):  # it may be archived at this moment
                yield from self._latest_first(file)

    def _latest_first(self, file: Path) -> Iterator[Record]:
        seen = 0
        for line in arrays.lines_backwards(file):
            record = arrays.record(line)
            if record is not None:
                seen += 1
                yield record
            elif not arrays.is_frame(line):  # damaged, being written, or by someone else: then it is read whole
                whole = self._records(file)
                yield from reversed(whole[: len(whole) - seen])
                return

    def _read(self, files: Iterable[Path]) -> Iterator[Record]:
        for file in files:
            if file.is_file():
                with suppress(FileNotFoundError):
                    yield from self._records(file)

    def _records(self, file: Path) -> list[Record]:
        found, damaged = arrays.records(file.read_bytes())
        lock = self.base_dir / layout.lock_file()
        if damaged and lock.exists():  # it may only be being written: then it is whole as soon as the writer is done
            with suppress(OSError), locked(lock, _WAIT):
                found, damaged = arrays.records(file.read_bytes())
        self._damaged[file] = damaged
        return found


def _ordered(records: Iterable[Record]) -> list[Record]:
    folded = {_key(record): record for record in records}
    return sorted(folded.values(), key=_when)


def _key(record: Record) -> object:
    return object() if record.get("id") is None else str(record["id"])


def _when(record: Record) -> float:
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromisoformat(str(record.get("timestamp"))).timestamp()
    return 0.0


def _session_of(record: Record) -> str:
    return _text(record.get("session_id"))


def _text(session_id: object) -> str:
    return "" if session_id is None else str(session_id)


def _runs(record: Record) -> bool:
    metadata = record.get("metadata")
    return isinstance(metadata, dict) and metadata.get("stage") == "started"


def _count(name: str, value: int) -> int:
    if not isinstance(value, int) or value < 1:
        raise QueryError(f"{name} is {value!r}: give a whole number of at least 1")
    return value
