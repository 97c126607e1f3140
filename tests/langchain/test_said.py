"""What went in and what came out, of a root, a graph, a tool: whatever it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from langchain_core import tools
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_things import CALL, Fake, agent, named, resumed
from langgraph.graph import StateGraph
from pydantic import BaseModel

from recorded import Recorded


def test_input_and_output_of_the_root(recorded: Recorded) -> None:
    agent(Fake(answers=[CALL, "3"])).invoke({"messages": [("user", "1+2?")]})
    found = named(recorded.spans, "invoke_agent").attributes
    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "1+2?"}]}
    ]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "3"}]
    tool = named(recorded.spans, "execute_tool").attributes
    assert json.loads(tool["gen_ai.tool.call.arguments"]) == {"a": 1, "b": 2}
    assert tool["gen_ai.tool.call.result"] == "3"
    assert tool["gen_ai.tool.description"].startswith("Add two numbers")
    assert tool["gen_ai.tool.call.id"] == "call_1"


@dataclass
class Told:
    messages: list[Any]


class Article(BaseModel):
    title: str
    content: str


class Frame:
    """As tables and responses are: asked whether it is anything, compared, or read, it does something."""

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Frame()"

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def __eq__(self, other: object) -> Any:
        return self

    @property
    def content(self) -> bytes:
        raise ValueError("read already")


@pytest.mark.parametrize("way", ["invoke", "stream"])
@pytest.mark.parametrize(
    ("value", "told"),
    [
        (False, "false"),
        (0, "0"),
        ("", None),
        (None, None),
        ([], None),
        (Article(title="t", content="c"), '{"title":"t","content":"c"}'),
        ([Article(title="t", content="c")], '[{"title":"t","content":"c"}]'),
        (Frame(), None),
        ({"input": Frame()}, '{"input":null}'),
        ({"input": "x"}, "x"),
        ({"messages": "x"}, "x"),
        ({"messages": Frame()}, '{"messages":null}'),
    ],
    ids=str,
)
def test_input_and_output_of_every_kind(value: Any, told: str | None, way: str, recorded: Recorded) -> None:
    made = RunnableLambda(lambda given: given)
    made.invoke(value) if way == "invoke" else list(made.stream(value))
    for name in "input", "output":
        found = recorded.attributes.get(f"gen_ai.{name}.messages")
        assert (found and json.loads(found)[0]["parts"][0]["content"]) == told


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"status": "error"}, '{"status":"error"}'),
        ({"type": "tool"}, '{"type":"tool"}'),
        ({"status": Frame()}, '{"status":null}'),
        (False, "false"),
    ],
    ids=str,
)
def test_a_tool_that_gives_what_looks_like_a_message(answer: Any, told: str, recorded: Recorded) -> None:
    @tools.tool
    def look() -> Any:
        """Look."""
        return answer

    look.invoke({})
    assert "error.type" not in recorded.attributes
    assert recorded.attributes["gen_ai.tool.call.result"] == told


def test_input_of_a_graph_whose_state_is_a_dataclass(recorded: Recorded) -> None:
    made = StateGraph(Told)
    made.add_node("node", lambda state: {"messages": state.messages})
    made.set_entry_point("node")
    made.set_finish_point("node")
    made.compile().invoke(Told([("user", "你好")]))  # type: ignore[arg-type]
    found = named(recorded.spans, "invoke_workflow").attributes
    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "你好"}]}
    ]


def test_input_of_a_run_that_goes_on_with_a_command(recorded: Recorded) -> None:
    resumed()
    first, second = [span.attributes for span in recorded.spans if span.name == "invoke_workflow LangGraph"]
    assert '"content":"x"' in first["gen_ai.input.messages"]
    (asked,) = json.loads(second["gen_ai.input.messages"])[0]["parts"]
    assert json.loads(asked["content"])["resume"] == "yes"


def test_a_tool_that_commands(recorded: Recorded) -> None:
    types = pytest.importorskip("langgraph.types")
    if not hasattr(types, "Command"):
        pytest.skip("this langgraph can't")

    @tools.tool
    def rename(name: str) -> Any:
        """Rename."""
        return types.Command(update={"name": name}, goto="end")

    rename.invoke({"name": "小明"})
    result = json.loads(recorded.attributes["gen_ai.tool.call.result"])
    assert (result["update"], result["goto"]) == ({"name": "小明"}, "end")


def test_a_tool_that_gives_what_json_has_no_word_for(recorded: Recorded) -> None:
    @tools.tool
    def look() -> Any:
        """Look."""
        given = {
            "on": date(2026, 1, 2),
            "price": Decimal("1.50"),
            "tags": {"a"},
            "told": Told(["x"]),
            "secret": object(),
        }
        return given | {"id": UUID(int=1)}

    look.invoke({})
    assert json.loads(recorded.attributes["gen_ai.tool.call.result"]) == {
        "on": "2026-01-02",
        "price": "1.50",
        "tags": ["a"],
        "told": {"messages": ["x"]},
        "secret": None,
        "id": "00000000-0000-0000-0000-000000000001",
    }


@pytest.mark.parametrize(("given", "told"), [('{"a": 1}', '{"a":1}'), ("plain", "plain")])
def test_a_tool_that_takes_text(given: str, told: str, recorded: Recorded) -> None:
    tools.Tool(name="old", func=lambda text: text, description="Old.").invoke(given)
    assert recorded.attributes["gen_ai.tool.call.arguments"] == told


def test_a_retriever(recorded: Recorded) -> None:
    class Found(BaseRetriever):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            return [Document(page_content="猫", metadata={"id": "1", "relevance_score": 0.5})]

    about = {"ls_vector_store_provider": "Chroma", "ls_embedding_model": "bge-m3"}
    Found(metadata=about).invoke("cats")
    found = recorded.attributes
    assert found["gen_ai.provider.name"] == "Chroma"
    assert found["gen_ai.request.model"] == "bge-m3"
    assert json.loads(found["gen_ai.retrieval.documents"]) == [
        {"id": "1", "score": 0.5, "content": "猫", "metadata": {"id": "1", "relevance_score": 0.5}}
    ]
