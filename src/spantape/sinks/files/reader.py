"""Reading the recorded interactions back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date as Date  # noqa: N812 - `date` is the name of the parameter everywhere
from datetime import datetime, timedelta, timezone
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ... import moments
from ...errors import QueryError
from ...filter import Filter, began
from ...jsontext import Json
from ...settings import Settings
from . import health, layout, search, statistics, storage, tally
from .arrays import Record
from .catalog import Catalog
from .fold import folded, identity
from .lines import Lines
from .seal import opening, opening_lines
from .summaries import Summaries

if TYPE_CHECKING:
    from ...pricing.reprice import Repricing
    from .backup import Backup

Condition: TypeAlias = Callable[[], Mapping[str, Json] | None]
Change: TypeAlias = Callable[[Iterable[bytes]], Iterable[bytes]]

_ALL = Filter()
_DAY = timedelta(days=1)
_PACKED = 8


class Recordings:
    """The interactions recorded below one folder; each is a dict with the keys of the record on disk.

    A later record with the same id replaces an earlier one. What was moved to the archive is read as well. What can't
    be read is skipped and counted in `damaged`. What begins with `iter_` gives one call at a time, as they were
    written, and holds no more than that in memory.
    """

    def __init__(self, base_dir: Path, condition: Condition = lambda: None, settings: Settings | None = None) -> None:
        self.base_dir = Path(base_dir)
        self._open = opening(settings or Settings())
        self._open_lines: Change = opening_lines(settings or Settings())
        self._watch: Change = iter
        self._condition = condition
        self._catalog = Catalog(self.base_dir)
        self._summaries = Summaries(self._catalog)
        self._damaged: dict[Path, int] = {}

    @property
    def damaged(self) -> int:
        """How much could not be read in the files that were read so far."""
        return sum(self._damaged.values())

    def watch(self, watch: Change) -> None:
        """Have the lines of each file that is read from now on pass through `watch`, which gives them on."""
        self._watch = watch

    def size(self, where: Filter = _ALL) -> int:
        """Give about how many bytes there are to read for such calls."""
        paths = _between(self._catalog.dates(), where)
        return sum(_bytes(file) for path in paths for file in self._catalog.files(path))

    def iter_all(self, where: Filter = _ALL) -> Iterator[Record]:
        """Give all calls, day by day."""
        return self._read(self._catalog.dates(), where)

    def iter_date(self, date: str, where: Filter = _ALL) -> Iterator[Record]:
        """Give all calls that started on one day (YYYY-MM-DD, local time)."""
        return self._read([layout.date_file(layout.day(date))], where)

    def iter_session(
        self, session_id: str | int | None, date: str | None = None, where: Filter = _ALL
    ) -> Iterator[Record]:
        """Give a session's calls, of all days or of one (YYYY-MM-DD); None is for those outside any session."""
        if date is None:
            paths = self._catalog.session(session_id)
        else:
            paths = [layout.session_file(session_id, layout.day(date))]
        own = _text(session_id)  # ids that differ only in case may share a folder
        return (record for record in self._read(paths, where) if _text(record.get("session_id")) == own)

    def iter_errors(self, date: str | None = None, days: int = 7, where: Filter = _ALL) -> Iterator[Record]:
        """Give the failed calls of one day, or without a date those of the last `days` days."""
        self._settle()
        if date is not None:
            return self._read([layout.error_file(layout.day(date))], where)
        first = Date.fromordinal(max(1, Date.today().toordinal() + 1 - _count("days", days)))
        since = layout.error_file(first.isoformat())
        return self._read((path for path in self._catalog.errors() if path >= since), where)

    def iter_latest(self, where: Filter = _ALL) -> Iterator[Record]:
        """Give the calls that were recorded last, the newest first, reading no more than is asked for."""
        return self._latest(where, self._open_lines)

    def get_session_interactions(self, session_id: str | int | None, date: str | None = None) -> list[Record]:
        """Give a session's calls, oldest first, of all days or of one (YYYY-MM-DD)."""
        return sorted(self.iter_session(session_id, date), key=_when)

    def get_date_interactions(self, date: str) -> list[Record]:
        """Give all calls that started on one day (YYYY-MM-DD, local time), oldest first."""
        return sorted(self.iter_date(date), key=_when)

    def get_error_interactions(self, date: str | None = None, days: int = 7) -> list[Record]:
        """Give the failed calls of one day, or without a date those of the last `days` days, oldest first."""
        return sorted(self.iter_errors(date, days), key=_when)

    def get_latest_interactions(self, limit: int = 50, where: Filter = _ALL) -> list[Record]:
        """Give the calls that were recorded last, newest first; its cost does not grow with what is on disk."""
        return sorted(islice(self.iter_latest(where), _count("limit", limit)), key=_when, reverse=True)

    def get_running_interactions(self) -> list[Record]:
        """Give the calls that run at this moment (their content shortened), oldest first."""
        return list(map(self._open, self._running()))

    def reprice(self, records: Iterable[Record] | None = None, **settings: Any) -> Repricing:
        """Price calls anew (all, unless `records` are given), each at its own time, and tell the difference.

        Takes the settings that prices depend on, such as `prices="prices.yaml"`; the files stay as they are.
        """
        from ...pricing import PriceBook
        from ...pricing.reprice import reprice
        from ...settings import Settings

        book = PriceBook.of(Settings.load(**{**settings, "cost": True}))
        return reprice(self.iter_all() if records is None else records, book)

    def get(self, name: str) -> Record | None:
        """Give one call: by its id or how that begins, `last`, `err` for the last that failed, `last~2`.

        A call that runs is found by its id, too, with its content shortened.

        Raises:
            QueryError: More than one id begins so, or none of the newest 4 GB.
        """
        # As they are on disk: those that are not asked for may be encrypted with a key that is not there.
        found = search.find(self._catalog, name, lambda where: self._latest(where, iter), self._running)
        return None if found is None else self._open(found)

    def get_statistics(self, where: Filter = _ALL) -> dict[str, Json]:
        """Give counts, tokens, cost and latency, as a whole and by model, provider, user and day.

        All of it is counted once and then kept beside the files; a filter has the calls read one by one.
        """
        days = self._summaries.days() if where == _ALL else self._counted(where)
        return {**statistics.report(days), "storage_info": storage.info(self.base_dir)}

    def get_health_status(self) -> dict[str, Json]:
        """Give whether recordings can be written, and how the recording of this process is doing."""
        return health.report(self.base_dir, self._condition())

    def backup(self, target: str | Path) -> Backup:
        """Copy everything into a new folder, as of one moment, while recording goes on; gives how much that was.

        Raises:
            SpantapeError: There is nothing to copy, or `target` can't be used.
        """
        from .backup import backup

        return backup(self.base_dir, Path(target))

    def _settle(self) -> None:
        from .presence import settle  # which imports what writes: too much for a command that only reads

        settle(self.base_dir)

    def _counted(self, where: Filter) -> Iterator[tuple[str, tally.Counts]]:
        for path in _between(self._catalog.dates(), where):
            counts: tally.Counts = {}
            for record in self._read([path], where):
                tally.add(counts, tally.facts(record))
            yield path.name[:10], counts

    def _running(self) -> list[Record]:
        self._settle()
        with self._opened(layout.latest_file()) as files:
            return sorted(filter(_runs, _ALL.read(self._watch(folded(files)))), key=_when)

    def _read(self, paths: Iterable[Path], where: Filter) -> Iterator[Record]:
        for path in _between(paths, where):
            with self._opened(path) as files:
                yield from where.read(self._open_lines(self._watch(folded(files))))

    def _latest(self, where: Filter, opened: Change) -> Iterator[Record]:
        for path in reversed(_between(self._catalog.dates(), where)):
            with self._opened(path) as files:
                lines = chain.from_iterable(file.backwards() for file in reversed(files))
                yield from where.read(opened(self._watch(_newest(lines))))

    @contextmanager
    def _opened(self, path: Path) -> Iterator[list[Lines]]:
        with self._catalog.opened(path) as files:
            is_whole = False
            try:
                yield files
                is_whole = True
            finally:
                for lines in files:  # of which a part was read, that tells nothing of the rest
                    known = 0 if is_whole else self._damaged.get(lines.path, 0)
                    self._damaged[lines.path] = max(known, lines.damaged)


