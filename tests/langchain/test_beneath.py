"""A model's run that the client beneath tells: one span, from the run's beginning to its end, whoever tells it."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from langchain_things import chat
from opentelemetry.trace import StatusCode

import spantape
from recorded import Recorded
from spantape.instrumentors.openai import OpenAIInstrumentor
from spantape.testing import ScriptedServer, completion, stream

ANSWER = ChatResult(generations=[ChatGeneration(message=AIMessage("Hello from elsewhere"))])


def over(server: ScriptedServer, kind: type[ChatOpenAI]) -> Any:
    return kind(model="gpt-4o-mini", base_url=server.url, api_key="k", max_retries=0)


def test_the_span_is_as_long_as_the_run(server: ScriptedServer, recorded: Recorded) -> None:
    times: list[int] = []

    class Timed(ChatOpenAI):
        def _get_request_payload(self, *args: Any, **kwargs: Any) -> Any:
            times.append(time.time_ns())
            return super()._get_request_payload(*args, **kwargs)

        def _create_chat_result(self, *args: Any, **kwargs: Any) -> Any:
            times.append(time.time_ns())
            return super()._create_chat_result(*args, **kwargs)

    server.replies(completion("Hello"))
    over(server, Timed).invoke("x")
    assert recorded.span.start_time <= times[0] < times[-1] <= recorded.span.end_time
    assert recorded.span.instrumentation_scope.name == "spantape.langchain"


def test_an_answer_that_langchain_cannot_read(server: ScriptedServer, recorded: Recorded) -> None:
    class Strict(ChatOpenAI):
        def _create_chat_result(self, *args: Any, **kwargs: Any) -> Any:
            raise ValueError("not what I asked for")

    server.replies(completion("Hello"))
    with pytest.raises(ValueError, match="not what"):
        over(server, Strict).invoke("x")
    assert recorded.span.status.status_code is StatusCode.ERROR
    assert recorded.attributes["error.type"] == "ValueError"
    assert recorded.record["response"] == "Hello"  # it was made, and costs
    assert recorded.record["cost"]["total"] > 0


def test_a_stream_that_langchain_leaves(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(stream(["Hel", "lo"], usage=True))
    pieces = chat(server).stream("x")
    next(pieces)
    assert recorded.spans == []
    pieces.close()
    assert recorded.attributes["spantape.stream.end"] == "abandoned"


def test_a_client_that_is_not_called(server: ScriptedServer, recorded: Recorded) -> None:
    class Elsewhere(ChatOpenAI):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            times.append(time.time_ns())
            return ANSWER

    times: list[int] = []
    with spantape.session("s"):
        over(server, Elsewhere).invoke("x")
    assert recorded.record["response"] == "Hello from elsewhere"
    assert recorded.record["session_id"] == "s"
    assert recorded.record["model"] == "gpt-4o-mini"
    assert recorded.span.start_time <= times[0]


def test_a_client_that_is_not_watched(server: ScriptedServer, recorded: Recorded) -> None:
    OpenAIInstrumentor().uninstrument()
    server.replies(completion("Hello"), stream(["Hel", "lo"], usage=True))
    model = chat(server, stream_usage=True)
    assert model.invoke("x").content == "Hello"
    assert "".join(piece.content for piece in model.stream("x")) == "Hello"
    whole, streamed = recorded.records
    assert (whole["response"], streamed["response"]) == ("Hello", "Hello")
    assert whole["usage"]["input_tokens"] == streamed["usage"]["input_tokens"] == 10
    assert whole["timing"]["time_to_first_chunk_ms"] is None
    assert streamed["timing"]["time_to_first_chunk_ms"] > 0


def test_a_run_that_is_lost_before_its_client_is_called(server: ScriptedServer, recorded: Recorded) -> None:
    if not hasattr(ChatOpenAI, "stream_events"):
        pytest.skip("this langchain begins runs in tasks of their own")

    class Slow(ChatOpenAI):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            started.set()
            await asyncio.sleep(30)

    started = asyncio.Event()

    async def main(model: Any) -> None:
        with spantape.session("s"):
            task = asyncio.ensure_future(model.ainvoke("x"))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main(over(server, Slow)))
    gc.collect()
    assert recorded.span.name == "chat gpt-4o-mini"
    assert recorded.attributes["session.id"] == "s"


def test_a_run_that_is_cancelled_with_its_client(server: ScriptedServer, recorded: Recorded) -> None:
    if not hasattr(ChatOpenAI, "stream_events"):
        pytest.skip("this langchain begins runs in tasks of their own")

    async def main(model: Any) -> None:
        task = asyncio.ensure_future(model.ainvoke("x"))
        assert await asyncio.to_thread(server.wait_for, 1, 300)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    server.replies(completion("late").but(hold=threading.Event()))
    asyncio.run(main(chat(server)))
    gc.collect()
    assert recorded.record["status"] == "cancelled"
    assert recorded.span.status.status_code is StatusCode.ERROR


def test_another_call_in_a_model_before_its_own(server: ScriptedServer, recorded: Recorded) -> None:
    class Careful(ChatOpenAI):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            self.root_client.moderations.create(input="x")
            return super()._generate(*args, **kwargs)

    over(server, Careful).invoke("x")
    moderation, model = recorded.spans
    assert (moderation.parent.span_id, model.parent) == (model.context.span_id, None)
    assert model.attributes["gen_ai.usage.input_tokens"] > 0
    assert model.attributes["server.address"] == "127.0.0.1"


def test_chunks_of_a_model_with_no_client(recorded: Recorded, server: ScriptedServer) -> None:
    class Pieces(ChatOpenAI):
        def _stream(self, *args: Any, **kwargs: Any) -> Any:
            for word in ("Hel", "lo"):
                yield ChatGenerationChunk(message=AIMessageChunk(word))

    assert "".join(piece.content for piece in over(server, Pieces).stream("x")) == "Hello"
    assert recorded.record["response"] == "Hello"
    assert recorded.attributes["spantape.stream.chunks"] >= 2
