"""LangChain and LangGraph over the OpenAI client: a model, a chain of ten steps, a chunk, an agent with a tool."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from contenders import SPANTAPE, Contender, Switch, by_instrumentor, essential
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