def _newest(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Give those that no later line has the same id as; lines come backwards."""
    seen: set[int] = set()
    for line in lines:
        name = identity(line)
        key = hash(name)
        if name is None or key not in seen:
            seen.add(key)
            yield line


def _bytes(file: Path) -> int:
    """Give about how large a file is when it is unpacked; 0 when it is gone."""
    with suppress(FileNotFoundError):
        return file.stat().st_size * (_PACKED if file.suffix == ".gz" else 1)
    return 0


def _between(paths: Iterable[Path], where: Filter) -> list[Path]:
    """Give the files that may have calls of the time that is asked for, wherever on earth they were named."""
    if not isinstance(where, Filter):
        raise QueryError(f"where is {where!r}: give a Filter, like Filter(status='error') or Filter.parse(since='2h')")
    first = _day(where.since, -_DAY) if where.since else ""
    last = _day(where.until, _DAY) if where.until else "~"
    return [path for path in paths if first <= path.name[:10] <= last]


def _day(moment: datetime, margin: timedelta) -> str:
    return (moments.aware(moment).astimezone(timezone.utc) + margin).date().isoformat()


def _runs(record: Record) -> bool:
    metadata = record.get("metadata")
    return isinstance(metadata, dict) and metadata.get("stage") == "started"


def _when(record: Record) -> float:
    start = began(record)
    return 0.0 if start is None else start.timestamp()


def _text(session_id: object) -> str:
    return "" if session_id is None else str(session_id)


def _count(name: str, value: int) -> int:
    if not isinstance(value, int) or value < 1:
        raise QueryError(f"{name} is {value!r}: give a whole number of at least 1")
    return value
