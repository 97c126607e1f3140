"""A call that is not recorded costs next to nothing: nothing of it is read, and nothing is serialised."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from openai_acts import KINDS, Pair, plain, side_by_side
from openai_rows import ROWS, Row
from openai_wire import events, streamed, whole
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler

import spantape
from spantape import content, jsontext
from spantape.instrumentors import _tape
from spantape.instrumentors._endpoint import Endpoint
from spantape.instrumentors.openai import routes

RECORDED = [row for row in ROWS if routes.route("post", row.path) is not None]
CASES = [(row, stream) for row in RECORDED for stream in (False, True) if (row.chunks if stream else row.body)]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0].name}{' stream' * case[1]}")
def case(request: pytest.FixtureRequest) -> tuple[Row, bool]:
    return request.param


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with side_by_side(request.param) as pair:
        yield pair


class Work:
    """Counts, by name, how often we read or serialise something."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.done: Counter[str] = Counter()
        for name in ("dumps", "text", "loads"):
            patch.setattr(jsontext, name, self.counted(name, getattr(jsontext, name)))
        patch.setattr(_tape, "caller", self.counted("source", _tape.caller))
        patch.setattr(content.ContentPolicy, "keep", self.keeping(content.ContentPolicy.keep))
        for key, endpoint in routes.ENDPOINTS.items():
            patch.setitem(routes.ENDPOINTS, key, self.counting(endpoint))  # type: ignore[arg-type]
        routes.route.cache_clear()

    def counted(self, name: str, function: Any) -> Any:
        if function is None:
            return None

        def counting(*args: Any, **kwargs: Any) -> Any:
            self.done[name] += 1
            return function(*args, **kwargs)

        return counting

    def keeping(self, keep: Any) -> Any:
        def counting(policy: Any, attributes: Any, *key: str) -> Any:
            self.done["keep"] += 1
            self.done["keep of what was said"] += bool(content.CONTENT & attributes.keys())
            return keep(policy, attributes, *key)

        return counting

    def counting(self, endpoint: Endpoint) -> Endpoint:
        readers = {field.name: getattr(endpoint, field.name) for field in dataclasses.fields(endpoint)}
        counted = {name: self.counted(name, reader) for name, reader in readers.items() if callable(reader)}
        return dataclasses.replace(endpoint, **counted)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    yield Work(monkeypatch)
    monkeypatch.undo()
    routes.route.cache_clear()


class Sampled:
    """Instruments with a provider that samples as told, and takes the spans that were started at all."""

    def __init__(self, base_dir: Path, sampler: Sampler, *, files: bool, **settings: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        spantape.instrument(base_dir=base_dir, tracer_provider=self.provider, files=files, **settings)

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.exporter.get_finished_spans()]


def do(case: tuple[Row, bool], pair: Pair) -> None:
    row, stream = case
    if row.resource_of(pair.ours) is None:
        pytest.skip(f"this version of openai has no {row.name}")
    pair.wire.answer = lambda request: streamed(events(row.chunks)) if stream else whole(row.body)
    if not pair.same(lambda client: plain(row, client, stream=stream)):
        pytest.skip(f"this version of openai can't stream {row.name}")


def unsampled_parent() -> Any:
    context = trace.SpanContext(trace_id=1, span_id=2, is_remote=True, trace_flags=trace.TraceFlags(0))
    return trace.use_span(trace.NonRecordingSpan(context))


LEFT_OUT: dict[str, tuple[Sampler, Callable[[], Any]]] = {
    "sampler off": (ALWAYS_OFF, nullcontext),
    "parent unsampled": (ParentBased(ALWAYS_ON), unsampled_parent),
}


@pytest.mark.parametrize("why", LEFT_OUT)
def test_an_unsampled_call_is_not_read(
    why: str, case: tuple[Row, bool], pair: Pair, work: Work, tmp_path: Path
) -> None:
    sampler, around = LEFT_OUT[why]
    sampled = Sampled(tmp_path / "records", sampler, files=False)
    with around():
        do(case, pair)
    # What a sampler decides by is all that is looked at.
    assert set(+work.done) <= {"keep"}
    assert work.done["keep"] <= 1
    assert sampled.names == []
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("files", [True, False])
def test_a_suppressed_call_is_none_of_our_business(
    files: bool, case: tuple[Row, bool], pair: Pair, work: Work, tmp_path: Path
) -> None:
    sampled = Sampled(tmp_path / "records", ALWAYS_ON, files=files)
    with suppress_instrumentation():
        do(case, pair)
    assert +work.done == {}
    assert sampled.names == []
    assert spantape.recordings(tmp_path / "records").get_latest_interactions() == []


def test_a_recorded_call_is_counted(case: tuple[Row, bool], pair: Pair, work: Work, tmp_path: Path) -> None:
    sampled = Sampled(tmp_path / "records", ALWAYS_ON, files=False)
    do(case, pair)
    assert len(sampled.names) == 1
    assert work.done.keys() >= {"keep", "keep of what was said", "dumps", "request", "asked", "response", "source"}


def test_an_unsampled_call_is_read_for_its_metrics_only(
    case: tuple[Row, bool], pair: Pair, work: Work, tmp_path: Path
) -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    sampled = Sampled(tmp_path / "records", ALWAYS_OFF, files=False, meter_provider=meters)
    do(case, pair)
    assert reader.get_metrics_data() is not None
    assert work.done["response"] == 1
    assert not (+work.done).keys() & {"request", "asked", "answered", "source", "keep of what was said", "dumps"}
    assert sampled.names == []


def test_what_is_unsampled_stays_unsampled_below(pair: Pair, tmp_path: Path) -> None:
    """A span that the client's own HTTP library makes in the call follows the decision, too."""
    sampled = Sampled(tmp_path / "records", ParentBased(ALWAYS_ON), files=False)
    tracer = sampled.provider.get_tracer("http")

    def answer(request: Any) -> Any:
        with tracer.start_as_current_span("POST"):
            return whole(ROWS[0].body)

    pair.wire.answer = answer
    with unsampled_parent():
        pair.same(lambda client: plain(ROWS[0], client, stream=False))
    assert sampled.names == []
