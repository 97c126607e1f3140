"""An exporter that keeps what it is given, and spans for a sender."""

from __future__ import annotations

import threading
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from spantape.sinks._copies import whole
from spantape.sinks.otlp.delivery import Delivery
from spantape.sinks.otlp.sender import Sender

MOST = 4 * 1024 * 1024
PATIENCE = 120.0


class Exporter(SpanExporter):
    """Keeps what it is given; waits while `gate` is closed."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.gate, self.waiting, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.gate.set()

    def export(self, spans: Any) -> SpanExportResult:
        self.waiting.set()
        self.gate.wait(PATIENCE)
        self.batches.append(list(spans))
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.closed.set()

    @property
    def names(self) -> list[str]:
        return [span.name for batch in self.batches for span in batch]


def tracer_to(processor: Any) -> Any:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider.get_tracer("spantape")


def sender_to(exporter: SpanExporter, size: int = 100, interval: float = 3600, patience: float = 2.0) -> Sender:
    return Sender(lambda: Delivery(exporter, MOST, whole), size, interval, patience)
