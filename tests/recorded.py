"""What a test sees of its own calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import spantape


class Recorded:
    """Instruments with a provider of the test's own; gives the spans that have ended and the records on disk."""

    def __init__(self, base_dir: Path, **settings: Any) -> None:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self.base_dir = base_dir
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        spantape.instrument(base_dir=base_dir, tracer_provider=self.provider, **settings)

    @property
    def spans(self) -> list[Any]:
        return list(self.exporter.get_finished_spans())

    @property
    def span(self) -> Any:
        assert len(self.spans) == 1, [span.name for span in self.spans]
        return self.spans[0]

    @property
    def attributes(self) -> dict[str, Any]:
        return dict(self.span.attributes)

    @property
    def records(self) -> list[dict[str, Any]]:
        assert spantape.flush()
        return spantape.recordings(self.base_dir).get_latest_interactions(1000)[::-1]

    @property
    def record(self) -> dict[str, Any]:
        assert len(self.records) == 1
        return self.records[0]
