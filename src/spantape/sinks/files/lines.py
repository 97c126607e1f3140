"""Reading one file, live or archived: each line a whole record, whatever has become of the file."""

from __future__ import annotations

import io
import os
import sys
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import IO

from ... import jsontext
from . import arrays, layout
from .packed import Unpacked

NOWHERE = -1

_MOST_OPEN = 16
_BLOCK = 1024 * 1024  # with Python's default buffer of 8 KB, lines of 6 KB take five times as long
_START, _ENDS = b'{"', (b"},\n", b"}\n")
_WHOLE = (*_ENDS, b"},", b"}")
_IN_MEMORY = 16 * 1024 * 1024
_WAIT = 2.0


class Shelf:
    """Closes files that were read before others: a day may have more archives than a process may open files."""

    def __init__(self) -> None:
        self._open: deque[Lines] = deque()

    def take(self, lines: Lines) -> None:
        """Take one that has been opened."""
        self._open.append(lines)
        if len(self._open) > _MOST_OPEN:
            self._open.popleft().close()


class Lines:
    """The lines of one file that are records, with the comma and the line break that may follow each.

    A live file is open from the first moment: it can be read also when it is moved to the archive meanwhile. Of those
    in the archive, which don't grow, a `Shelf` has only a few open. What can't be read is skipped and counted in
    `damaged`.
    """

    def __init__(self, base_dir: Path, path: Path, shelf: Shelf | None = None) -> None:
        self.path = path
        self.is_packed = path.suffix == ".gz"
        self.damaged = 0
        self.end = 0
        """Where the line that was given last ends, `NOWHERE` if reading can't go on from there."""
        self._lock = base_dir / layout.lock_file()
        self._unpacked: Unpacked | None = None
        self._shelf = shelf
        self._opened = self._open(path) if shelf is None else None
        self._state = path.stat() if shelf is not None else None

    def close(self) -> None:
        """Close the file; one of the archive is opened again when it is read."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def state(self) -> os.stat_result:
        """Give the state of the file, wherever it has been moved."""
        return self._state or os.fstat(self._file.fileno())

    def forwards(self, start: int = 0) -> Iterator[bytes]:
        """Give the lines as they stand in the file, from `start`, an offset that was an `end`."""
        self.damaged, self.end = 0, start
        if start or self._is_by_line():
            start = yield from self._until_lost(start)
        if start != NOWHERE:
            yield from self._salvaged(start)
        if self._unpacked is not None and self._unpacked.is_torn:
            self.damaged = max(self.damaged, 1)

    def forwards_to(self, end: int) -> Iterator[bytes]:
        """Give the lines before an offset that was an `end`."""
        return takewhile(lambda line: self._file.tell() - len(line) < end, self.forwards())

    def backwards(self) -> Iterator[bytes]:
        """Give the lines, the last one first, reading no more of a live file than is asked for."""
        seen = doubt = self.damaged = 0
        if not self._is_by_line():
            yield from reversed(list(self.forwards()))
            return
        with self._seekable() as file:
            for number, line in enumerate(arrays.backwards(file, *self._tail(file))):
                # as `_is_whole` says, which would take a tenth of the time that it takes to read the line
                if line.startswith(_START) and line.endswith(_WHOLE) and (number or arrays.record(line) is not None):
                    if doubt:
                        self.damaged, doubt = self.damaged + doubt, 0
                    seen += 1
                    yield line
                elif arrays.is_frame(line):
                    continue
                elif not doubt:
                    doubt = 1
                else:  # written by someone else, who does not write by line
                    whole = list(self.forwards())
                    yield from reversed(whole[: len(whole) - seen])
                    return
        self.damaged += doubt

    def piece(self, start: int, stop: int) -> bytes:
        """Give what stands between two offsets."""
        self._seek(start)
        return self._file.read(stop - start)

    @property
    def _file(self) -> IO[bytes]:
        if self._opened is None:
            self._opened = self._open_archived()
            if self._shelf is not None:
                self._shelf.take(self)
        return self._opened

    def _open_archived(self) -> IO[bytes]:
        for path in (self.path, layout.packed(self.path)):  # it may have been compressed meanwhile
            with suppress(FileNotFoundError):
                return self._open(path)
        return io.BytesIO()  # or deleted

    def _open(self, path: Path) -> IO[bytes]:
        self.is_packed = path.suffix == ".gz"
        self._unpacked = Unpacked(path) if self.is_packed else None
        return io.BufferedReader(self._unpacked or path.open("rb", buffering=0), _BLOCK)

    def _is_by_line(self) -> bool:
        """Say whether each record has a line for itself, as we write them, judging by the first."""
        self._seek(0)
        first = next((line for line in self._file if not arrays.is_frame(line)), None)
        return first is None or (_is_whole(first.rstrip()) and arrays.record(first) is not None)

    def _until_lost(self, start: int) -> Generator[bytes, None, int]:
        """Give lines as long as that can be done; gives where something begins that is none, else `NOWHERE`."""
        looked = NOWHERE
        while (doubt := (yield from self._until_doubt(start))) != looked:
            looked = start = doubt
            if doubt == NOWHERE:
                break
            self._wait()  # it may only be being written: then it is a line a moment later
        return doubt

    def _until_doubt(self, start: int) -> Generator[bytes, None, int]:
        size, last = self._seek(start), b""
        for line in self._file:
            # What ends in a line break is no torn line, so there is no need to read it to know.
            if line.startswith(_START) and line.endswith(_ENDS):
                last = line
                yield line
                continue
            position = self._file.tell()
            self._note_end(last, position - len(line))
            last = b""
            if line.startswith(b"]") and position >= size:
                return NOWHERE  # what follows has been appended since
            if not arrays.is_frame(line):
                return position - len(line)
        self._note_end(last, self._file.tell())
        return NOWHERE

    def _note_end(self, line: bytes, after: int) -> None:
        if line:
            self.end = after - (2 if line.endswith(b",\n") else 1)

    def _salvaged(self, start: int) -> Iterator[bytes]:
        """Give what can be read from a place on where no line begins that is a record."""
        with self._quiet():
            self._seek(start)
            rest = (arrays.OPEN if start else b"") + self._file.read()
        found, damaged = arrays.records(rest)
        self.damaged += damaged
        self.end = NOWHERE if found else self.end
        yield from map(jsontext.dumps, found)

    def _tail(self, file: IO[bytes]) -> tuple[int, bytes]:
        found = _last_block(file)
        if not arrays.is_closed(found[1]):
            with self._quiet():
                found = _last_block(file)
        return found

    def _wait(self) -> None:
        with self._quiet():
            return

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Keep writers out, if there are any and that can be had."""
        from .lock import is_held_here, locked  # a command that only reads has no time for what it imports

        with ExitStack() as stack:
            if self._lock.exists() and not self.is_packed and not is_held_here():
                with suppress(OSError):
                    stack.enter_context(locked(self._lock, _WAIT))
            yield

    def _seek(self, position: int) -> int:
        """Go to a position, with nothing read before in mind; gives how large the file is at this moment."""
        file = self._file
        size = sys.maxsize if self.is_packed else file.seek(0, os.SEEK_END)
        file.seek(position)
        return size

    @contextmanager
    def _seekable(self) -> Iterator[IO[bytes]]:
        if not self.is_packed:
            yield self._file
            return
        import shutil
        import tempfile

        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as unpacked:
            self._seek(0)
            shutil.copyfileobj(self._file, unpacked, _BLOCK)
            yield unpacked


def _is_whole(line: bytes) -> bool:
    return line.startswith(_START) and line.endswith(_WHOLE)


def _last_block(file: IO[bytes]) -> tuple[int, bytes]:
    position = max(0, file.seek(0, os.SEEK_END) - _BLOCK)
    file.seek(position)
    return position, file.read()
