"""The same chain, called in every way there is, gives the same tree; each model call is told once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from langchain_core.runnables import Runnable
from langchain_things import ASKED, CALL, CHAIN, Fake, agent, chain, chat, named, tree

from recorded import Recorded
from spantape.testing import ScriptedServer, completion, stream


async def drained(events: Any) -> list[Any]:
    return [event async for event in events]


async def events(made: Any, asked: Any) -> Any:
    return await drained(made.astream_events(asked, version="v2"))


async def events_3(made: Any, asked: Any) -> Any:
    found = made.astream_events(asked, version="v3")
    if asyncio.iscoroutine(found):
        found = await found
    return await drained(found)


WAYS: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "invoke": (1, lambda made, asked: made.invoke(asked)),
    "stream": (1, lambda made, asked: list(made.stream(asked))),
    "batch": (2, lambda made, asked: made.batch([asked, asked])),
    "batch_as_completed": (2, lambda made, asked: list(made.batch_as_completed([asked, asked]))),
    "ainvoke": (1, lambda made, asked: made.ainvoke(asked)),
    "astream": (1, lambda made, asked: drained(made.astream(asked))),
    "abatch": (2, lambda made, asked: made.abatch([asked, asked])),
    "astream_events": (1, events),
    "gather": (2, lambda made, asked: gathered(made, asked)),
    "a thread": (1, lambda made, asked: asyncio.to_thread(made.invoke, asked)),
}
NEWEST = hasattr(Runnable, "stream_events")
ONES = [way for way, (count, _) in WAYS.items() if count == 1]
EVENTS: dict[str, Callable[[Any, Any], Any]] = {
    "astream_events v3": events_3,
    "stream_events v3": lambda made, asked: list(made.stream_events(asked, version="v3")),
}
"""What only models and graphs have, and only the newest."""


async def gathered(made: Any, asked: Any) -> Any:
    return await asyncio.gather(made.ainvoke(asked), made.ainvoke(asked))


def run(way: str, made: Any, asked: Any) -> int:
    count, call = WAYS[way] if way in WAYS else (1, EVENTS[way])
    result = call(made, asked)
    if isinstance(result, Coroutine):
        asyncio.run(result)
    return count


@pytest.mark.parametrize("way", WAYS)
def test_a_chain(way: str, recorded: Recorded) -> None:
    count = run(way, chain(Fake()), ASKED)
    assert tree(recorded.spans) == CHAIN.format(model="chat fake-1") + CHAIN.format(model="chat fake-1")[1:] * (
        count - 1
    )
    for record in recorded.records:
        assert record["response"] == "Hello"
        assert record["usage"]["total_tokens"] == 12
    assert len(recorded.records) == count


@pytest.mark.parametrize("way", WAYS)
def test_a_chain_over_openai(way: str, server: ScriptedServer, recorded: Recorded) -> None:
    streams = "stream" in way
    server.replies(*[stream("Hello", usage=True) if streams else completion("Hello")] * 2)
    count = run(way, chain(chat(server, stream_usage=True)), ASKED)
    expected = CHAIN.format(model="chat gpt-4o-mini")
    assert tree(recorded.spans) == expected + expected[1:] * (count - 1)
    for record in recorded.records:
        assert record["response"] == "Hello"
        assert record["usage"]["input_tokens"] == 10
        assert record["server"] == {"address": "127.0.0.1", "port": int(server.url.split(":")[2].split("/")[0])}
        assert record["request_id"].startswith("req_")
        assert record["cost"]["total"] > 0
        assert (record["timing"]["time_to_first_chunk_ms"] is not None) == streams
    assert len(recorded.records) == count


AGENT = """
invoke_agent{name}
  node agent
    {model}
  node tools
    execute_tool add
  node agent
    {model}
"""


@pytest.mark.parametrize("way", [*ONES, *(EVENTS if NEWEST else ())])
def test_an_agent(way: str, recorded: Recorded) -> None:
    made = agent(Fake(answers=[CALL, "3"]))
    run(way, made, {"messages": [("user", "1 + 2?")]})
    assert tree(recorded.spans) == AGENT.format(name="", model="chat fake-1")
    root = named(recorded.spans, "invoke_agent").attributes
    assert root["gen_ai.usage.input_tokens"] == 14
    assert root["gen_ai.usage.output_tokens"] == 10
    assert len(recorded.records) == 2


@pytest.mark.parametrize("way", [*ONES, *(EVENTS if NEWEST else ())])
def test_an_agent_over_openai(way: str, server: ScriptedServer, recorded: Recorded) -> None:
    calls = [("add", {"a": 1, "b": 2})]
    streams = "events" in way
    server.replies(
        stream(tool_calls=calls, usage=True) if streams else completion(tool_calls=calls),
        stream("3", usage=True) if streams else completion("3"),
    )
    run(way, agent(chat(server, stream_usage=True)), {"messages": [("user", "1 + 2?")]})
    assert tree(recorded.spans) == AGENT.format(name="", model="chat gpt-4o-mini")
    root = named(recorded.spans, "invoke_agent").attributes
    assert root["gen_ai.usage.input_tokens"] == 20
    assert len(recorded.records) == 2


@pytest.mark.parametrize("way", [*ONES, *(EVENTS if NEWEST else ())])
@pytest.mark.parametrize("beneath", ["openai", "nothing"])
def test_a_model_alone(beneath: str, way: str, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(stream("Hello", usage=True) if "stream" in way else completion("Hello"))
    run(way, chat(server, stream_usage=True) if beneath == "openai" else Fake(), "Who?")
    assert recorded.span.name == ("chat gpt-4o-mini" if beneath == "openai" else "chat fake-1")
    assert recorded.record["prompt"] == "Who?"
    assert recorded.record["response"] == "Hello"
    assert recorded.record["usage"]["output_tokens"] > 0
    assert (recorded.record["timing"]["time_to_first_chunk_ms"] is not None) == ("stream" in way)
    assert recorded.record["finish_reasons"] == ["stop"]
