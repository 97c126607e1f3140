"""However a stream ends, its span ends exactly once, with the right reason, and keeps what had arrived."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from openai_ways import BODY, USAGE, async_client, delta, helper, sync_client

import openai
import spantape
from recorded import Recorded
from spantape.testing import ScriptedServer, stream

PIECES = ["one ", "two ", "three ", "four"]


def begin(client: openai.OpenAI, **more: Any) -> Any:
    return client.chat.completions.create(**BODY, stream=True, **more)


async def begin_async(client: openai.AsyncOpenAI) -> Any:
    return await client.chat.completions.create(**BODY, stream=True)


# --- sync: a function of (client, stream) that leaves the stream early


def drop_after_break(client: Any, chunks: Any) -> None:
    for _ in chunks:
        break


def never_iterate(client: Any, chunks: Any) -> None:
    pass


def close(client: Any, chunks: Any) -> None:
    next(chunks)
    chunks.close()


def close_twice(client: Any, chunks: Any) -> None:
    next(chunks)
    chunks.close()
    chunks.close()


def close_the_response(client: Any, chunks: Any) -> None:
    next(chunks)
    chunks.response.close()


def leave_a_with_block(client: Any, chunks: Any) -> None:
    with chunks:
        for _ in chunks:
            break


def raise_in_a_with_block(client: Any, chunks: Any) -> None:
    with contextlib.suppress(KeyError), chunks:
        next(chunks)
        raise KeyError("the user's own")


EARLY: dict[Callable[..., None], str] = {
    drop_after_break: "abandoned",
    never_iterate: "abandoned",
    close: "closed",
    close_twice: "closed",
    close_the_response: "closed",
    leave_a_with_block: "closed",
    raise_in_a_with_block: "closed",
}


@pytest.mark.parametrize("leave", EARLY, ids=lambda leave: leave.__name__)
def test_left_early(leave: Callable[..., None], server: ScriptedServer, recorded: Recorded) -> None:
    hold = threading.Event()
    server.replies(stream(PIECES).but(hold=hold, hold_after=2))
    with sync_client(server.url) as client:
        chunks = begin(client)
        leave(client, chunks)
        del chunks  # no garbage collection is needed: the reference count does it
        found = recorded.attributes
        hold.set()
    assert found["spantape.stream.end"] == EARLY[leave]
    assert recorded.span.status.status_code.name == "UNSET"
    assert recorded.record["success"] is True
    assert recorded.record["metadata"]["stream_end"] == EARLY[leave]


async def async_drop_after_break(chunks: Any) -> None:
    async for _ in chunks:
        break


async def async_never_iterate(chunks: Any) -> None:
    pass


async def async_close(chunks: Any) -> None:
    await chunks.__anext__()
    await chunks.close()


async def async_close_the_response(chunks: Any) -> None:
    await chunks.__anext__()
    await chunks.response.aclose()


async def async_leave_a_with_block(chunks: Any) -> None:
    async with chunks:
        async for _ in chunks:
            break


ASYNC_EARLY = {
    async_drop_after_break: "abandoned",
    async_never_iterate: "abandoned",
    async_close: "closed",
    async_close_the_response: "closed",
    async_leave_a_with_block: "closed",
}


@pytest.mark.parametrize("leave", ASYNC_EARLY, ids=lambda leave: leave.__name__)
def test_left_early_async(
    leave: Callable[..., Any], server: ScriptedServer, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    hold = threading.Event()
    server.replies(stream(PIECES).but(hold=hold, hold_after=2))

    async def main() -> None:
        async with async_client(server.url) as client:
            chunks = await begin_async(client)
            await leave(chunks)
            del chunks
            for _ in range(5):  # the event loop closes the generator that `async for` made
                await asyncio.sleep(0)
            assert recorded.attributes["spantape.stream.end"] == ASYNC_EARLY[leave]
            hold.set()

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
        gc.collect()
    assert recorded.span.status.status_code.name == "UNSET"
    # asyncio complains of httpcore's own generators when an async stream is dropped, with us and without us.
    assert [entry.getMessage() for entry in caplog.records if entry.name != "asyncio"] == []


def test_a_second_loop_goes_on(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(stream(PIECES))
    with sync_client(server.url) as client:
        chunks = begin(client)
        said = []
        for chunk in chunks:
            said.append(delta(chunk))
            if len(said) == 2:
                break
        assert recorded.spans == []
        said += [delta(chunk) for chunk in chunks]
    assert "".join(said) == "".join(PIECES)
    assert recorded.attributes["spantape.stream.end"] == "completed"


def test_partial_content_is_kept(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(stream(PIECES))
    with sync_client(server.url) as client, begin(client) as chunks:
        while not delta(next(chunks)):
            pass
    assert json.loads(recorded.attributes["gen_ai.output.messages"])[0]["parts"][0]["content"] == "one "
    assert recorded.attributes["gen_ai.response.finish_reasons"] == ("error",)


def test_error_in_the_middle(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(stream(PIECES).but(cut=True, done=False))
    with sync_client(server.url) as client, pytest.raises(Exception) as raised:
        list(begin(client))
    assert recorded.attributes["spantape.stream.end"] == "error"
    assert recorded.attributes["error.type"].endswith(type(raised.value).__name__)
    assert recorded.span.status.status_code.name == "ERROR"
    assert "one " in recorded.record["response"]


def test_error_event_in_the_middle(server: ScriptedServer, recorded: Recorded) -> None:
    failing = stream(PIECES)
    chunks = [*failing.chunks[:3], {"error": {"message": "overloaded", "type": "server_error"}}]
    server.replies(failing.but(chunks=chunks))
    with sync_client(server.url) as client, pytest.raises(openai.APIError, match="overloaded"):
        list(begin(client))
    assert recorded.attributes["error.type"] == "openai.APIError"
    assert recorded.record["error_message"] == "overloaded"


def test_cancelled_in_the_middle(server: ScriptedServer, recorded: Recorded) -> None:
    hold = threading.Event()
    server.replies(stream(PIECES).but(hold=hold, hold_after=2))

    async def main() -> None:
        async with async_client(server.url) as client:
            arrived = asyncio.Event()

            async def read() -> None:
                async for _ in await begin_async(client):
                    arrived.set()

            task = asyncio.create_task(read())
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            hold.set()

    asyncio.run(main())
    assert recorded.attributes["spantape.stream.end"] == "cancelled"
    assert recorded.attributes["error.type"] == "asyncio.CancelledError"
    assert recorded.span.status.status_code.name == "ERROR"


def test_cancelled_before_the_answer(server: ScriptedServer, recorded: Recorded) -> None:
    hold = threading.Event()
    server.replies(stream(PIECES).but(hold=hold))

    async def main() -> None:
        async with async_client(server.url) as client:
            task = asyncio.create_task(client.chat.completions.create(**BODY))
            assert await asyncio.to_thread(server.wait_for, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            hold.set()

    asyncio.run(main())
    assert recorded.attributes["error.type"] == "asyncio.CancelledError"
    assert recorded.record["success"] is False


def test_keyboard_interrupt_in_the_middle(
    server: ScriptedServer, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    server.replies(stream(PIECES))
    with sync_client(server.url) as client:
        chunks = begin(client)
        monkeypatch.setattr(client, "_process_response_data", interrupted)
        with pytest.raises(KeyboardInterrupt):
            next(chunks)
    assert recorded.attributes["error.type"] == "KeyboardInterrupt"
    assert recorded.attributes["spantape.stream.end"] == "cancelled"


def test_a_stream_that_is_read_while_an_error_is_handled(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(stream(PIECES))
    with sync_client(server.url) as client:
        try:
            raise LookupError
        except LookupError:
            list(begin(client))
    assert recorded.attributes["spantape.stream.end"] == "completed"
    assert recorded.span.status.status_code.name == "UNSET"


@pytest.mark.parametrize("place", [0, 1, 5, 15, 16, 17, 31, 39])
def test_a_stream_goes_on_when_the_recording_stops(place: int, server: ScriptedServer, recorded: Recorded) -> None:
    words = [f"{number} " for number in range(40)]
    server.replies(stream(words))
    with sync_client(server.url) as client:
        said = []
        for number, chunk in enumerate(begin(client)):
            if number == place:
                spantape.uninstrument()
            said += [choice.delta.content for choice in chunk.choices if choice.delta.content]
    assert said == words
    assert recorded.attributes["spantape.stream.chunks"] == place + 1


def test_a_stream_that_cannot_be_folded(
    server: ScriptedServer, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("ours")

    monkeypatch.setenv("SPANTAPE_GUARD_RAISES", "0")
    monkeypatch.setattr("spantape.instrumentors._chunks.Chunks.fold", broken)
    words = [f"{number} " for number in range(40)]
    server.replies(stream(words))
    with sync_client(server.url) as client:
        said = [choice.delta.content for chunk in begin(client) for choice in chunk.choices if choice.delta.content]
    assert said == words
    assert recorded.attributes["spantape.stream.end"] == "completed"


@pytest.mark.parametrize("left", [True, False])
def test_usage_on_the_choice_of_every_chunk(left: bool, server: ScriptedServer, recorded: Recorded) -> None:
    chunks = [dict(chunk) for chunk in stream(["a", "b", "c", "d", "e"]).chunks or ()]
    for place, chunk in enumerate(chunks[:-1], 1):
        usage = {"prompt_tokens": 5, "completion_tokens": place}
        chunk["choices"] = [{**chunk["choices"][0], "usage": usage}]
    server.replies(stream([]).but(chunks=chunks))
    with sync_client(server.url) as client, begin(client) as answer:
        for place, _ in enumerate(answer, 1):
            if left and place == 4:
                break
    assert recorded.attributes["gen_ai.usage.output_tokens"] == (4 if left else len(chunks) - 1)


def test_timeout(server: ScriptedServer, recorded: Recorded) -> None:
    hold = threading.Event()
    server.replies(stream(PIECES).but(hold=hold))
    with sync_client(server.url, timeout=0.2, max_retries=0) as client, pytest.raises(openai.APITimeoutError):
        begin(client)
    hold.set()
    assert recorded.attributes["error.type"] == "openai.APITimeoutError"


@pytest.mark.parametrize("left", [True, False])
def test_helper_left_early(left: bool, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(stream(PIECES))
    with sync_client(server.url) as client, helper(client, "stream")(**BODY) as events:
        for _ in events:
            if left:
                break
    assert recorded.attributes["spantape.stream.end"] == ("closed" if left else "completed")


def test_async_helper_never_entered_makes_no_span(server: ScriptedServer, recorded: Recorded) -> None:
    async def main() -> None:
        async with async_client(server.url) as client:
            manager = helper(client, "stream")(**BODY)
            coroutine = next(value for value in vars(manager).values() if asyncio.iscoroutine(value))
            coroutine.close()

    asyncio.run(main())
    assert recorded.spans == []


def test_raw_stream_closed_unparsed(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(stream(PIECES))
    with (
        sync_client(server.url) as client,
        client.chat.completions.with_streaming_response.create(**BODY, stream=True) as response,
    ):
        assert response.status_code == 200
    assert recorded.attributes["spantape.request_id"]
    assert recorded.span.status.status_code.name == "UNSET"


def test_raw_stream_dropped_is_found_by_the_collector(server: ScriptedServer, recorded: Recorded) -> None:
    hold = threading.Event()
    server.replies(stream(PIECES).but(hold=hold, hold_after=1))
    with sync_client(server.url) as client:
        raw = client.chat.completions.with_raw_response.create(**BODY, stream=True)
        assert recorded.spans == []
        del raw
        gc.collect()
        hold.set()
    assert recorded.span.name == "chat gpt-4o-mini"


def test_no_reference_outlives_the_users(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        chunks = begin(client)
        list(chunks)
        gone = weakref.ref(chunks)
        del chunks
        assert gone() is None


def test_the_users_span_stays_current_inside_the_loop(server: ScriptedServer, recorded: Recorded) -> None:
    from opentelemetry import trace

    tracer = recorded.provider.get_tracer("users")
    with tracer.start_as_current_span("request") as request, sync_client(server.url) as client:
        for _ in begin(client):
            assert trace.get_current_span() is request
    call = next(span for span in recorded.spans if span.name.startswith("chat"))
    assert call.parent.span_id == request.get_span_context().span_id


def test_exit_with_an_open_stream(server: ScriptedServer, recorded: Recorded) -> None:
    from spantape.instrumentors._in_flight import end_in_flight

    with sync_client(server.url) as client:
        chunks = begin(client)
        next(chunks)
        end_in_flight()
        assert recorded.attributes["spantape.stream.end"] == "abandoned"
        assert list(chunks)
    assert len(recorded.spans) == 1


ODD: dict[str, Any] = {
    "choices null": {"choices": None},
    "choices empty": {"choices": []},
    "delta null": {"choices": [{"index": 0, "delta": None, "finish_reason": None}]},
    "no index": {"choices": [{"delta": {"content": "x"}}]},
    "azure filter": {"choices": [], "object": "", "model": "", "prompt_filter_results": [{"prompt_index": 0}]},
    "usage in the choice": {
        "choices": [{"index": 0, "delta": {}, "usage": {"prompt_tokens": 7, "completion_tokens": 8}}]
    },
    "tool call without index": {
        "choices": [{"index": 0, "delta": {"tool_calls": [{"id": "a", "function": {"name": "f"}}]}}]
    },
    "arguments null": {
        "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": None}}]}}]
    },
    "arguments an object": {
        "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": {"a": 1}}}]}}]
    },
    "no choices at all": {"id": "x"},
    "choices a number": {"choices": 5},
    "choices an object": {"choices": {"a": 1}},
    "content a list": {"choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": "x"}]}}]},
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_chunks_survive(odd: str, server: ScriptedServer, recorded: Recorded) -> None:
    reply = stream(PIECES)
    server.replies(reply.but(chunks=[*reply.chunks[:2], ODD[odd], *reply.chunks[2:]]))
    with sync_client(server.url) as client:
        count = len(list(begin(client)))
    assert count == len(reply.chunks) + 1
    assert recorded.attributes["spantape.stream.end"] == "completed"
    assert "three four" in recorded.attributes["gen_ai.output.messages"]


def test_usage_on_every_chunk_takes_the_last(server: ScriptedServer, recorded: Recorded) -> None:
    reply = stream(PIECES)
    chunks = [
        {**chunk, "usage": {"prompt_tokens": 5, "completion_tokens": place}}
        for place, chunk in enumerate(reply.chunks, 1)
    ]
    server.replies(reply.but(chunks=chunks))
    with sync_client(server.url) as client:
        list(begin(client))
    assert recorded.attributes["gen_ai.usage.input_tokens"] == 5
    assert recorded.attributes["gen_ai.usage.output_tokens"] == len(chunks)


def test_usage_where_groq_puts_it(server: ScriptedServer, recorded: Recorded) -> None:
    chunks = [dict(chunk) for chunk in stream(PIECES).chunks or ()]
    chunks[0]["x_groq"] = {"id": "req_1"}
    chunks[-1]["x_groq"] = {"id": "req_1", "usage": {"prompt_tokens": 5, "completion_tokens": 7}}
    server.replies(stream().but(chunks=chunks))
    with sync_client(server.url) as client:
        list(begin(client))
    assert recorded.attributes["gen_ai.usage.input_tokens"] == 5
    assert recorded.attributes["gen_ai.usage.output_tokens"] == 7


def test_stream_options_are_not_touched(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        list(begin(client))
    assert "stream_options" not in server.requests[-1].body
    assert "gen_ai.usage.input_tokens" not in recorded.attributes
    assert recorded.record["usage"] is None
    assert recorded.record["cost"] is None


def test_with_usage_there_is_a_cost(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        list(begin(client, stream_options=USAGE["stream_options"]))
    assert recorded.record["cost"]["total"] > 0
