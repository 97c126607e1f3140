"""`FileSpanProcessor`: the live stage and buffered background writing around `FileSpanExporter`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from ...amendment import Amendment, is_amendment
from ...guard import guard
from ...interaction import is_ours
from ...sampling import Sampling
from .._background import Background
from .exporter import Ended, FileSpanExporter, Item
from .live import Live

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from ...settings import Settings


class FileSpanProcessor(SpanProcessor):
    """Shows running calls in `real_time/latest.json` and writes ended ones in the background."""

    def __init__(self, exporter: FileSpanExporter, settings: Settings) -> None:
        self._exporter = exporter
        self._sampling = Sampling.of(settings)
        self._live = Live(exporter.writer, settings.latest_size, exporter.shown)
        self._background: Background[Item] = Background(
            exporter.write,
            size=settings.buffer_size,
            interval=settings.flush_interval,
            pulse=self._live.publish,
            forget=self._live.forget,
        )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - OTel's
        """Take note of a call that begins."""
        with guard:
            if is_ours(span):
                self._live.started(span)
                self._background.stir()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a call that has ended, or what is learned of one later."""
        with guard:
            if is_ours(span):
                self._ended(span, self._sampling.rate_of(span))
            elif is_amendment(span):
                self._background.put(Amendment.from_span(span))

    def _ended(self, span: ReadableSpan, rate: float | None) -> None:
        if rate is None:
            self._live.gone(span.context.span_id)
            return
        call = Ended(self._exporter.shown(span), rate)
        self._live.finished(span.context.span_id, call)
        self._background.put(call)

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
            self._exporter.writer.give_up()

    @property
    def lost(self) -> int:
        """How many records could not be written in the end."""
        return self._background.lost + self._exporter.lost
