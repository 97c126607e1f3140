"""Turns of the Responses API over a websocket, and those that a Live session delegates to it."""

from __future__ import annotations

import asyncio
import contextlib
import operator
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

pytest.importorskip("websockets")

from openai_ways import async_client, sync_client
from realtime_server import DROP, Event, WebSocketServer

import openai
from recorded import Recorded
from spantape.instrumentors._in_flight import in_flight
from spantape.instrumentors.openai.websocket import FAMILIES

resources: Any = pytest.importorskip("openai.resources.responses", reason="this version has no responses")
pytestmark = pytest.mark.skipif(
    not hasattr(resources.Responses, "connect"),
    reason="this version has no responses over websockets",
)
USAGE = {
    "input_tokens": 5,
    "output_tokens": 3,
    "total_tokens": 8,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens_details": {"reasoning_tokens": 1},
}


def test_the_module_is_followed() -> None:
    assert "openai.resources.responses.responses" in FAMILIES


def response(response_id: str, status: str = "completed", **more: Any) -> Event:
    about = {"id": response_id, "object": "response", "model": "gpt-5-2026", "status": status, "created_at": 1}
    return {**about, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "output": [], **more}


def said(text: str) -> Event:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def answer(response_id: str, text: str = "hello", **lane: Any) -> Iterable[Event]:
    begun = response(response_id, "in_progress")
    delta = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0}
    yield {"type": "response.created", "sequence_number": 0, "response": begun, **lane}
    for number, piece in enumerate((text[:2], text[2:])):
        yield {**delta, "delta": piece, "sequence_number": number + 1, "logprobs": [], **lane}
    whole = response(response_id, output=[said(text)], usage=USAGE)
    yield {"type": "response.completed", "sequence_number": 3, "response": whole, **lane}


def ask(text: str, **more: Any) -> Event:
    return {"type": "response.create", "model": "gpt-5", "input": text, **more}


def until(connection: Any, count: int = 1) -> list[str]:
    kinds = []
    while count:
        kinds.append(connection.recv().type)
        count -= kinds[-1] in {"response.completed", "response.failed", "error"}
    return kinds


@contextlib.contextmanager
def connected(server: WebSocketServer, resource: str = "responses") -> Iterator[Any]:
    with (
        sync_client(server.url, websocket_base_url=server.url.replace("http", "ws")) as client,
        operator.attrgetter(resource)(client).connect() as connection,
    ):
        yield connection


def server_of(script: Any) -> WebSocketServer:
    return WebSocketServer(script, hello=None)


def numbered(event: Event) -> Iterable[Event]:
    return answer(f"resp_{event['input']}", f"so {event['input']}")


@pytest.mark.parametrize("way", ["sync", "async", "beta"])
def test_every_turn_is_a_span(recorded: Recorded, way: str) -> None:
    async def talk(url: str) -> None:
        async with (
            async_client(url, websocket_base_url=url.replace("http", "ws")) as client,
            client.responses.connect() as connection,
        ):
            for number in "12":
                await connection.response.create(model="gpt-5", input=number)
                async for event in connection:
                    if event.type == "response.completed":
                        break

    with server_of(numbered) as server:
        if way == "async":
            asyncio.run(talk(server.url))
        else:
            with connected(server, "beta.responses" if way == "beta" else "responses") as connection:
                for number in "12":
                    connection.send(ask(number))
                    until(connection)
    assert [span.name for span in recorded.spans] == ["chat gpt-5"] * 2
    for number, record in zip("12", recorded.records, strict=True):
        assert (record["prompt"], record["response"], record["response_id"]) == (
            number,
            f"so {number}",
            f"resp_{number}",
        )
        assert record["usage"]["cache_read_input_tokens"] == 2
    assert {span.attributes["openai.api.type"] for span in recorded.spans} == {"responses"}
    assert {span.attributes["spantape.stream.chunks"] for span in recorded.spans} == {4}
    assert not in_flight


