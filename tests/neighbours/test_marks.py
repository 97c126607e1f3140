"""What we see of the official packages on OpenTelemetry's context, and what they see of us."""

from __future__ import annotations

import sys
import timeit
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from programs import run
from spantape.instrumentors._neighbours import is_counted_elsewhere, is_suppressed, with_mark

KEY_NAME = "CLIENT_INFERENCE_CONTEXT_KEY"
KEY = "opentelemetry.genai.client.inference.context"


@pytest.fixture
def handler() -> Any:
    module = pytest.importorskip("opentelemetry.util.genai.handler")
    return module.TelemetryHandler(tracer_provider=TracerProvider(shutdown_on_exit=False))


def has_marks() -> bool:
    module = pytest.importorskip("opentelemetry.util.genai.invocation")
    return hasattr(module, KEY_NAME)


def test_nothing_is_loaded_that_the_application_has_not() -> None:
    run(
        """
        from opentelemetry.context import Context
        from spantape.instrumentors._neighbours import is_counted_elsewhere, with_mark
        here = Context({"mine": 1})
        assert not is_counted_elsewhere()
        assert with_mark(here) is here
        assert not [name for name in sys.modules if name.startswith("opentelemetry.util.genai")]
        """
    )


def test_it_is_cheap_where_there_is_no_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry.util.genai")]:
        monkeypatch.delitem(sys.modules, name)
    here = otel_context.get_current()
    nothing, *asks = (
        min(timeit.repeat(ask, number=1000, repeat=50))
        for ask in (lambda: None, is_counted_elsewhere, lambda: with_mark(here))
    )
    assert max(asks) < 10 * nothing


@pytest.mark.parametrize("kind", ["inference", "embedding", "fetch_response"])
def test_an_official_call_is_seen_while_it_runs(kind: str, handler: Any) -> None:
    begin = getattr(handler, kind, None)
    if begin is None:
        pytest.skip("this version does not have it")
    assert not is_counted_elsewhere()
    more = {"response_id": "resp_1"} if kind == "fetch_response" else {}
    with begin("openai", **more):
        assert is_counted_elsewhere()
    assert not is_counted_elsewhere()


def test_an_official_call_that_is_not_sampled_is_seen() -> None:
    module = pytest.importorskip("opentelemetry.util.genai.handler")
    handler = module.TelemetryHandler(tracer_provider=TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False))
    with handler.inference("openai"):
        assert is_counted_elsewhere() == has_marks()


def test_an_agent_is_no_call(handler: Any) -> None:
    with handler.invoke_local_agent():
        assert not is_counted_elsewhere()


def test_without_marks_the_span_tells(handler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As before 1.3b0."""
    from spantape.instrumentors import _neighbours

    monkeypatch.setattr(_neighbours, "_MARKS", ())
    provider = TracerProvider(shutdown_on_exit=False)
    for scope, operation, expected in [
        ("opentelemetry.instrumentation.genai.openai", "chat", True),
        ("opentelemetry.util.genai.handler", "embeddings", True),
        ("opentelemetry.instrumentation.genai.openai", "invoke_agent", False),
        ("opentelemetry.instrumentation.httpx", "chat", False),
    ]:
        tracer = provider.get_tracer(scope)
        with tracer.start_as_current_span("x", attributes={"gen_ai.operation.name": operation}):
            assert is_counted_elsewhere() == expected, (scope, operation)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def official_call(exporter: InMemorySpanExporter, context: Context) -> None:
    module = pytest.importorskip("opentelemetry.util.genai.handler")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    handler = module.TelemetryHandler(tracer_provider=provider)
    token = otel_context.attach(context)
    try:
        with handler.inference("openai", request_model="gpt-4o-mini"):
            pass
    finally:
        otel_context.detach(token)


def test_inside_our_mark_they_are_quiet(exporter: InMemorySpanExporter) -> None:
    if not has_marks():
        pytest.skip("this version takes no marks")
    official_call(exporter, Context())
    assert len(exporter.get_finished_spans()) == 1
    official_call(exporter, with_mark(Context()))
    assert len(exporter.get_finished_spans()) == 1


def test_our_mark_is_not_taken_for_theirs(handler: Any) -> None:
    token = otel_context.attach(with_mark(otel_context.get_current()))
    try:
        assert not is_counted_elsewhere()
    finally:
        otel_context.detach(token)


def test_their_mark_stays(handler: Any) -> None:
    with handler.inference("openai"):
        here = otel_context.get_current()
        assert (with_mark(here) is here) or not has_marks()


@pytest.mark.parametrize("names", [{}, {"InferenceData": 3, KEY_NAME: KEY}, {"InferenceData": dict}])
def test_a_version_that_has_none_is_no_obstacle(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from types import ModuleType

    module = ModuleType("invocation")
    vars(module).update(names)
    monkeypatch.setitem(sys.modules, "opentelemetry.util.genai.invocation", module)
    here = Context({"mine": 1})
    assert with_mark(here) is here


@pytest.mark.usefixtures("forgiving")
def test_a_version_whose_data_asks_for_more_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import ModuleType

    class InferenceData:
        def __init__(self, provider: str) -> None:
            self.provider = provider

    module = ModuleType("invocation")
    vars(module).update(InferenceData=InferenceData, CLIENT_INFERENCE_CONTEXT_KEY=KEY)
    monkeypatch.setitem(sys.modules, "opentelemetry.util.genai.invocation", module)
    here = Context({"mine": 1})
    assert with_mark(here) is here


class Client:
    """As Logfire marks a client's class."""

    _is_instrumented_by_logfire = True


@pytest.mark.parametrize(
    ("client", "scope", "expected"),
    [
        (Client(), "logfire.openai", False),
        (Client(), "application", True),
        (object(), "logfire.openai", True),
        (Client(), None, False),
    ],
)
def test_what_logfire_suppresses_in_its_own_calls_is_not_meant_for_us(
    client: object, scope: str | None, expected: bool
) -> None:
    sampler = ALWAYS_ON if scope else ALWAYS_OFF
    tracer = TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer(scope or "logfire.openai")
    with tracer.start_as_current_span("x"):
        assert not is_suppressed(client)
        with suppress_instrumentation():
            assert is_suppressed(client) == expected
