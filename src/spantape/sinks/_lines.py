"""Lines at the end of files that several processes write; and the way there for spans that have ended."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from ..guard import guard
from ._background import Background
from ._buffer import Buffer, Limits, held_by
from .files import disk
from .files.lock import locked

if TYPE_CHECKING:
    from ..settings import Settings

Made: TypeAlias = "Iterable[tuple[Path, bytes]]"
"""Lines, without their ends, and the files that they belong in."""

_WAIT = 10.0
_MOST = 1000


class Lines:
    """Appends lines, whatever other threads and processes do. Folders are made with mode 0700, files with 0600.

    A file that would grow beyond `most` bytes becomes `<name>.1`, that one `<name>.2`, and so on up to `backups`.
    """

    def __init__(self, most: int | None = None, backups: int = 0) -> None:
        self._most, self._backups = most, backups

    def append(self, path: Path, lines: Sequence[bytes]) -> None:
        """Append lines; raises `OSError`."""
        with alone(path.with_name(f".{path.name}.lock")):
            data = b"".join(line + b"\n" for line in lines)
            if self._most is not None and path.exists() and path.stat().st_size + len(data) > self._most:
                self._rotate(path)
            _write(path, data)

    def _rotate(self, path: Path) -> None:
        names = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, self._backups + 1))]
        for older, newer in zip(reversed(names), [*reversed(names[:-1])], strict=False):
            if newer.exists():
                newer.replace(older)
        path.unlink(missing_ok=True)


class LineProcessor(SpanProcessor):
    """Appends what is made of ended spans, in the background; what can't be written is tried again."""

    def __init__(self, make: Callable[[Sequence[ReadableSpan]], Made], lines: Lines, settings: Settings) -> None:
        self._make, self._lines, self._most_bytes = make, lines, settings.buffer_bytes
        self._waiting: deque[tuple[Path, bytes]] = deque()
        self._lost = 0
        self._background: Background[ReadableSpan] = Background(
            self._write,
            Buffer(Limits(settings.buffer_size, settings.buffer_bytes), lambda span: held_by(span.attributes)),
            settings.flush_interval,
            pulse=lambda _: False,
            forget=self._forget,
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        with guard:
            self._background.put(span)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Write what is buffered."""
        return self._background.flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Write what is buffered and end the thread."""
        if not self._background.close():
            self._lose(len(self._waiting))

    @property
    def lost(self) -> int:
        """How many lines could not be written in the end."""
        return self._background.lost + self._lost

    def _forget(self) -> None:
        """Have nothing to write, in a forked child: what waits is the parent's."""
        self._waiting = deque()

    def _write(self, spans: Sequence[ReadableSpan], _: float) -> bool:
        with guard:
            self._waiting.extend(self._make(spans))
        files: dict[Path, list[bytes]] = {}
        for path, line in self._waiting:
            files.setdefault(path, []).append(line)
        written = all([self._is_appended(path, lines) for path, lines in files.items()])  # noqa: C419 - each is tried
        self._lose(len(self._waiting) - self._most())
        return written

    def _most(self) -> int:
        """Give how many of the newest may wait."""
        room = self._most_bytes
        for count, (_, line) in enumerate(reversed(self._waiting)):
            room -= len(line)
            if count == _MOST or room < 0:
                return count
        return _MOST

    def _lose(self, count: int) -> None:
        """Give up the oldest."""
        if count > 0:
            paths = sorted({str(self._waiting.popleft()[0]) for _ in range(count)})
            self._lost += count
            guard.warn_once("lost lines", "spantape lost %d lines that it could not write to %s", count, paths[0])

    def _is_appended(self, path: Path, lines: list[bytes]) -> bool:
        try:
            self._lines.append(path, lines)
        except OSError as error:
            guard.warn_once(str(path), "spantape can't write to %s (%s); it will try again", path, error)
            return False
        self._waiting = deque(one for one in self._waiting if one[0] != path)
        return True


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Keep out whoever else wants the lock that a file stands for; raises `OSError`."""
    if not lock.exists():
        disk.folder(lock.parent, lock.parent.parent)
        os.close(os.open(lock, os.O_CREAT | os.O_RDWR, 0o600))
    with locked(lock, _WAIT):
        yield


def _write(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    try:
        end = os.lseek(file, 0, os.SEEK_END)
        if end and _last_byte(file, end) != b"\n":  # someone died in the middle of a line: it stays alone
            data = b"\n" + data
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
        except OSError:
            os.ftruncate(file, end)  # a full disk: what is tried again must not be there twice
            raise
    finally:
        os.close(file)


def _last_byte(file: int, end: int) -> bytes:
    os.lseek(file, end - 1, os.SEEK_SET)
    return os.read(file, 1)
