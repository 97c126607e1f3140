"""The OpenAI client alone: a call, a streamed chunk, a call that is not to be recorded."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from contenders import SPANTAPE, Contender, Switch, by_instrumentor, logfire
from suite import Calls, Case, Suite


def official(exporter: Any) -> Switch:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    return by_instrumentor(OpenAIInstrumentor(), exporter)


def openinference(exporter: Any) -> Switch:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    return by_instrumentor(OpenAIInstrumentor(), exporter)


def openllmetry(exporter: Any) -> Switch:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    return by_instrumentor(OpenAIInstrumentor(), exporter)


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
    },
    cases={"chat": Case("a call", 0.4), "stream": Case("a chunk", 0.2, chunked=True)},
    calls=calls,
    memory="short",
    repeated=100_000,
    imports=True,
)
