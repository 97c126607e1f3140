"""The few steps on disk that everything here is made of: private files, whole arrays, durable if that is asked for.

They are taken by the functions of `os`: for a new session's first record, making paths took as long as all the rest.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from ...guard import guard
from . import arrays
from .arrays import Line

Place: TypeAlias = "str | Path"
Sync: TypeAlias = Callable[[int], object]
"""What is done with an open file after a write: `os.fsync`, or nothing."""


# Many pieces are not joined: a copy of a large batch is memory that the system has to find each time.
_gather: Callable[[int, Sequence[Line]], int] = getattr(os, "writev", lambda *_: 0)
_FEW, _MOST_PIECES = 16, 1000  # systems take 1024 at once
_FLAGS = os.O_RDWR | getattr(os, "O_BINARY", 0)


def no_sync(_: int) -> None:
    """Leave it to the operating system when a write gets to the disk."""


class opened:  # noqa: N801 - read like `open`; a generator would take as long as the opening itself
    """Open a file for reading and writing, by its number, until the end of a `with`."""

    def __init__(self, path: Place, flags: int = 0) -> None:
        self._file = os.open(path, _FLAGS | flags, 0o600)

    def __enter__(self) -> int:
        return self._file

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def create(path: Place, pieces: Sequence[Line] = (), sync: Sync = no_sync) -> None:
    """Make a file that only its owner can read, or empty the one that is there."""
    with opened(path, os.O_CREAT | os.O_TRUNC) as file:
        os.chmod(path, 0o600)  # whatever the umask
        _write_at(file, 0, pieces)
        sync(file)


def replace(path: Place, lines: Sequence[Line], sync: Sync = no_sync) -> None:
    """Put a whole new array in a file's place, at once."""
    fresh = f"{os.path.splitext(path)[0]}.tmp"
    try:
        create(fresh, arrays.closed(arrays.OPEN, lines) if lines else [b"[]\n"], sync)
        os.replace(fresh, path)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        raise
    if sync is not no_sync:
        _sync_folder(os.path.dirname(path))


def overwrite(file: int, end: int, pieces: Sequence[Line], sync: Sync = no_sync) -> None:
    """Write from the end of the last record on, and close the array."""
    if os.lseek(file, 0, os.SEEK_END) > end + sum(map(len, pieces)):
        os.ftruncate(file, end)
    try:
        _write_at(file, end, pieces)
        sync(file)
    except OSError:
        with suppress(OSError):  # a full disk: close the array again, in the room that it had
            os.ftruncate(file, end + len(arrays.CLOSE))
            _write_at(file, end, [arrays.CLOSE])
        raise


def folder(path: Place, base_dir: Place) -> None:
    """Make a folder at or below `base_dir`, for its owner alone."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        above = os.path.dirname(path)
        if os.fspath(path) == os.fspath(base_dir):
            os.makedirs(above, exist_ok=True)
        else:
            folder(above, base_dir)
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
    os.chmod(path, 0o700)  # whatever the umask


def put_aside(path: Path) -> None:
    """Move a file out of the way that is no array."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    path.rename(aside)
    guard.warn_once(str(path), "spantape found no JSON array in %s and moved the file to %s", path, aside)


def _write_at(file: int, position: int, pieces: Sequence[Line]) -> None:
    os.lseek(file, position, os.SEEK_SET)
    for start in range(0, len(pieces), _MOST_PIECES):
        part = pieces[start : start + _MOST_PIECES]
        written = _gather(file, part) if len(part) > _FEW else os.write(file, b"".join(part))
        if written < sum(map(len, part)):  # a disk that takes no more, or a system that takes one piece at a time
            rest = memoryview(b"".join(part))[written:]
            while rest:
                rest = rest[os.write(file, rest) :]


def _sync_folder(path: str) -> None:
    """Make a file's name durable, too; Windows does that by itself."""
    if sys.platform != "win32":
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
