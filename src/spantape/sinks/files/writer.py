"""Appending to files that are valid JSON arrays at every moment."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from ...guard import guard
from .._forks import follow
from . import arrays, layout
from .lease import Leases
from .lock import is_held_here, locked

Entry: TypeAlias = tuple[bytes, tuple[Path, ...]]
"""A record and the files that it is still to be written to."""

WAIT = 10.0

_MOST = 1000


class FileWriter:
    """Writes below one folder, safely beside every other thread and process that does.

    Appending costs the same however large the file is: the closing bracket is overwritten. What can't be written waits
    for the next flush; beyond 1000 records the oldest are given up and counted in `lost`. Folders are made with mode
    0700, files with 0600.
    """

    def __init__(self, base_dir: Path) -> None:
        self.base_dir = Path(base_dir).absolute()
        self.lost = 0
        self._lock = self.base_dir / layout.lock_file()
        self._leases = Leases()
        self._begin()
        follow(self)

    def after_fork_in_child(self) -> None:
        """Have nothing to write: what waits is the parent's."""
        self._begin()

    def _begin(self) -> None:
        self._incoming: deque[Entry] = deque()
        self._unwritten: list[Entry] = []

    def put(self, line: bytes, paths: Sequence[Path]) -> None:
        """Take a record, as JSON, for files given by their paths below the base folder."""
        self._incoming.append((line, tuple(paths)))

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
                self.excuse(error)
                self._keep_some()
        return not self._waits()

    @contextmanager
    def locked(self, timeout: float = WAIT) -> Iterator[None]:
        """Keep every other writer out; raises `OSError`."""
        if not self._lock.exists():
            self._folder(self.base_dir)
            _create(self._lock, b"")
        with locked(self._lock, timeout):
            yield

    def replace(self, path: Path, lines: Sequence[bytes]) -> None:
        """Put a whole new array in a file's place, at once; to be called inside `locked()`."""
        target = self.base_dir / path
        self._folder(target.parent)
        fresh = target.with_suffix(".tmp")
        try:
            _create(fresh, arrays.closed(arrays.OPEN, lines) if lines else b"[]\n")
            fresh.replace(target)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise

    def give_up(self) -> None:
        """Count what still waits as lost, at the very end."""
        self._lose(len(self._unwritten) + len(self._incoming))
        self._begin()

    def excuse(self, error: OSError) -> None:
        """Say once why something is not written."""
        place = self.base_dir
        guard.warn_once(
            f"write {type(error).__name__}", "spantape can't write to %s (%s); it will try again", place, error
        )

    def _waits(self) -> bool:
        return bool(self._incoming or self._unwritten)

    def _write(self) -> None:
        """Write to every file that can be written to."""
        while self._incoming:
            self._unwritten.append(self._incoming.popleft())
        files: dict[Path, list[bytes]] = {}
        for line, paths in self._unwritten:
            for path in paths:
                files.setdefault(path, []).append(line)
        failed = {path for path, lines in files.items() if not self._is_appended(path, lines)}
        left = [(line, tuple(path for path in paths if path in failed)) for line, paths in self._unwritten]
        left = [(line, paths) for line, paths in left if paths]
        self._unwritten = left[-_MOST:]
        self._lose(len(left) - _MOST)

    def _is_appended(self, path: Path, lines: Sequence[bytes]) -> bool:
        try:
            self._append(self.base_dir / path, lines)
        except OSError as error:
            self.excuse(error)
            return False
        return True

    def _append(self, path: Path, lines: Sequence[bytes]) -> None:
        end = self._extend(path, lines)
        if end is None:
            _put_aside(path)
        if not end:
            self.replace(path, lines)

    def _extend(self, path: Path, lines: Sequence[bytes]) -> int | None:
        """Write behind the records of a file; gives where they ended, with 0 and None there was nothing to extend."""
        try:
            with _opened(path) as file:
                end = arrays.end_of(file)
                if end:
                    with self._leases.held(path, file):
                        _overwrite(file, end, arrays.closed(arrays.SEPARATOR, lines))
                return end
        except FileNotFoundError:
            return 0

    def _keep_some(self) -> None:
        excess = len(self._incoming) - _MOST
        for _ in range(excess):
            self._incoming.popleft()
        self._lose(excess)

    def _lose(self, count: int) -> None:
        if count > 0:
            self.lost += count
            guard.warn_once("lost", "spantape lost %d records that it could not write to %s", count, self.base_dir)

    def _folder(self, path: Path) -> None:
        if path.is_dir():
            return
        if path == self.base_dir:
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            self._folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)  # whatever the umask


def _overwrite(file: int, end: int, data: bytes) -> None:
    """Write from the end of the last record on, and close the array."""
    if os.fstat(file).st_size > end + len(data):
        os.ftruncate(file, end)
    try:
        _write_at(file, end, data)
    except OSError:
        with suppress(OSError):  # a full disk: close the array again, in the room that it had
            os.ftruncate(file, end + len(arrays.CLOSE))
            _write_at(file, end, arrays.CLOSE)
        raise


def _create(path: Path, data: bytes) -> None:
    with _opened(path, os.O_CREAT | os.O_TRUNC) as file:
        path.chmod(0o600)  # whatever the umask
        _write_at(file, 0, data)


def _put_aside(path: Path) -> None:
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    path.rename(aside)
    guard.warn_once(str(path), "spantape found no JSON array in %s and moved the file to %s", path, aside)


@contextmanager
def _opened(path: Path, flags: int = 0) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0) | flags, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _write_at(file: int, position: int, data: bytes) -> None:
    os.lseek(file, position, os.SEEK_SET)
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