def test_lanes_run_side_by_side(recorded: Recorded) -> None:
    def script(event: Event) -> Iterable[Event]:
        if len(server.received) == 2:
            lanes = [list(answer(f"resp_{name}", name * 4, stream_id=name)) for name in "ba"]
            yield from (event for pair in zip(*lanes, strict=True) for event in pair)

    with server_of(script) as server, connected(server) as connection:
        connection.send(ask("A", stream_id="a"))
        connection.send(ask("B", stream_id="b"))
        until(connection, 2)
    assert [(record["prompt"], record["response"]) for record in recorded.records] == [("A", "aaaa"), ("B", "bbbb")]
    assert recorded.spans[0].attributes["gen_ai.response.id"] == "resp_b"


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"type": "error", "status": 400, "error": {"code": "gone", "message": "no", "type": "invalid"}}, "gone"),
        ({"type": "error", "sequence_number": 2, "code": "gone", "message": "no", "param": None}, "gone"),
        ({"type": "response.failed", "sequence_number": 2, "response": {}}, "gone"),
    ],
)
@pytest.mark.parametrize("begun", [True, False])
def test_a_turn_that_fails(recorded: Recorded, event: Event, error: str, *, begun: bool) -> None:
    if event["type"] == "response.failed":
        event = {**event, "response": response("resp_1", "failed", error={"code": "gone", "message": "no"})}
        begun = True

    def script(_: Event) -> Iterable[Event]:
        yield from list(answer("resp_1"))[:2] if begun else []
        yield event

    with server_of(script) as server, connected(server) as connection:
        connection.send(ask("hi"))
        until(connection)
        assert recorded.attributes["error.type"] == error
    assert recorded.record["error_message"] == "no"
    assert recorded.record["response"] == ("he" if begun else None)
    assert len(recorded.spans) == 1


def test_a_connection_that_breaks(recorded: Recorded) -> None:
    from websockets.exceptions import ConnectionClosed

    with server_of(lambda _: [*list(answer("resp_1"))[:3], DROP]) as server, connected(server) as connection:
        connection.send(ask("hi"))
        with pytest.raises(ConnectionClosed):
            until(connection)
    assert recorded.record["response"] == "hello"
    assert recorded.record["success"] is False


@pytest.mark.skipif(not hasattr(openai.OpenAI, "live"), reason="this version has no Live sessions")
@pytest.mark.parametrize("asks", [True, False])
def test_what_a_live_session_delegates(recorded: Recorded, *, asks: bool) -> None:
    session = {"model": "gpt-live-1", "delegation": {"type": "responses", "responses": {"model": "gpt-5"}}}

    def script(event: Event) -> Iterable[Event]:
        if event["type"] == ("response.create" if asks else "session.start"):
            yield {
                "type": "session.output_transcript.delta",
                "event_id": "e",
                "delta": "hm",
                "start_ms": 0,
                "end_ms": 1,
            }
            for nested in answer("resp_1", "sunny"):
                nested.get("response", {}).pop("output", None)
                yield {"type": "response.event", "event_id": "e", "delegation_id": "dlg_1", "event": nested}

    with server_of(script) as server, connected(server, "live") as connection:
        connection.send({"type": "session.start", "session": session})
        if asks:
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "weather?"}]}
            connection.send({"type": "response.item.create", "item": item})
            connection.send({"type": "response.create"})
        while True:
            event = connection.recv()
            if event.type == "response.event" and event.event["type"] == "response.completed":
                break
    assert recorded.span.name == "chat gpt-5"
    assert recorded.record["prompt"] == ("weather?" if asks else None)
    assert recorded.record["response"] == "sunny"


@pytest.mark.skipif(not hasattr(openai.OpenAI, "live"), reason="this version has no Live sessions")
def test_a_live_session_refuses(recorded: Recorded) -> None:
    def script(event: Event) -> Iterable[Event]:
        error = {"type": "invalid_request_error", "code": "no_delegation", "message": "no"}
        yield {"type": "error", "event_id": "e", "client_event_id": event["event_id"], "error": error}

    with server_of(script) as server, connected(server, "live") as connection:
        connection.send({"type": "response.create", "event_id": "7"})
        connection.recv()
    assert recorded.attributes["error.type"] == "no_delegation"
    assert recorded.record["success"] is False
