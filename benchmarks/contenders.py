"""Who is measured: how each is switched on in a process of its own environment, with the same exporter.

Each function imports its package, makes one provider, and gives a switch: a context in which calls are watched, and
which hands over what waits for background work.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

AT_START = frozenset({
    *("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "server.address", "server.port"),
})  # fmt: skip
Flush = Callable[[], object]
Switch = Callable[[], AbstractContextManager[Flush]]


@dataclass(frozen=True)
class Contender:
    """One line of the table."""

    title: str
    distribution: str
    environment: str
    prepare: Callable[[Any], Switch]
    idle: bool = False  # it is there, but is to do nothing


def provider_of(exporter: Any, **settings: Any) -> Any:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider(**settings)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def by_instrumentor(instrumentor: Any, exporter: Any) -> Switch:
    """Switch a package that has OpenTelemetry's own `instrument()` and `uninstrument()`."""
    provider = provider_of(exporter)

    @contextlib.contextmanager
    def switch() -> Iterator[Flush]:
        instrumentor.instrument(tracer_provider=provider)
        try:
            yield provider.force_flush
        finally:
            instrumentor.uninstrument()

    return switch


def official(exporter: Any) -> Switch:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    return by_instrumentor(OpenAIInstrumentor(), exporter)


def openinference(exporter: Any) -> Switch:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    return by_instrumentor(OpenAIInstrumentor(), exporter)


def openllmetry(exporter: Any) -> Switch:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    return by_instrumentor(OpenAIInstrumentor(), exporter)


def logfire(exporter: Any) -> Switch:
    import logfire
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    logfire.configure(
        send_to_logfire=False,
        console=False,
        metrics=False,
        inspect_arguments=False,
        additional_span_processors=[SimpleSpanProcessor(exporter)],
    )

    @contextlib.contextmanager
    def switch() -> Iterator[Flush]:
        with logfire.instrument_openai():
            yield logfire.force_flush

    return switch


def spantape_with(provider: Any, **settings: Any) -> Switch:
    import spantape

    @contextlib.contextmanager
    def switch() -> Iterator[Flush]:
        with tempfile.TemporaryDirectory() as folder:
            spantape.instrument(base_dir=folder, tracer_provider=provider, **settings)
            try:
                yield spantape.flush
            finally:
                spantape.uninstrument()

    return switch


def spans(exporter: Any) -> Switch:
    return spantape_with(provider_of(exporter), files=False)


def recording(exporter: Any) -> Switch:
    return spantape_with(provider_of(exporter))


def floor(exporter: Any) -> Switch:
    """Open one span of the SDK around each request, with the attributes that spantape gives, made before."""
    import openai._base_client as base
    from opentelemetry.trace import SpanKind

    span, request = recorded(), base.SyncAPIClient.request
    start = {key: value for key, value in span.attributes.items() if key in AT_START}
    later = {key: value for key, value in span.attributes.items() if key not in AT_START}
    provider = provider_of(exporter)
    tracer = provider.get_tracer("floor")

    def around(client: Any, *args: Any, **kwargs: Any) -> Any:
        told = tracer.start_span(span.name, kind=SpanKind.CLIENT, attributes=start)
        try:
            return request(client, *args, **kwargs)
        finally:
            told.set_attributes(later)
            told.end()

    @contextlib.contextmanager
    def switch() -> Iterator[Flush]:
        base.SyncAPIClient.request = around
        try:
            yield provider.force_flush
        finally:
            base.SyncAPIClient.request = request

    return switch


def recorded() -> Any:
    """Give the span of one call of the benchmark, as spantape records it."""
    import wire
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter: Any = InMemorySpanExporter()
    with spans(exporter)(), wire.client(chunks=3) as client:
        messages: Any = wire.prompt(wire.MESSAGES, wire.MESSAGE_BYTES)
        client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    return exporter.get_finished_spans()[0]


def unsampled(exporter: Any) -> Switch:
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    return spantape_with(provider_of(exporter, sampler=ALWAYS_OFF), files=False)


def suppressed(exporter: Any) -> Switch:
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    watching = spans(exporter)

    @contextlib.contextmanager
    def switch() -> Iterator[Flush]:
        with watching() as flush, suppress_instrumentation():
            yield flush

    return switch


CONTENDERS = {
    "official": Contender("official", "opentelemetry-instrumentation-genai-openai", "official", official),
    "openinference": Contender("OpenInference", "openinference-instrumentation-openai", "openinference", openinference),
    "openllmetry": Contender("OpenLLMetry", "opentelemetry-instrumentation-openai", "openllmetry", openllmetry),
    "logfire": Contender("Logfire", "logfire", "logfire", logfire),
    "spantape": Contender("**spantape**, spans only", "spantape", "spantape", spans),
    "recording": Contender("**spantape**, recording to files", "spantape", "spantape", recording),
    "floor": Contender("one span of the SDK, its attributes made before", "opentelemetry-sdk", "spantape", floor),
    "unsampled": Contender("unsampled, recording off", "spantape", "spantape", unsampled, idle=True),
    "suppressed": Contender("`suppress_instrumentation`", "spantape", "spantape", suppressed, idle=True),
}
