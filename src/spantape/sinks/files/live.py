"""`real_time/latest.json`: the calls that run now and those that finished last, of all processes, in one file."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ... import jsontext
from ...amendment import Amendment
from ...guard import guard
from ...jsontext import Json
from ...record import record_of
from .._seal import is_sealed
from . import layout
from .arrays import Record
from .exporter import Ended
from .presence import Presence, lists, settle_within
from .seal import Change
from .writer import FileWriter

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

Shown: TypeAlias = "Callable[[ReadableSpan], ReadableSpan]"

_PACE = 0.25  # with the background's pulse of 0.2 s: what starts shows within half a second
_SETTLE_EVERY = 1.0
_MOST_RUNNING = 500
_PREVIEW = 500
_MOST_ITEMS = 50
_MOST_AMENDMENTS = 1000
_WAIT = 1.0
_SMALL = 4096
_LEFT_OUT = ("messages", "output_messages")


class Preview(NamedTuple):
    """A record as `latest.json` has it: texts shortened, message lists left out."""

    id: str
    timestamp: str
    runs: bool
    line: bytes


class Live:
    """Keeps `latest.json` up to date, rewriting it four times a second at most, and whenever it is told to."""

    _due: float

    def __init__(self, writer: FileWriter, size: int, shown: Shown, seal: Change) -> None:
        self._writer, self._shows, self._seal = writer, shown, seal
        self._path = writer.base_dir / layout.latest_file()
        self._size = size
        self._running: dict[int, ReadableSpan] = {}
        self._finished: deque[Ended] = deque(maxlen=size)
        self._amendments: deque[Amendment] = deque(maxlen=_MOST_AMENDMENTS)
        self._presence = Presence(writer)
        self._begin()

    def started(self, span: ReadableSpan) -> None:
        """Take note of a call; its record is made when the file is next written, if it still runs then."""
        if len(self._running) < _MOST_RUNNING:
            self._running[span.context.span_id] = span
            self._changed = True

    def ended(self, span: ReadableSpan) -> bool:
        """Show a call no more that has ended, and may be one that is not recorded; False if it was not shown."""
        if self._running.pop(span.context.span_id, None) is None:
            return False
        self._changed = True
        return True

    def finished(self, call: Ended) -> None:
        """Show a call that has ended and is recorded."""
        self._finished.append(call)
        self._changed = True

    def amended(self, amendment: Amendment) -> None:
        """Take note of what is learned of a call that has ended, in whatever process."""
        self._amendments.append(amendment)
        self._changed = True

    def publish(self, now: bool = True) -> bool:
        """Write the file if anything has changed, `now` or when it is time; give whether there may be more soon."""
        if (now or time.monotonic() >= self._due) and (self._changed or self._has_grown()):
            self._changed, self._due = False, time.monotonic() + _PACE
            try:
                with self._writer.locked(_WAIT):
                    self._write()
            except OSError as error:
                self._changed = True
                self._writer.excuse(error)
        return bool(self._running) or self._changed

    def forget(self) -> None:
        """Start anew, in a forked child: what runs in the parent is the parent's."""
        self._running.clear()
        self._finished.clear()
        self._amendments.clear()
        self._presence.forget()
        self._begin()

    def _begin(self) -> None:
        self._ended: list[Preview] = []
        self._shown: dict[int, tuple[int, Preview]] = {}
        self._known: dict[Path, tuple[object, list[Preview]]] = {}
        self._settled = 0.0
        self._changed = False
        self._due = 0.0

    def _has_grown(self) -> bool:
        """Say whether a call has got attributes since it was last shown: its prompt comes just after its start."""
        return any(_extent(span) != self._extent_shown(key) for key, span in self._running.copy().items())

    def _extent_shown(self, key: int) -> int:
        return self._shown[key][0] if key in self._shown else -1

    def _write(self) -> None:
        finished = [self._finished.popleft() for _ in range(len(self._finished))]
        ended = [preview for call in finished for preview in self._previews(call.record)]
        self._ended = [*self._ended, *ended][-self._size :]
        shown = dict(self._still_running())
        self._presence.tell([preview.line for _, preview in shown.values()])
        self._settle()
        amendments = self._amendments.copy()
        previews = self._merged([*self._others(), *self._ended, *(preview for _, preview in shown.values())])
        previews = [_amended(preview, amendments) for preview in previews] if amendments else previews
        self._writer.replace(layout.latest_file(), [preview.line for preview in previews])
        self._ended, self._shown = [], shown  # only now: until it is written, it is still to be
        for _ in amendments:
            self._amendments.popleft()
        self._known[self._path] = _stamp(self._path), previews

    def _settle(self) -> None:
        """Look for calls whose process died."""
        if time.monotonic() >= self._settled:
            settle_within(self._writer)
            self._settled = time.monotonic() + _SETTLE_EVERY

    def _still_running(self) -> Iterator[tuple[int, tuple[int, Preview]]]:
        for key, span in self._running.copy().items():
            extent = _extent(span)
            if extent == self._extent_shown(key):
                yield key, self._shown[key]
            else:
                for preview in self._previews(partial(self._made, span)):
                    yield key, (extent, preview)

    def _previews(self, record: Callable[[], Record]) -> Iterator[Preview]:
        # The call's own thread may be changing the attributes at this very moment: then it is for the next time.
        with guard, suppress(KeyError, RuntimeError):
            yield _shortened(record(), self._seal)

    def _made(self, span: ReadableSpan) -> Record:
        return record_of(self._shows(span), verbatim=True)

    def _merged(self, found: list[Preview]) -> list[Preview]:
        known = {preview.id: preview for preview in sorted(found, key=lambda preview: not preview.runs)}
        previews = sorted(known.values(), key=lambda preview: preview.timestamp)
        running = [preview for preview in previews if preview.runs]
        finished = [preview for preview in previews if not preview.runs]
        return running[-_MOST_RUNNING:] + finished[-self._size :]

    def _others(self) -> Iterator[Preview]:
        """Give what has finished, by this file, and what runs in other processes, by theirs."""
        ours = self._writer.base_dir / self._presence.calls
        known = {file: self._previews_in(file) for file in (self._path, *lists(self._writer.base_dir)) if file != ours}
        self._known = known
        for file, (_, previews) in known.items():
            yield from (preview for preview in previews if preview.runs == (file != self._path))

    def _previews_in(self, file: Path) -> tuple[object, list[Preview]]:
        """Read a file, unless it is as it was."""
        stamp = _stamp(file)
        if file in self._known and self._known[file][0] == stamp:
            return self._known[file]
        return stamp, list(_read(file.read_bytes())) if stamp else []


