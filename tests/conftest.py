"""Every test starts unconfigured and uninstrumented, in an empty folder; failures of ours are raised."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spantape
from spantape.testing import ScriptedServer

OURS = ("SPANTAPE_", "LLM_", "OTEL_", "OPENAI_", "AZURE_")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(OURS) and not name.startswith("SPANTAPE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SPANTAPE_GUARD_RAISES", "1")
    here = tmp_path / "cwd"
    here.mkdir()
    monkeypatch.chdir(here)
    yield
    spantape.uninstrument()


@pytest.fixture
def forgiving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own failures are swallowed, as in production."""
    monkeypatch.delenv("SPANTAPE_GUARD_RAISES")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


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


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "records")
