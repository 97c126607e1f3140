"""Sending in the background, so that a backend that is slow or gone costs the application nothing."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from ...guard import guard
from .._forks import follow
from .delivery import Delivery
from .quiet import cannot_send

_MOST_WAITING = 2048
_MOST_CHARACTERS = 64 * 1024 * 1024


class Mark(threading.Event):
    """Stands in the queue behind what is to be sent; set when that was done."""


Item: TypeAlias = "ReadableSpan | Mark"


class Sender(SpanProcessor):
    """Hands ended, sampled spans to a delivery in batches, from a thread of its own.

    The SDK's batch processor lets a dead backend hold up a flush for as long as the exporter tries, and a shutdown for
    half a minute, in older versions for ever. Here a flush keeps to its time and a shutdown gives up after `patience`
    seconds. `make` gives the delivery; in a forked child it gives another one, as no connection survives a fork.
    """

    _last: Mark | None = None
    _hurry = False

    def __init__(self, make: Callable[[], Delivery], size: int, interval: float, patience: float) -> None:
        self._make, self._size, self._interval, self._patience = make, size, interval, patience
        self._begin()
        follow(self)

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span; what is too much for the backend is left out, the files have it all the same."""
        if self._last is not None or span.context is None or not span.context.trace_flags.sampled:
            return
        if self._queue.qsize() >= _MOST_WAITING or self._characters >= _MOST_CHARACTERS:
            cannot_send(f"{self._queue.qsize()} wait already, so further ones are left out")
            return
        self._characters += _characters(span)
        self._queue.put(span)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what has ended so far; False when that took longer."""
        return self._last is None and self._sent(Mark(), timeout_millis / 1000)

    def shutdown(self) -> None:
        """Send what has ended, as long as there is patience, and end the thread."""
        if self._last is None:
            self._last = last = Mark()
            self._hurry = not self._sent(last, self._patience)
            if self._hurry:
                cannot_send(f"not all were taken within the {self._patience:g} s of otlp_shutdown_timeout")

    def after_fork_in_child(self) -> None:
        """Go on in a forked child; what was waiting is the parent's to send."""
        self._delivery.quiet.leave()  # the thread that entered it is the parent's
        if self._last is None:
            self._begin()

    def _begin(self) -> None:
        # SimpleQueue, because its put() may interrupt itself: a finalizer can end a span at any moment.
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._characters = 0
        self._delivery = self._make()
        threading.Thread(target=self._run, name="spantape-otlp", daemon=True).start()

    def _sent(self, mark: Mark, seconds: float) -> bool:
        self._queue.put(mark)
        return mark.wait(seconds)

    def _run(self) -> None:
        mark, delivery = None, self._delivery
        with suppress_instrumentation(), delivery.quiet:  # the exporter's own requests are not to be traced
            while mark is None or mark is not self._last:
                batch, mark = self._gathered()
                with guard:
                    delivery.send(batch, lambda: not self._hurry)
                if mark is not None:
                    mark.set()
            with guard:
                delivery.shutdown()

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
            # Threads that count at the same moment may miss each other: an empty queue sets it right.
            self._characters = 0 if self._queue.empty() else self._characters - _characters(item)
            due = due or time.monotonic() + self._interval
        return batch, None


def _characters(span: ReadableSpan) -> int:
    return sum(len(value) for value in (span.attributes or {}).values() if isinstance(value, str))
