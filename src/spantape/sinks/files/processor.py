"""`FileSpanProcessor`: the live stage and buffered background writing around `FileSpanExporter`."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from ...amendment import Amendment, is_amendment
from ...guard import guard
from ...interaction import is_ours
from ...sampling import Sampling
from .._background import Background
from .._buffer import Buffer, Limits
from .exporter import Ended, FileSpanExporter, Item
from .live import Live
from .upkeep import Upkeep

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from ...settings import Settings


class Condition(NamedTuple):
    """How the recording of this process is doing."""

    queue_depth: int
    """Records that wait to be written."""
    buffered_bytes: int
    """What those weigh, about."""
    backpressure_count: int
    """How often a call found the buffer full, so that its own thread wrote."""
    write_errors: int
    """How often a file could not be written to; each is tried again."""
    last_error: str | None
    """Why the last write failed; None when it did not."""
    lost: int
    """Records that could not be written in the end."""
    last_flush: float | None
    """When all that had ended was written, in seconds since 1970."""
    oldest_unflushed_age: float | None
    """For how many seconds the oldest of what is unwritten has waited."""


class FileSpanProcessor(SpanProcessor):
    """Shows running calls in `real_time/latest.json` and writes ended ones in the background."""

    def __init__(self, exporter: FileSpanExporter, settings: Settings) -> None:
        self._exporter = exporter
        self._sampling = Sampling.of(settings)
        self._live = Live(exporter.writer, settings.latest_size, exporter.shown, exporter.seal)
        self._upkeep = Upkeep(exporter.writer, settings)
        limits = Limits(settings.buffer_size, settings.buffer_bytes)
        self._background: Background[Item] = Background(
            self._write,
            Buffer(limits, lambda item: item.weight()),
            settings.flush_interval,
            pulse=self._live.publish,
            forget=self._live.forget,
        )
        self._keep = self._at_once if settings.durable else self._background.put

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - OTel's
        """Take note of a call that begins."""
        with guard:
            if is_ours(span):
                self._live.started(span)
                self._background.stir()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a call that has ended, or what is learned of one later."""
        with guard:
            if self._live.ended(span) or is_ours(span):
                self._ended(span, self._sampling.rate_of(span))
            elif is_amendment(span):
                amendment = Amendment.from_span(span)
                self._live.amended(amendment)
                self._keep(amendment)

    def _ended(self, span: ReadableSpan, rate: float | None) -> None:
        if rate is not None:
            call = Ended(self._exporter.shown(span), rate)
            self._live.finished(call)
            self._keep(call)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Write all that is buffered and bring the live view up to date."""
        deadline = time.monotonic() + timeout_millis / 1000
        written = self._background.flush(timeout_millis / 1000)
        left = deadline - time.monotonic()
        if left > 0:
            self._background.beat(left)
        return written

    def shutdown(self) -> None:
        """Write all that is buffered and end the thread."""
        written = self._background.close()
        self._background.beat()
        if not written:
            self._exporter.give_up()

    @property
    def lost(self) -> int:
        """How many records could not be written in the end."""
        return self._background.lost + self._exporter.lost

    def condition(self) -> Condition:
        """Tell how the recording is doing."""
        buffer, writer = self._background.buffer, self._exporter.writer
        waiting = [moment for moment in (buffer.oldest, writer.since) if moment is not None]
        return Condition(
            queue_depth=len(buffer) + len(writer),
            buffered_bytes=buffer.bytes + writer.weight,
            backpressure_count=self._background.backpressure,
            write_errors=writer.errors,
            last_error=writer.last_error,
            lost=self.lost,
            last_flush=self._background.last_flush,
            oldest_unflushed_age=max(0.0, time.monotonic() - min(waiting)) if waiting else None,
        )

    def _write(self, items: deque[Item], timeout: float) -> bool:
        some = bool(items)
        written = self._exporter.write(items, timeout)
        if some and written:
            self._upkeep.look()
        return written

    def _at_once(self, item: Item) -> None:
        self._background.put(item)
        self._background.flush()
