"""Appending to files that are valid JSON arrays at every moment, one record a line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from ... import jsontext

OPEN, SEPARATOR, CLOSE = b"[\n", b",\n", b"\n]\n"

_LOCK = ".lock"
_WAIT = 10.0
_BLOCK = 64 * 1024
_TAIL = 64


class FileWriter:
    """Writes below one folder, safely beside every other process that does: one lock, `<base_dir>/.lock`, for all files.

    Appending costs the same however large the file is: the closing bracket is overwritten. Folders are made with mode
    0700, files with 0600. Raises `OSError` (a full disk, no permission) and `filelock.Timeout`.
    """

    def __init__(self, base_dir: Path) -> None:
        self.base_dir = Path(base_dir).absolute()
        self._lock = FileLock(self.base_dir / _LOCK, timeout=_WAIT, mode=0o600)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer of this folder, in any thread or process, out."""
        self._folder(self.base_dir)
        with self._lock:
            yield

    def append(self, lines: Mapping[Path, Sequence[bytes]]) -> None:
        """Append lines (records as JSON) to files, given by their paths below the base folder."""
        if not lines:
            return
        with self.locked():
            for path, records in lines.items():
                self._append(self.base_dir / path, records)

    def replace(self, path: Path, records: Sequence[bytes]) -> None:
        """Put a whole new array in a file's place, at once; to be called inside `locked()`."""
        target = self.base_dir / path
        self._folder(target.parent)
        fresh = target.with_suffix(".tmp")
        with _opened(fresh, os.O_TRUNC) as file:
            _write_all(file, OPEN + SEPARATOR.join(records) + CLOSE if records else b"[]\n")
        fresh.replace(target)

    def _append(self, path: Path, records: Sequence[bytes]) -> None:
        self._folder(path.parent)
        with _opened(path) as file:
            end, torn = body_end(file)
            if torn:
                os.ftruncate(file, end)
            os.lseek(file, end, os.SEEK_SET)
            _write_all(file, (SEPARATOR if end else OPEN) + SEPARATOR.join(records) + CLOSE)

    def _folder(self, path: Path) -> None:
        if path.is_dir():
            return
        if path == self.base_dir:
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            self._folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def body_end(file: int) -> tuple[int, bool]:
    """Give the offset after the last whole record of an open file (0: it holds none), and whether its end is torn.

    A file whose last write was cut short (a crash, a full disk) ends in a part of a record.
    """
    size = os.lseek(file, 0, os.SEEK_END)
    tail = _read(file, max(0, size - _TAIL), size)
    body = tail.rstrip()
    # A record has no line break inside, so a bracket at the start of a line is the array's own.
    if body.endswith(b"\n]"):
        return size - len(tail) + len(body[:-1].rstrip()), False
    if body in {b"", b"[]", b"["}:
        return 0, size > 0
    return _last_whole(file, size), True


def _last_whole(file: int, size: int) -> int:
    """Go back line by line to the last one that is a record."""
    end = size
    for start in _line_starts(file, size):
        line = _read(file, start, end).rstrip().rstrip(b",")
        if isinstance(jsontext.loads_or(line), dict):
            return start + len(line)
        end = start
    return 0


def _line_starts(file: int, size: int) -> Iterator[int]:
    block_end = size
    while block_end > 0:
        block_start = max(0, block_end - _BLOCK)
        block = _read(file, block_start, block_end)
        found = block.rfind(b"\n")
        while found >= 0:
            yield block_start + found + 1
            found = block.rfind(b"\n", 0, found)
        block_end = block_start
    yield 0


def _read(file: int, start: int, end: int) -> bytes:
    os.lseek(file, start, os.SEEK_SET)
    parts: list[bytes] = []
    while start < end:
        part = os.read(file, end - start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)


@contextmanager
def _opened(path: Path, flags: int = 0) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | flags, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
