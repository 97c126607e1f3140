"""`real_time/latest.json`: the calls that run now and those that finished last, of all processes, in one file."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from ... import jsontext
from ...interaction import Interaction
from ...jsontext import Json
from . import layout
from .writer import FileWriter

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

Record: TypeAlias = dict[str, Json]

_MOST_RUNNING = 500
_PREVIEW = 500
_LEFT_OUT = ("messages", "output_messages")


class Live:
    """Keeps `latest.json` up to date; the records in it are previews: texts shortened, message lists left out."""

    def __init__(self, writer: FileWriter, size: int) -> None:
        self._writer = writer
        self._size = size
        self._running: dict[int, ReadableSpan] = {}
        self._shown: dict[int, Record] = {}
        self._finished: deque[ReadableSpan] = deque(maxlen=size)
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
        if self._changed:
            self._changed = False
            with self._writer.locked():
                self._writer.replace(layout.latest_file(), [jsontext.dumps(record) for record in self._merged()])
        return bool(self._running) or self._changed

    def forget(self) -> None:
        """Start anew, in a forked child: what runs in the parent is the parent's."""
        self._running.clear()
        self._shown.clear()
        self._finished.clear()
        self._changed = False

    def _merged(self) -> list[Record]:
        here = [*self._just_finished(), *self._still_running()]
        records = {record["id"]: record for record in [*self._others(), *here]}
        ordered = sorted(records.values(), key=lambda record: str(record["timestamp"]))
        running = [record for record in ordered if record["metadata"]["stage"] == "started"]
        finished = [record for record in ordered if record["metadata"]["stage"] != "started"]
        return running[-_MOST_RUNNING:] + finished[-self._size :]

    def _just_finished(self) -> list[Record]:
        spans = [self._finished.popleft() for _ in range(len(self._finished))]
        return [_preview(span) for span in spans]

    def _still_running(self) -> list[Record]:
        running = self._running.copy()
        self._shown = {key: self._shown.get(key) or _preview(span) for key, span in running.items()}
        return [record for record in self._shown.values() if record["metadata"]["stage"] == "started"]

    def _others(self) -> list[Record]:
        """Give what is in the file but for the running calls of this process: those are known better here."""
        path = self._writer.base_dir / layout.latest_file()
        found = jsontext.loads_or(path.read_bytes()) if path.exists() else None
        return [record for record in found or () if _is_preview(record) and not _runs_here(record)]


def _is_preview(record: Json) -> bool:
    return isinstance(record, dict) and "id" in record and "stage" in (record.get("metadata") or ())


def _runs_here(record: Record) -> bool:
    return record["metadata"].get("stage") == "started" and record["metadata"].get("pid") == os.getpid()


def _preview(span: ReadableSpan) -> Record:
    record = Interaction.from_span(span).to_json()
    record |= dict.fromkeys(_LEFT_OUT) | {"metadata": {**record["metadata"], "pid": os.getpid()}}
    record["request"] = {key: value for key, value in record["request"].items() if isinstance(value, (str, int, float))}
    return {key: _short(value) for key, value in record.items()}


def _short(value: Json) -> Json:
    if isinstance(value, str) and len(value) > _PREVIEW:
        return value[:_PREVIEW] + "…"
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    return value
