"""The OpenAI client alone: a call, a streamed chunk, a call that is not to be recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from contenders import SPANTAPE, Contender, Flush, Switch, by_instrumentor, logfire, provider_of, spans
from suite import Calls, Case, Suite

AT_START = frozenset({
    *("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "server.address", "server.port"),
})  # fmt: skip


def official(exporter: Any) -> Switch:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    return by_instrumentor(OpenAIInstrumentor(), exporter)


def openinference(exporter: Any) -> Switch:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    return by_instrumentor(OpenAIInstrumentor(), exporter)


def openllmetry(exporter: Any) -> Switch:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    return by_instrumentor(OpenAIInstrumentor(), exporter)


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
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter: Any = InMemorySpanExporter()
    with spans(exporter)(), ExitStack() as stack:
        calls(stack, chunks=3)["chat"]()
    return exporter.get_finished_spans()[0]


def calls(stack: ExitStack, chunks: int) -> Calls:
    import wire

    import openai

    client = stack.enter_context(openai.OpenAI(**wire.options(stack, chunks)))
    create: Any = client.chat.completions.create
    messages, message = wire.prompt(wire.MESSAGES), wire.prompt(1, 1)

    def chat() -> object:
        return create(model="gpt-4o-mini", messages=messages)

    def stream() -> object:
        return sum(1 for _ in create(model="gpt-4o-mini", messages=messages, stream=True, extra_headers=wire.STREAMED))

    def short() -> object:
        return create(model="gpt-4o-mini", messages=message)

    return {"chat": chat, "stream": stream, "short": short}


OPENAI = Suite(
    subject="the OpenAI client",
    packages=("openai",),
    distributions=("openai", "opentelemetry-sdk"),
    contenders={
        "official": Contender("official", "opentelemetry-instrumentation-genai-openai", "official", official),
        "openinference": Contender(
            "OpenInference", "openinference-instrumentation-openai", "openinference", openinference
        ),
        "openllmetry": Contender("OpenLLMetry", "opentelemetry-instrumentation-openai", "openllmetry", openllmetry),
        "logfire": Contender("Logfire", "logfire", "logfire", logfire),
        **SPANTAPE,
        "floor": Contender("one span of the SDK, its attributes made before", "opentelemetry-sdk", "spantape", floor),
    },
    cases={"chat": Case("a call", 0.4), "stream": Case("a chunk", 0.2, chunked=True)},
    calls=calls,
    memory="short",
    repeated=100_000,
    imports=True,
)
