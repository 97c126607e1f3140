"""Chains, graphs and models for tests, and their spans as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import create_react_agent

USAGE = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}


class Fake(BaseChatModel):
    """A model with no library beneath; says what it is told to, in turn, and raises what is an exception."""

    answers: Sequence[Any] = ("Hello",)
    turn: int = 0

    @property
    def _llm_type(self) -> str:
        return "fake"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "fake-1", "temperature": 0.5}

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=[{"type": "function", "function": {"name": one.name}} for one in tools], **kwargs)

    def _next(self) -> Any:
        answer = self.answers[self.turn % len(self.answers)]
        self.turn += 1
        if isinstance(answer, BaseException):
            raise answer
        said = {"content": answer} if isinstance(answer, str) else dict(answer)
        return {"usage_metadata": dict(USAGE), "response_metadata": {"finish_reason": "stop"}, **said}

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(**self._next()))])

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
        said = self._next()
        for piece in said["content"]:
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk
        calls = [
            {"name": call["name"], "args": str(call["args"]).replace("'", '"'), "id": call["id"], "index": place}
            for place, call in enumerate(said.get("tool_calls", ()))
        ]
        last = AIMessageChunk(content="", tool_call_chunks=calls, usage_metadata=said["usage_metadata"])
        yield ChatGenerationChunk(message=last, generation_info={"finish_reason": "stop"})


def chat(server: Any, **settings: Any) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(**{"model": "gpt-4o-mini", "base_url": server.url, "api_key": "k", "max_retries": 2, **settings})


def chain(model: Any) -> Any:
    prompt = ChatPromptTemplate.from_messages([("system", "Be {mood}."), ("user", "{question}")])
    return prompt | model | StrOutputParser()


ASKED = {"mood": "kind", "question": "Who?"}
CHAIN = """
invoke_workflow RunnableSequence
  prompt ChatPromptTemplate
  {model}
  parser StrOutputParser
"""


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


CALL = {"content": "", "tool_calls": [{"name": "add", "args": {"a": 1, "b": 2}, "id": "call_1", "type": "tool_call"}]}


def agent(model: Any, tools: Sequence[Any] = (add,), **settings: Any) -> Any:
    return create_react_agent(model, list(tools), **settings)


class State(TypedDict):
    messages: Annotated[list[Any], add_messages]


def graph(checkpointer: Any = None, **nodes: Any) -> Any:
    """Give a graph whose nodes run one after the other."""
    made = StateGraph(State)
    for name, node in nodes.items():
        made.add_node(name, node)
    names = [START, *nodes, END]
    for before, after in zip(names, names[1:], strict=False):
        made.add_edge(before, after)
    return made.compile(checkpointer=checkpointer)


def said(value: str) -> dict[str, Any]:
    return {"messages": [("ai", value)]}


def resumed() -> None:
    """Run a graph that asks a person, then go on with the answer."""
    types = pytest.importorskip("langgraph.types")
    if not hasattr(types, "interrupt"):
        pytest.skip("this langgraph can't")
    from langgraph.checkpoint.memory import MemorySaver

    made = graph(MemorySaver(), node=lambda state: said(types.interrupt("may I?")))
    config = {"configurable": {"thread_id": "t"}}
    made.invoke({"messages": [("user", "x")]}, config)
    made.invoke(types.Command(resume="yes"), config)


def tree(spans: Iterable[Any], *, hidden: Sequence[str] = ("chain ",)) -> str:
    """Give the names as an indented text; hidden ones are left out, and what is in them belongs to what is around."""
    ordered = sorted(spans, key=lambda span: span.start_time)
    known = {span.context.span_id: span for span in ordered}
    lines = [""]

    def show(parent: int | None, depth: int) -> None:
        for span in ordered:
            outer = span.parent.span_id if span.parent is not None and span.parent.span_id in known else None
            if outer == parent:
                shown = not span.name.startswith(tuple(hidden))
                lines.append(f"{'  ' * depth}{span.name}") if shown else None
                show(span.context.span_id, depth + shown)

    show(None, 0)
    return "\n".join([*lines, ""])


def named(spans: Iterable[Any], start: str) -> Any:
    found = [span for span in spans if span.name.startswith(start)]
    assert len(found) == 1, [span.name for span in spans]
    return found[0]


def one_trace(spans: Iterable[Any]) -> bool:
    return len({span.context.trace_id for span in spans}) == 1
