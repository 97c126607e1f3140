"""A call by hand around one that an instrumentor sees: one call is one record, told by who knows most of it."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda
from openai_ways import BODY, USAGE, async_client, sync_client
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import openai
import spantape
from recorded import Recorded
from spantape.testing import ScriptedServer, completion, error, stream

TOLD: dict[str, Any] = {"model": "gpt-4o-mini", "messages": "Hi"}


def test_one_call_is_one_record(recorded: Recorded, server: ScriptedServer) -> None:
    server.replies(completion("你好", id="chatcmpl-1", usage={"prompt_tokens": 100, "completion_tokens": 10}))
    with (
        spantape.session("5") as session,
        sync_client(server.url) as client,
        spantape.call(**TOLD, role_name="r") as call,
    ):
        answer = client.chat.completions.create(**BODY)
        call.finish(answer.choices[0].message.content)
    record = recorded.record
    assert (record["id"], recorded.span.name) == (call.id, "chat gpt-4o-mini")
    assert (record["role_name"], record["response"], record["response_id"]) == ("r", "你好", "chatcmpl-1")
    assert record["usage"]["total_tokens"] == 110
    assert record["cost"]["total"] == pytest.approx(100 * 0.15e-6 + 10 * 0.6e-6)
    assert (record["server"]["address"], record["retries"]) == ("127.0.0.1", 0)
    assert (session.summary["total_api_calls"], session.summary["total_tokens"]) == (1, 110)
    assert spantape.finalize(answer, message_id=3) == spantape.finalize("chatcmpl-1") == call.id
    assert recorded.record["message_id"] == 3


def test_async_and_streamed(recorded: Recorded, server: ScriptedServer) -> None:
    async def main() -> None:
        async with async_client(server.url) as client, spantape.call(**TOLD) as call:
            chunks = await client.chat.completions.create(**BODY, **USAGE)
            said = [chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices]
            call.finish("".join(said))

    asyncio.run(main())
    assert recorded.record["usage"]["total_tokens"]
    assert recorded.record["response"]
    assert len(recorded.spans) == 1


@pytest.mark.parametrize("how", ["completed", "abandoned", "at once"])
def test_a_stream_that_is_read_after_the_block(recorded: Recorded, server: ScriptedServer, how: str) -> None:
    def asked() -> Any:
        with spantape.call(**TOLD) as call:
            chunks = client.chat.completions.create(**BODY, **USAGE)
            if how == "at once":
                call.finish("told")
        return chunks

    with sync_client(server.url) as client:
        chunks = asked()
        gc.collect()
        assert bool(recorded.spans) == (how == "at once")
        if how != "abandoned":
            list(chunks)
        del chunks
        gc.collect()
    record = recorded.record
    assert len(recorded.spans) == 1
    assert (record["response"], bool(record["usage"])) == {
        "completed": ("You said: 你好 🎉 please", True),
        "abandoned": (None, False),
        "at once": ("told", False),
    }[how]


def test_a_stream_that_breaks_after_the_block(recorded: Recorded, server: ScriptedServer) -> None:
    server.replies(stream(["Hel", "lo"]).but(cut=True, done=False))
    with sync_client(server.url, max_retries=0) as client:
        with spantape.call(**TOLD):
            chunks = client.chat.completions.create(**BODY, stream=True)
        with pytest.raises(Exception) as raised:
            list(chunks)
    record = recorded.record
    assert (record["success"], record["response"], record["metadata"]["stream_end"]) == (False, "Hello", "error")
    assert record["error"]["type"].endswith(type(raised.value).__name__)


def test_another_call_in_the_block_is_another_record(recorded: Recorded, server: ScriptedServer) -> None:
    with sync_client(server.url) as client, spantape.call(**TOLD) as call:
        client.chat.completions.create(**BODY)
        client.chat.completions.create(**BODY)
    second, first = recorded.spans
    assert second.parent.span_id == first.context.span_id
    assert [record["id"] == call.id for record in recorded.records] == [True, False]


def test_what_comes_after_its_end_is_a_call_of_its_own(recorded: Recorded, server: ScriptedServer) -> None:
    with sync_client(server.url) as client, spantape.call(**TOLD) as call:
        call.finish("Hi!")
        client.chat.completions.create(**BODY)
    assert [record["response"] == "Hi!" for record in recorded.records] == [True, False]
    with sync_client(server.url) as client:
        client.chat.completions.create(**BODY)
    assert len(recorded.records) == 3
    assert recorded.spans[-1].parent is None


def test_a_failure(recorded: Recorded, server: ScriptedServer) -> None:
    server.replies(error(500, "broken"))
    with (
        sync_client(server.url, max_retries=0) as client,
        pytest.raises(openai.InternalServerError),
        spantape.call(**TOLD),
    ):
        client.chat.completions.create(**BODY)
    assert (recorded.record["success"], recorded.record["error"]["type"]) == (False, "openai.InternalServerError")


def test_what_was_answered_instead(recorded: Recorded, server: ScriptedServer) -> None:
    server.replies(error(500, "broken"))
    with sync_client(server.url, max_retries=0) as client, spantape.call(**TOLD) as call:
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(**BODY)
        call.finish("from the cache", {"input_tokens": 1, "output_tokens": 2})
    assert (recorded.record["success"], recorded.record["response"]) == (True, "from the cache")
    assert recorded.record["usage"]["total_tokens"] == 3


def test_an_agent_by_hand_has_its_calls_inside(recorded: Recorded, server: ScriptedServer) -> None:
    with sync_client(server.url) as client, spantape.call(**TOLD, operation="invoke_agent") as call:
        client.chat.completions.create(**BODY)
        call.finish("done")
    inner, outer = recorded.spans
    assert inner.parent.span_id == outer.context.span_id
    assert [span.name for span in recorded.spans] == ["chat gpt-4o-mini", "invoke_agent gpt-4o-mini"]


def test_a_call_of_langchain(recorded: Recorded, server: ScriptedServer) -> None:
    with spantape.call(model="fake", messages="Hi") as call:
        FakeListChatModel(responses=["one"]).invoke("Hi")
    assert (recorded.record["id"], recorded.record["response"]) == (call.id, "one")


def test_langchain_on_openai(recorded: Recorded, server: ScriptedServer) -> None:
    langchain_openai = pytest.importorskip("langchain_openai")
    with spantape.call(**TOLD) as call:
        langchain_openai.ChatOpenAI(model="gpt-4o-mini", base_url=server.url, api_key="test").invoke("Hi")
    assert recorded.record["id"] == call.id
    assert recorded.record["server"]["address"] == "127.0.0.1"


def test_in_a_run_of_langchain(recorded: Recorded, server: ScriptedServer) -> None:
    """The innermost of both counts: the block in a step, and a step in the block."""

    def step(text: str) -> str:
        with sync_client(server.url) as client, spantape.call(**TOLD) as call:
            client.chat.completions.create(**BODY)
            call.finish(text)
        return text

    RunnableLambda(step).invoke("x")
    assert [span.name for span in recorded.spans if span.name.startswith("chat")] == ["chat gpt-4o-mini"]
    with spantape.call(**TOLD):
        RunnableLambda(lambda text: FakeListChatModel(responses=["y"]).invoke(text)).invoke("x")
    chats = [span for span in recorded.spans if span.name.startswith("chat")]
    assert len(chats) == 3
    assert chats[1].parent.span_id != chats[2].parent


def test_metrics_count_it_once(server: ScriptedServer) -> None:
    reader = InMemoryMetricReader()
    spantape.instrument(files=False, meter_provider=MeterProvider([reader]))
    with sync_client(server.url) as client, spantape.call(**TOLD) as call:
        client.chat.completions.create(**BODY)
        call.finish("Hi", {"input_tokens": 1, "output_tokens": 1})
    data = reader.get_metrics_data()
    points = [
        point
        for resource in data.resource_metrics  # type: ignore[union-attr]
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "gen_ai.client.operation.duration"
        for point in metric.data.data_points
    ]
    assert sum(point.count for point in points) == 1  # type: ignore[union-attr]


def test_the_application_sees_its_own_span(recorded: Recorded, server: ScriptedServer) -> None:
    before = trace.get_current_span()
    with sync_client(server.url) as client, spantape.call(**TOLD):
        client.chat.completions.create(**BODY)
    assert trace.get_current_span() is before
