"""`real_time/latest.json`: the calls that run now and those that finished last, of all processes, in one file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from ... import jsontext
from ...guard import guard
from ...interaction import Interaction
from ...jsontext import Json
from . import layout
from .arrays import Record
from .writer import FileWriter

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_MOST_RUNNING = 500
_PREVIEW = 500
_MOST_ITEMS = 50
_WAIT = 1.0
_LEFT_OUT = ("messages", "output_messages")


class Live:
    """Keeps `latest.json` up to date; the records in it are previews: texts shortened, message lists left out."""

    def __init__(self, writer: FileWriter, size: int) -> None:
        self._writer = writer
        self._size = size
        self._running: dict[int, ReadableSpan] = {}
        self._finished: deque[ReadableSpan] = deque(maxlen=size)
        self._ended: list[Record] = []
        self._shown: dict[int, tuple[int, Record]] = {}
        self._changed = False

    def started(self, span: ReadableSpan) -> None:
        """Take note of a call; its record is made when the file is next written, if it still runs then."""
        if len(self._running) < _MOST_RUNNING:
            self._running[span.context.span_id] = span
            self._changed = True

    def finished(self, span: ReadableSpan) -> None:
        """Take note of a call's end."""
        self._running.pop(span.context.span_id, None)
        self._finished.append(span)
        self._changed = True

    def publish(self) -> bool:
        """Write the file if anything has changed; give whether there may be more to write soon."""
        if self._changed or self._has_grown():
            self._changed = False
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
        self._ended.clear()
        self._shown.clear()
        self._changed = False

    def _has_grown(self) -> bool:
        """Say whether a call has got attributes since it was last shown: its prompt comes just after its start."""
        return any(_extent(span) != self._extent_shown(key) for key, span in self._running.copy().items())

    def _extent_shown(self, key: int) -> int:
        return self._shown[key][0] if key in self._shown else -1

    def _write(self) -> None:
        finished = [self._finished.popleft() for _ in range(len(self._finished))]
        self._ended = [*self._ended, *_previews(finished)][-self._size :]
        shown = dict(self._still_running())
        records = self._merged([*self._ended, *(record for _, record in shown.values())])
        self._writer.replace(layout.latest_file(), [jsontext.dumps(record) for record in records])
        self._ended, self._shown = [], shown  # only now: until it is written, it is still to be

    def _still_running(self) -> Iterator[tuple[int, tuple[int, Record]]]:
        for key, span in self._running.copy().items():
            extent = _extent(span)
            if extent == self._extent_shown(key):
                yield key, self._shown[key]
            else:
                for record in _previews([span]):
                    yield key, (extent, record)

    def _merged(self, here: list[Record]) -> list[Record]:
        records = {record["id"]: record for record in [*self._others(), *here]}
        ordered = sorted(records.values(), key=lambda record: str(record["timestamp"]))
        running = [record for record in ordered if _runs(record)]
        finished = [record for record in ordered if not _runs(record)]
        return running[-_MOST_RUNNING:] + finished[-self._size :]

    def _others(self) -> list[Record]:
        """Give what is in the file but for the running calls of ours: those are known better here."""
        path = self._writer.base_dir / layout.latest_file()
        found = jsontext.loads_or(path.read_bytes()) if path.exists() else None
        ours = {record["id"] for _, record in self._shown.values()}
        records = found if isinstance(found, list) else []
        return [record for record in records if _is_preview(record) and not (_runs(record) and record["id"] in ours)]


def _is_preview(record: Json) -> bool:
    if not isinstance(record, dict) or not isinstance(record.get("metadata"), dict):
        return False
    return isinstance(record.get("id"), str) and "timestamp" in record


def _runs(record: Record) -> bool:
    return bool(record["metadata"].get("stage") == "started")


def _extent(span: ReadableSpan) -> int:
    return len(span.attributes or ())


def _previews(spans: Iterable[ReadableSpan]) -> Iterator[Record]:
    for span in spans:
        # The call's own thread may be changing the attributes at this very moment: then it is for the next time.
        with guard, suppress(KeyError, RuntimeError):
            yield _preview(span)


def _preview(span: ReadableSpan) -> Record:
    record = Interaction.from_span(span).to_json()
    record |= dict.fromkeys(_LEFT_OUT) | {"metadata": {**record["metadata"], "pid": os.getpid()}}
    record["request"] = {key: value for key, value in record["request"].items() if isinstance(value, (str, int, float))}
    return {key: _short(value) for key, value in record.items()}


def _short(value: Json) -> Json:
    if isinstance(value, str) and len(value) > _PREVIEW:
        return value[:_PREVIEW] + "…"
    if isinstance(value, dict):
        return {key: _short(item) for key, item in list(value.items())[:_MOST_ITEMS]}
    if isinstance(value, (list, tuple)):
        return [_short(item) for item in value[:_MOST_ITEMS]]
    return value
