"""LangChain and LangGraph over the OpenAI client: a model, a chain of ten steps, a chunk, an agent with a tool."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any

from contenders import SPANTAPE, Contender, Flush, Switch, by_instrumentor, essential, provider_of, spans
from suite import Calls, Case, Suite

STEPS = 10


def official(exporter: Any) -> Switch:
    from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor

    return by_instrumentor(LangChainInstrumentor(), exporter)


def openinference(exporter: Any) -> Switch:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    return by_instrumentor(LangChainInstrumentor(), exporter)


def openllmetry(exporter: Any) -> Switch:
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    return by_instrumentor(LangchainInstrumentor(), exporter)


def floor(exporter: Any) -> Switch:
    """Answer each callback of a start or an end with a span of the SDK, with the attributes that spantape gives to such
    a run, made before.
    """
    from langchain_core.tracers.context import register_configure_hook

    provider = provider_of(exporter)
    handler = answering(provider.get_tracer("floor"), recorded())
    hook: ContextVar[Any] = ContextVar("floor", default=handler)

    @contextlib.contextmanager
    def switch() -> Iterator[Flush]:
        register_configure_hook(hook, inheritable=True)
        yield provider.force_flush

    return switch


def answering(tracer: Any, made: Mapping[str, Any]) -> Any:
    """Give the handler that starts and ends spans, each like the one of its kind that was made before."""
    from langchain_core.callbacks import BaseCallbackHandler
    from opentelemetry import trace

    class Floor(BaseCallbackHandler):
        run_inline = True

        def __init__(self) -> None:
            self.running: dict[Any, Any] = {}

        def begin(self, kind: str, run_id: Any, parent_run_id: Any) -> None:
            around, span = self.running.get(parent_run_id), made[kind]
            context = trace.set_span_in_context(around) if around is not None else None
            self.running[run_id] = tracer.start_span(span.name, context, span.kind)
            self.running[run_id].set_attributes(span.attributes)

        def on_chain_start(self, *_: Any, run_id: Any, parent_run_id: Any = None, **__: Any) -> None:
            self.begin("step" if parent_run_id else "invoke_agent", run_id, parent_run_id)

        def on_chat_model_start(self, *_: Any, run_id: Any, parent_run_id: Any = None, **__: Any) -> None:
            self.begin("chat", run_id, parent_run_id)

        def on_tool_start(self, *_: Any, run_id: Any, parent_run_id: Any = None, **__: Any) -> None:
            self.begin("execute_tool", run_id, parent_run_id)

        def on_chain_end(self, _: Any, *, run_id: Any, **__: Any) -> None:
            self.running.pop(run_id).end()

        on_llm_end = on_tool_end = on_chain_end

    return Floor()


def recorded() -> dict[str, Any]:
    """Give spans as spantape records them, each by what it is of: those of an agent, and of the model alone."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter: Any = InMemorySpanExporter()
    with spans(exporter)(), ExitStack() as stack:
        made = calls(stack, chunks=3)
        made["agent"]()
        made["invoke"]()
    return {one.attributes.get("gen_ai.operation.name", "step"): one for one in exporter.get_finished_spans()}


def calls(stack: ExitStack, chunks: int) -> Calls:
    import wire
    from langchain_core.messages import convert_to_messages
    from langchain_openai import ChatOpenAI

    def model(**more: Any) -> Any:
        return ChatOpenAI(model="gpt-4o-mini", **wire.options(stack, chunks), **more)

    plain, streamed = model(), model(default_headers=wire.STREAMED)
    many, few = convert_to_messages(wire.prompt(wire.MESSAGES)), convert_to_messages(wire.prompt(2))
    chain, agent = chain_of(plain), agent_of(model(default_headers=wire.TOOLED))
    return {
        "invoke": lambda: plain.invoke(many),
        "chain": lambda: chain.invoke(few),
        "stream": lambda: sum(1 for _ in streamed.stream(many)),
        "agent": lambda: agent.invoke({"messages": few}),
    }


def chain_of(model: Any) -> Any:
    """Give a chain of ten steps, with the model in the middle."""
    from langchain_core.runnables import RunnableLambda, RunnableSequence

    def step(number: int) -> Any:
        return RunnableLambda(lambda value: value, name=f"step {number}")

    return RunnableSequence(*map(step, range(1, 5)), model, *map(step, range(6, STEPS + 1)))


def agent_of(model: Any) -> Any:
    """Give an agent of LangGraph: the model asks for its tool, and answers with what that gives."""
    from langchain_core.tools import tool

    try:
        from langchain.agents import create_agent as create
    except ImportError:  # before LangChain 1.0
        from langgraph.prebuilt import create_react_agent as create

    @tool
    def get_weather(city: str) -> str:
        """Tell the weather in a city."""
        return f"Sunny in {city}."

    return create(model, [get_weather])


LANGCHAIN = Suite(
    subject="LangChain",
    packages=("openai", "langchain_core", "langchain_openai", "langchain", "langgraph"),
    distributions=("langchain-core", "langchain-openai", "langgraph", "openai", "opentelemetry-sdk"),
    contenders={
        "official": Contender("official", "opentelemetry-instrumentation-genai-langchain", "official", official),
        "openinference": Contender(
            "OpenInference", "openinference-instrumentation-langchain", "openinference", openinference
        ),
        "openllmetry": Contender("OpenLLMetry", "opentelemetry-instrumentation-langchain", "openllmetry", openllmetry),
        "spantape": SPANTAPE["spantape"],
        "essential": Contender("**spantape**, essential spans only", "spantape", "spantape", essential),
        "recording": SPANTAPE["recording"],
        "floor": Contender("spans of the SDK, their attributes made before", "opentelemetry-sdk", "spantape", floor),
    },
    cases={
        "invoke": Case("a model's call", 0.5),
        "chain": Case("a chain of ten steps", 0.5, turn="Turn 1"),
        "stream": Case("a chunk", 0.5, chunked=True),
        "agent": Case("an agent with a tool", 0.5, turn="Turn 1"),
    },
    calls=calls,
    memory="agent",
    repeated=20_000,
)
