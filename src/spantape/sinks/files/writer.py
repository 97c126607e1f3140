"""Appending to files that are valid JSON arrays at every moment."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from ...guard import guard
from ...settings import Settings
from .._forks import follow
from . import arrays, disk, layout
from .arrays import Line
from .lease import Leases, give_back
from .lock import is_held_here, locked
from .rotation import rotate

Entry: TypeAlias = tuple[Line, tuple[Path, ...]]
"""A record and the files that it is still to be written to."""

WAIT = 10.0

_MOST = 10_000
_MOST_PLACES = 1000
_FULL = -1


class FileWriter:
    """Writes below one folder, safely beside every other thread and process that does.

    Appending costs the same however large the file is: the closing bracket is overwritten. What can't be written waits
    for the next flush; beyond 10,000 records, or `buffer_bytes`, the oldest are given up and counted in `lost`. A file
    that would grow beyond `max_file_size` goes to the archive first. Folders are made with mode 0700, files with 0600.
    """

    def __init__(self, base_dir: Path, settings: Settings | None = None) -> None:
        chosen = settings or Settings()
        self.base_dir = Path(base_dir).absolute()
        self.lost = self.errors = self.rotations = 0
        self.last_error: str | None = None
        """Why what waits is not written; None when nothing is in its way."""
        self._most_bytes, self._max_file_size = chosen.buffer_bytes, chosen.max_file_size
        self._sync: disk.Sync = os.fsync if chosen.durable else disk.no_sync
        self._lock = self.base_dir / layout.lock_file()
        self._leases = Leases()
        self._places: dict[Path, str] = {}
        self._begin()
        follow(self)

    def after_fork_in_child(self) -> None:
        """Have nothing to write: what waits is the parent's."""
        self._begin()

    def _begin(self) -> None:
        self._incoming: deque[Entry] = deque()
        self._unwritten: list[Entry] = []
        self.since: float | None = None
        """Since when something waits, by `time.monotonic()`."""

    def put(self, line: Line, paths: Sequence[Path]) -> None:
        """Take a record, as JSON, for files given by their paths below the base folder."""
        self._incoming.append((line, tuple(paths)))
        self.since = self.since or time.monotonic()

    def __len__(self) -> int:
        """Give how many records wait."""
        return len(self._incoming) + len(self._unwritten)

    @property
    def weight(self) -> int:
        """How many bytes those have."""
        return sum(len(line) for line, _ in [*self._incoming.copy(), *self._unwritten])

    def flush(self, timeout: float = WAIT) -> bool:
        """Write what was put; False while something of it waits."""
        # Inside our own write, in a finalizer that ended a span: the write that is going on takes it along.
        if self._waits() and not is_held_here():
            try:
                with self.locked(timeout):
                    self._write()
                    while self._incoming:
                        self._write()
            except OSError as error:
                self.failed(error)
                self._keep_some()
        if self._waits():
            return False
        self.since = self.last_error = None
        return True

    @contextmanager
    def locked(self, timeout: float = WAIT) -> Iterator[None]:
        """Keep every other writer out; raises `OSError`."""
        if not self._lock.exists():
            disk.folder(self.base_dir, self.base_dir)
            disk.create(self._lock)
        with locked(self._lock, timeout):
            yield

    def replace(self, path: Path, lines: Sequence[Line], sync: disk.Sync = disk.no_sync) -> None:
        """Put a whole new array in a file's place, at once; to be called inside `locked()`."""
        target = self._place(path)
        disk.folder(target.rpartition(os.sep)[0], self.base_dir)
        disk.replace(target, lines, sync)

    def append(self, path: Path, lines: Sequence[Line]) -> None:
        """Write behind the records of a file, whatever state it is in; to be called inside `locked()`."""
        target = self._place(path)
        end = self._extend(target, lines, self._max_file_size)
        if end == _FULL:
            end = self._extend_another(path, target, lines)
        if end is None:
            disk.put_aside(Path(target))
        if not end:
            self.replace(path, lines, self._sync)

    def give_up(self, more: int = 0) -> None:
        """Count what still waits as lost, at the very end, with `more` that was to come."""
        self._lose(len(self._unwritten) + len(self._incoming) + more)
        self._begin()

    def failed(self, error: OSError) -> None:
        """Say why what waits is not written."""
        self.last_error = str(error)
        self.excuse(error)

    def excuse(self, error: OSError) -> None:
        """Say once why something is not written."""
        self.errors += 1
        place = self.base_dir
        guard.warn_once(
            f"write {type(error).__name__}", "spantape can't write to %s (%s); it will try again", place, error
        )

    def _waits(self) -> bool:
        return bool(self._incoming or self._unwritten)

    def _write(self) -> None:
        """Write all that waits."""
        while self._incoming:
            self._unwritten.append(self._incoming.popleft())
        left = [entry for batch in self._batches(self._unwritten) for entry in self._left_of(batch)]
        kept = self._bounded(left)
        self._unwritten = kept
        self._lose(len(left) - len(kept))

    def _batches(self, entries: list[Entry]) -> Iterator[list[Entry]]:
        """Give the entries in parts that fit into a file each."""
        batch: list[Entry] = []
        room = self._max_file_size
        for entry in entries:
            room -= len(entry[0]) + len(arrays.SEPARATOR)
            if room < 0 and batch:
                yield batch
                batch, room = [], self._max_file_size - len(entry[0])
            batch.append(entry)
        yield batch

    def _left_of(self, entries: list[Entry]) -> list[Entry]:
        """Write to every file that can be written to; give what is left."""
        files: dict[Path, list[Line]] = {}
        for line, paths in entries:
            for path in paths:
                files.setdefault(path, []).append(line)
        failed = {path for path, lines in files.items() if not self._is_appended(path, lines)}
        left = [(line, tuple(path for path in paths if path in failed)) for line, paths in entries if failed]
        return [(bytes(line), paths) for line, paths in left if paths]  # of its own: those beside it can go

    def _bounded(self, entries: list[Entry]) -> list[Entry]:
        """Give the newest of the entries, as many as may wait."""
        room = self._most_bytes
        for count, (line, _) in enumerate(reversed(entries)):
            room -= len(line)
            if count == _MOST or room < 0:
                return entries[len(entries) - count :]
        return entries

    def _is_appended(self, path: Path, lines: Sequence[Line]) -> bool:
        try:
            self.append(path, lines)
        except OSError as error:
            self.failed(error)
            return False
        return True

    def _place(self, path: Path) -> str:
        """Give where a file is, as text: to make a path anew each time costs as much as to write to it."""
        place = self._places.get(path)
        if place is None:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            place = self._places[path] = f"{self.base_dir}{os.sep}{path}"
        return place

    def _extend_another(self, path: Path, target: str, lines: Sequence[Line]) -> int | None:
        """Archive a file that would grow too large, so that the next one begins; where that can't be done, it grows."""
        try:
            self.rotations += rotate(self.base_dir, path)
        except OSError as error:  # Windows: someone reads it
            guard.warn_once(f"rotate {path}", "spantape can't archive %s yet, so it grows (%s)", path, error)
        return self._extend(target, lines)

    def _extend(self, target: str, lines: Sequence[Line], most: float = math.inf) -> int | None:
        """Write behind the records of a file; gives where they ended.

        With 0 and None there was nothing to extend; with `_FULL` it would have become larger than `most`.
        """
        try:
            with disk.opened(target) as file:
                end = arrays.end_of(file)
                if end:
                    pieces = arrays.closed(arrays.SEPARATOR, lines)
                    if end + sum(map(len, pieces)) > most:
                        return _FULL
                    self._overwrite(target, file, end, pieces)
                return end
        except FileNotFoundError:
            return 0

    def _overwrite(self, target: str, file: int, end: int, pieces: Sequence[Line]) -> None:
        leased = self._leases.take(target, file)
        try:
            disk.overwrite(file, end, pieces, self._sync)
        finally:
            if leased:
                give_back(file)

    def _keep_some(self) -> None:
        entries = [*self._unwritten, *(self._incoming.popleft() for _ in range(len(self._incoming)))]
        kept = self._bounded(entries)
        self._unwritten = kept
        self._lose(len(entries) - len(kept))

    def _lose(self, count: int) -> None:
        if count > 0:
            self.lost += count
            guard.warn_once("lost", "spantape lost %d records that it could not write to %s", count, self.base_dir)