def _stamp(file: Path) -> object:
    """Give what changes whenever a file is replaced; None when there is none."""
    with suppress(FileNotFoundError):
        state = file.stat()
        return state.st_ino, state.st_mtime_ns, state.st_size
    return None


def _extent(span: ReadableSpan) -> int:
    return len(span.attributes or ())


def _read(data: bytes) -> Iterator[Preview]:
    records = jsontext.loads_or(data)
    for record in records if isinstance(records, list) else ():
        if _is_preview(record):
            yield _preview(record)


def _is_preview(record: Json) -> bool:
    if not isinstance(record, dict) or not isinstance(record.get("metadata"), dict):
        return False
    return isinstance(record.get("id"), str) and "timestamp" in record


def _preview(record: Record) -> Preview:
    runs = record["metadata"].get("stage") == "started"
    return Preview(record["id"], str(record["timestamp"]), runs, jsontext.dumps(record))


def _amended(preview: Preview, amendments: Iterable[Amendment]) -> Preview:
    mine = [amendment for amendment in amendments if amendment.id == preview.id and not preview.runs]
    if not mine:
        return preview
    record = jsontext.loads(preview.line)
    for amendment in mine:
        record = amendment.applied(record)
    return _preview({key: value if is_sealed(value) else _short(value) for key, value in record.items()})


def _shortened(record: Record, seal: Change) -> Preview:
    record = record | dict.fromkeys(_LEFT_OUT) | {key: _short(record[key]) for key in ("prompt", "response")}
    record["metadata"] = {**record["metadata"], "pid": os.getpid()}
    record["request"] = {key: value for key, value in record["request"].items() if isinstance(value, (str, int, float))}
    preview = _preview(seal(record))  # short enough in most cases: to look at each value takes several times as long
    if len(preview.line) <= _SMALL:
        return preview
    return _preview(seal({key: _short(value) for key, value in record.items()}))


def _short(value: Json) -> Json:
    if isinstance(value, str) and len(value) > _PREVIEW:
        return value[:_PREVIEW] + "…"
    if isinstance(value, dict):
        return {key: _short(item) for key, item in list(value.items())[:_MOST_ITEMS]}
    if isinstance(value, (list, tuple)):
        return [_short(item) for item in value[:_MOST_ITEMS]]
    return value
