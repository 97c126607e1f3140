"""Sending in the background, so that a backend that is slow or gone costs the application nothing."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter

from ...guard import guard
from .._forks import follow

_MOST_WAITING = 2048
# What a gRPC server takes by default is 4 MB; it refuses a batch that is larger as a whole.
_MOST_BYTES = 3 * 1024 * 1024
_PATIENCE = 2.0


class Mark(threading.Event):
    """Stands in the queue behind what is to be sent; set when that was done."""


Item: TypeAlias = "ReadableSpan | Mark"


class Sender(SpanProcessor):
    """Hands ended, sampled spans to an exporter in batches, from a thread of its own.

    The SDK's batch processor lets a dead backend hold up a flush for as long as the exporter tries, and a shutdown for
    half a minute, in older versions for ever. Here a flush keeps to its time and a shutdown gives up after two seconds.
    `make` gives the exporter; in a forked child it gives another one, as no connection survives a fork.
    """

    _last: Mark | None = None
    _hurry = False

    def __init__(self, make: Callable[[], SpanExporter], size: int, interval: float) -> None:
        self._make, self._size, self._interval = make, size, interval
        self._begin()
        follow(self)

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span; what is too much for the backend is left out, the files have it all the same."""
        if self._last is not None or span.context is None or not span.context.trace_flags.sampled:
            return
        if self._queue.qsize() < _MOST_WAITING:
            self._queue.put(span)
        else:
            guard.warn_once("otlp full", "spantape leaves spans out of OTLP: %d wait to be sent", _MOST_WAITING)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what has ended so far; False when that took longer."""
        return self._last is None and self._sent(Mark(), timeout_millis / 1000)

    def shutdown(self) -> None:
        """Send what has ended, for two seconds at most, and end the thread."""
        if self._last is None:
            self._last = last = Mark()
            self._hurry = not self._sent(last, _PATIENCE)

    def after_fork_in_child(self) -> None:
        """Go on in a forked child; what was waiting is the parent's to send."""
        if self._last is None:
            self._begin()

    def _begin(self) -> None:
        # SimpleQueue, because its put() may interrupt itself: a finalizer can end a span at any moment.
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._exporter = self._make()
        threading.Thread(target=self._run, name="spantape-otlp", daemon=True).start()

    def _sent(self, mark: Mark, seconds: float) -> bool:
        self._queue.put(mark)
        return mark.wait(seconds)

    def _run(self) -> None:
        mark = None
        with suppress_instrumentation():  # the exporter's own requests are not to be traced
            while mark is None or mark is not self._last:
                batch, mark = self._gathered()
                with guard:
                    self._send(batch)
                if mark is not None:
                    mark.set()
        with guard:
            self._exporter.shutdown()

    def _gathered(self) -> tuple[list[ReadableSpan], Mark | None]:
        """Wait until a batch is full, or due, or asked for; then with the mark to set when it is sent."""
        batch: list[ReadableSpan] = []
        due = None
        while len(batch) < self._size:
            try:
                item = self._queue.get(timeout=None if due is None else max(0, due - time.monotonic()))
            except queue.Empty:
                break
            if isinstance(item, Mark):
                return batch, item
            batch.append(item)
            due = due or time.monotonic() + self._interval
        return batch, None

    def _send(self, batch: Sequence[ReadableSpan]) -> None:
        for spans in _parts(batch):
            if self._hurry:
                return
            try:
                self._exporter.export(spans)
            except OSError as error:  # what an older HTTP exporter lets through when nobody answers
                guard.warn_once("otlp", "spantape can't send spans over OTLP (%s)", error)


def _parts(batch: Sequence[ReadableSpan]) -> Iterator[Sequence[ReadableSpan]]:
    """Cut a batch where it would get too large to be taken."""
    part: list[ReadableSpan] = []
    size = 0
    for span in batch:
        weight = _weight(span)
        if part and size + weight > _MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(span)
        size += weight
    if part:
        yield part


def _weight(span: ReadableSpan) -> int:
    values = (span.attributes or {}).values()
    return sum(len(value.encode("utf-8", "replace")) if isinstance(value, str) else 64 for value in values)
