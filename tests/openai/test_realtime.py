"""Turns of the Realtime API: one span each, through the real client and a real websocket."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import json
import threading
import weakref
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest

pytest.importorskip("websockets")
pytest.importorskip("openai.resources.beta.realtime", reason="this version has no websockets")

from openai_ways import async_client, sync_client
from realtime_server import (
    CREATE,
    DROP,
    LEAVE,
    USAGE,
    Event,
    WebSocketServer,
    created,
    delta,
    done,
    item,
    said,
    spoken,
)

import openai
import spantape
from recorded import Recorded
from spantape.instrumentors._in_flight import in_flight

MODEL = "gpt-realtime"


def resource(client: Any) -> Any:
    return client.realtime if hasattr(client, "realtime") else client.beta.realtime


@contextlib.contextmanager
def connected(url: str) -> Iterator[Any]:
    with (
        sync_client(url, websocket_base_url=url.replace("http", "ws")) as client,
        resource(client).connect(model=MODEL) as connection,
    ):
        yield connection


@contextlib.asynccontextmanager
async def async_connected(url: str) -> AsyncIterator[Any]:
    async with (
        async_client(url, websocket_base_url=url.replace("http", "ws")) as client,
        resource(client).connect(model=MODEL) as connection,
    ):
        yield connection


def ws(server: WebSocketServer) -> dict[str, str]:
    return {"websocket_base_url": server.url.replace("http", "ws")}


def until(connection: Any, last: str = "response.done") -> list[str]:
    """Receive up to an event of a type; gives the types."""
    kinds = []
    while not kinds or kinds[-1] != last:
        kinds.append(connection.recv().type)
    return kinds


def messages(attributes: Any, direction: str = "input") -> list[Any]:
    return json.loads(attributes[f"gen_ai.{direction}.messages"])


def texts(attributes: Any, direction: str = "input") -> list[str]:
    return [part.get("content", "") for one in messages(attributes, direction) for part in one["parts"]]


def talk(url: str) -> list[tuple[str, str]]:
    """A conversation of two turns; gives what the application sees."""
    seen = []
    with connected(url) as connection:
        for question in ("one?", "two?"):
            connection.conversation.item.create(item=item(question)["item"])
            connection.response.create()
            for event in connection:
                seen.append((type(event).__name__, event.to_json()))
                if event.type == "response.done":
                    break
    return [(name, json.loads(text)["type"]) for name, text in seen]


async def talk_async(url: str) -> list[tuple[str, str]]:
    seen = []
    async with async_connected(url) as connection:
        for question in ("one?", "two?"):
            await connection.conversation.item.create(item=item(question)["item"])
            await connection.response.create()
            async for event in connection:
                seen.append((type(event).__name__, event.to_json()))
                if event.type == "response.done":
                    break
    return [(name, json.loads(text)["type"]) for name, text in seen]


@pytest.mark.parametrize("talking", [talk, lambda url: asyncio.run(talk_async(url))], ids=["sync", "async"])
def test_every_turn_is_a_span_and_the_application_sees_the_same(talking: Any, tmp_path: Any) -> None:
    with WebSocketServer(spoken) as server:
        without, sent = talking(server.url), server.received
        server.received = []
        recorded = Recorded(tmp_path)
        assert talking(server.url) == without
        assert server.received == sent
        spans = recorded.spans
    assert [span.name for span in spans] == [f"chat {MODEL}"] * 2
    assert [texts(span.attributes) for span in spans] == [["one?"], ["two?"]]
    assert [record["response"] for record in recorded.records] == ["hello", "hello"]
    assert not in_flight


def test_a_turn_is_recorded_as_the_session_around_it_says(recorded: Recorded) -> None:
    with WebSocketServer(spoken) as server, connected(server.url) as connection:
        for capture in ("none", "metadata", "full"):
            with spantape.session(capture=capture):
                connection.conversation.item.create(item=item(f"{capture}?")["item"])
                connection.response.create()
                until(connection)
    assert [record["prompt"] is None for record in recorded.records] == [True, False]


def test_what_a_turn_tells(recorded: Recorded) -> None:
    with WebSocketServer(spoken) as server, connected(server.url) as connection:
        assert connection.recv().type == "session.created"
        connection.send(item("hi"))
        connection.send({**CREATE, "response": {"max_output_tokens": 99, "tool_choice": "auto"}})
        until(connection)
    attributes = recorded.attributes
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "127.0.0.1",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "gen_ai.request.model": MODEL,
        "gen_ai.request.max_tokens": 99,
        "gen_ai.output.type": "speech",
        "gen_ai.conversation.id": "conv_1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 6,
        "gen_ai.usage.text.input_tokens": 12,
        "gen_ai.usage.audio.input_tokens": 8,
        "gen_ai.usage.text.cache_read.input_tokens": 4,
        "gen_ai.usage.audio.cache_read.input_tokens": 2,
        "gen_ai.usage.text.output_tokens": 3,
        "gen_ai.usage.audio.output_tokens": 7,
        "spantape.stream.end": "completed",
        "spantape.stream.chunks": 3,
    }
    assert {key: attributes.get(key) for key in expected} == expected
    assert attributes["gen_ai.response.id"].startswith("resp_")
    assert attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert json.loads(attributes["gen_ai.system_instructions"]) == [{"type": "text", "content": "be brief"}]
    assert json.loads(attributes["gen_ai.tool.definitions"])[0]["name"] == "weather"
    assert json.loads(attributes["spantape.request.parameters"])["tool_choice"] == "auto"
    assert "ek_secret" not in str(attributes)
    assert recorded.span.status.is_ok or recorded.span.status.is_unset
    assert recorded.record["prompt"].endswith("hi")


def test_without_content_nothing_is_said(tmp_path: Any) -> None:
    recorded = Recorded(tmp_path, capture_content=False)
    with WebSocketServer(spoken) as server, connected(server.url) as connection:
        connection.send(item("a secret"))
        connection.send({"type": "input_audio_buffer.append", "audio": "AAAA"})
        connection.send({"type": "input_audio_buffer.commit"})
        connection.send(CREATE)
        until(connection)
    assert recorded.attributes["gen_ai.usage.input_tokens"] == 20
    told = str(recorded.attributes) + json.dumps(recorded.record)
    assert not [word for word in ("a secret", "hello", "be brief", "weather", "marin", "blob") if word in told]


def test_the_server_begins_a_turn_when_it_hears_one_end_to_speak(recorded: Recorded) -> None:
    audio = base64.b64encode(b"x" * 1000).decode()

    def listening(event: Event) -> Iterable[Event]:
        if len([kind for kind in server.types if kind == "input_audio_buffer.append"]) % 3 == 0:
            yield {"type": "input_audio_buffer.speech_stopped", "event_id": "e", "item_id": "said_1", "audio_end_ms": 5}
            yield {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "said_1"}
            yield created("resp_vad")
            yield delta("resp_vad", audio, "output_audio")
            yield {
                "type": "conversation.item.input_audio_transcription.completed",
                "event_id": "e",
                "item_id": "said_1",
                "content_index": 0,
                "transcript": "what time is it",
            }
            yield delta("resp_vad", audio, "output_audio")
            yield done("resp_vad", said("nine", "output_audio"), usage=USAGE)

    with WebSocketServer(listening) as server, connected(server.url) as connection:
        connection.recv()
        for _ in range(3):
            connection.input_audio_buffer.append(audio=audio)
        until(connection)
    (spoken_to,) = messages(recorded.attributes)
    assert spoken_to == {
        "role": "user",
        "parts": [
            {"type": "blob", "modality": "audio", "mime_type": "audio/pcm", "size": 3000},
            {"type": "text", "content": "what time is it"},
        ],
    }
    (answer,) = messages(recorded.attributes, "output")
    assert answer["parts"] == [
        {"type": "text", "content": "nine"},
        {"type": "blob", "modality": "audio", "size": 2000},
    ]
    assert recorded.record["response"].startswith("nine")


def test_audio_committed_by_hand_belongs_to_the_turn_asked_for(recorded: Recorded) -> None:
    def script(event: Event) -> Iterable[Event]:
        if event["type"] == "input_audio_buffer.commit":
            yield {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "said_1"}
        yield from spoken(event)

    with WebSocketServer(script) as server, connected(server.url) as connection:
        for audio in (b"lost", b"12345", b"1234567"):
            connection.input_audio_buffer.append(audio=base64.b64encode(audio).decode())
            if audio == b"lost":
                connection.input_audio_buffer.clear()
        connection.input_audio_buffer.commit()
        connection.response.create()
        until(connection)
        connection.response.create()
        until(connection)
    first, second = recorded.spans
    assert [part["size"] for part in messages(first.attributes)[0]["parts"]] == [12]
    assert "gen_ai.input.messages" not in second.attributes


def test_a_function_is_called_and_its_result_given(recorded: Recorded) -> None:
    call = {"type": "function_call", "id": "item_1", "call_id": "call_1", "name": "weather", "arguments": '{"at":"x"}'}

    def script(event: Event) -> Iterable[Event]:
        if event == CREATE and server.types.count("response.create") == 1:
            yield from (created("resp_1"), delta("resp_1", '{"at":"x"}', "function_call_arguments"))
            yield done("resp_1", call, usage=USAGE)
        else:
            yield from spoken(event, "sunny")

    with WebSocketServer(script) as server, connected(server.url) as connection:
        connection.send(item("weather?"))
        connection.send(CREATE)
        until(connection)
        output = {"type": "function_call_output", "call_id": "call_1", "output": "20 degrees"}
        connection.send({"type": "conversation.item.create", "item": output})
        connection.send(CREATE)
        until(connection)
    first, second = recorded.spans
    assert first.attributes["gen_ai.response.finish_reasons"] == ("tool_calls",)
    assert messages(first.attributes, "output")[0]["parts"] == [
        {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"at": "x"}}
    ]
    assert messages(second.attributes) == [
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "20 degrees"}]}
    ]


def test_responses_in_flight_together_are_told_apart(recorded: Recorded) -> None:
    """One in the conversation, one aside, with the server's events of both mixed up and the second done first."""

    def script(event: Event) -> Iterable[Event]:
        if server.types.count("response.create") == 2:
            yield created("resp_b", metadata={"topic": "aside"}, conversation_id=None)
            yield created("resp_a")
            yield from (delta("resp_a", "A"), delta("resp_b", "B"), delta("resp_a", "A"))
            yield done("resp_b", said("B"), metadata={"topic": "aside"}, conversation_id=None)
            yield done("resp_a", said("AA"), status="incomplete", status_details={"reason": "max_output_tokens"})

    with WebSocketServer(script) as server, connected(server.url) as connection:
        connection.send(item("in the conversation"))
        connection.send(CREATE)
        aside = {"conversation": "none", "metadata": {"topic": "aside"}, "input": [item("aside")["item"]]}
        connection.send({**CREATE, "response": aside})
        until(connection)
        until(connection)
    b, a = recorded.spans
    assert (texts(a.attributes), texts(a.attributes, "output")) == (["in the conversation"], ["AA"])
    assert (texts(b.attributes), texts(b.attributes, "output")) == (["aside"], ["B"])
    assert [span.attributes["spantape.stream.chunks"] for span in (a, b)] == [3, 2]
    assert a.attributes["gen_ai.response.finish_reasons"] == ("length",)
    assert "gen_ai.conversation.id" not in b.attributes


def test_the_servers_own_turn_is_not_taken_for_the_one_that_was_asked_for(recorded: Recorded) -> None:
    def script(event: Event) -> Iterable[Event]:
        if event["type"] == "response.create":
            yield {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "said_1"}
            yield created("resp_vad", metadata=None)
            yield done("resp_vad", said("from the voice"))
            yield created("resp_ours", metadata={"n": "1"})
            yield done("resp_ours", said("as asked"), metadata={"n": "1"})

    with WebSocketServer(script) as server, connected(server.url) as connection:
        connection.send(item("typed"))
        connection.send({**CREATE, "response": {"metadata": {"n": "1"}}})
        until(connection)
        until(connection)
    voice, ours = recorded.spans
    assert texts(voice.attributes, "output") == ["from the voice"]
    assert (texts(ours.attributes), texts(ours.attributes, "output")) == (["typed"], ["as asked"])


def test_a_turn_that_is_refused(recorded: Recorded) -> None:
    error = {"type": "invalid_request_error", "code": "conversation_already_has_active_response", "message": "busy"}

    def script(event: Event) -> Iterable[Event]:
        if event["type"] == "response.create" and event.get("event_id") != "mine":
            yield {"type": "error", "event_id": "e", "error": {**error, "event_id": None, "param": None}}
        elif event["type"] == "response.create":
            yield {"type": "error", "event_id": "e", "error": {**error, "event_id": "someone else's"}}
            yield {"type": "error", "event_id": "e", "error": {**error, "event_id": "mine"}}
        yield from ([created("resp_1"), done("resp_1")] if event["type"] == "response.cancel" else [])

    with WebSocketServer(script) as server, connected(server.url) as connection:
        for event in (CREATE, {**CREATE, "event_id": "mine"}):
            connection.send(event)
            until(connection, "error")
            assert len(recorded.spans) == 1
        until(connection, "error")
    for span in recorded.spans:
        assert span.status.status_code.name == "ERROR"
        assert span.attributes["error.type"] == "conversation_already_has_active_response"
        assert span.attributes["spantape.error.message"] == "busy"
        assert span.attributes["spantape.error.type"] == "invalid_request_error"
    assert [record["success"] for record in recorded.records] == [False, False]
    assert not in_flight


def test_an_error_about_something_else_ends_no_turn(recorded: Recorded) -> None:
    def script(event: Event) -> Iterable[Event]:
        if event["type"] == "response.create":
            for about in ({"code": "input_audio_buffer_commit_empty"}, {"param": "session.voice", "code": "invalid"}):
                error = {"type": "invalid_request_error", "message": "no", "event_id": None, **about}
                yield {"type": "error", "event_id": "e", "error": error}
            yield from spoken(event)

    with WebSocketServer(script) as server, connected(server.url) as connection:
        connection.send(CREATE)
        until(connection)
    assert recorded.record["success"] is True


@pytest.mark.parametrize(
    ("status", "details", "ended", "error"),
    [
        ("failed", {"type": "failed", "error": {"type": "server_error", "code": None}}, "error", "server_error"),
        ("cancelled", {"type": "cancelled", "reason": "turn_detected"}, "cancelled", None),
        ("incomplete", {"type": "incomplete", "reason": "content_filter"}, "completed", None),
    ],
)
def test_how_a_turn_ends(recorded: Recorded, status: str, details: Event, ended: str, error: str | None) -> None:
    def script(event: Event) -> Iterable[Event]:
        yield from (created("resp_1"), delta("resp_1", "part"))
        yield done("resp_1", status=status, status_details=details)

    with WebSocketServer(script) as server, connected(server.url) as connection:
        connection.send(CREATE)
        until(connection)
    told = {**recorded.attributes, "spantape.stream.end": None} if error else recorded.attributes
    assert told.get("error.type") == error
    assert recorded.attributes["gen_ai.response.finish_reasons"] == ("error" if error else details["reason"],)
    assert error or recorded.attributes["spantape.stream.end"] == ended


@pytest.mark.parametrize("end", [DROP, LEAVE], ids=["dropped", "left by the server"])
@pytest.mark.parametrize("begun", [True, False])
def test_the_connection_ends_in_the_middle(recorded: Recorded, end: Event, *, begun: bool) -> None:
    from websockets.exceptions import ConnectionClosed

    def script(event: Event) -> Iterable[Event]:
        yield from [created("resp_1"), delta("resp_1", "hel"), delta("resp_1", "lo")] if begun else []
        yield end

    with WebSocketServer(script) as server, connected(server.url) as connection:
        connection.send(CREATE)
        with pytest.raises(ConnectionClosed):
            until(connection)
        assert recorded.attributes["error.type"].startswith("websockets.ConnectionClosed")
    assert recorded.record["response"] == ("hello" if begun else None)
    assert recorded.attributes.get("gen_ai.response.id") == ("resp_1" if begun else None)


@pytest.mark.parametrize("way", ["close", "leave the block", "async"])
def test_the_application_closes_in_the_middle(recorded: Recorded, way: str) -> None:
    def script(event: Event) -> Iterable[Event]:
        yield from (created("resp_1"), delta("resp_1", "hel"))

    async def close(url: str) -> None:
        async with async_connected(url) as connection:
            await connection.send(CREATE)
            while (await connection.recv()).type != "response.output_text.delta":
                pass

    with WebSocketServer(script) as server:
        if way == "async":
            asyncio.run(close(server.url))
        else:
            with connected(server.url) as connection:
                connection.send(CREATE)
                until(connection, "response.output_text.delta")
                if way == "close":
                    connection.close()
                    assert recorded.span
    assert recorded.attributes["spantape.stream.end"] == "closed"
    assert recorded.record["response"] == "hel"
    assert recorded.record["success"] is True


def test_a_cancelled_wait_ends_no_turn(recorded: Recorded) -> None:
    go_on = threading.Event()

    def script(event: Event) -> Iterable[Event]:
        yield created("resp_1")
        go_on.wait(60)
        yield done("resp_1", said("late"))

    async def main(url: str) -> None:
        async with async_connected(url) as connection:
            await connection.send(CREATE)
            while (await connection.recv()).type != "response.created":
                pass
            waiting = asyncio.ensure_future(connection.recv())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            go_on.set()
            assert (await connection.recv()).type == "response.done"

    with WebSocketServer(script) as server:
        asyncio.run(main(server.url))
    assert recorded.record["response"] == "late"


def test_a_connection_that_is_dropped_ends_its_turns(recorded: Recorded) -> None:
    with WebSocketServer(lambda _: [created("resp_1")]) as server, sync_client(server.url, **ws(server)) as client:
        connection = resource(client).connect(model=MODEL).enter()
        websocket = connection._connection
        connection.send(CREATE)
        until(connection, "response.created")
        gone = weakref.ref(connection)
        del connection
        gc.collect()
        assert gone() is None
        assert recorded.attributes["spantape.stream.end"] == "abandoned"
        websocket.close()


def test_a_send_that_fails_is_a_failed_turn(recorded: Recorded) -> None:
    from websockets.exceptions import ConnectionClosed

    with WebSocketServer(lambda _: [LEAVE]) as server, connected(server.url) as connection:
        connection.send(item("hi"))
        with pytest.raises(ConnectionClosed):
            until(connection)
        assert not recorded.spans
        with pytest.raises(ConnectionClosed):
            connection.send(CREATE)
        assert recorded.attributes["error.type"].startswith("websockets.ConnectionClosed")
    assert len(recorded.spans) == 1


def test_what_the_application_reads_as_bytes_is_seen_too(recorded: Recorded) -> None:
    with WebSocketServer(spoken) as server, connected(server.url) as connection:
        if hasattr(connection, "send_raw"):
            connection.send_raw(json.dumps(item("hi")))
            connection.send_raw(json.dumps(CREATE, sort_keys=True).encode())
        else:
            connection.send(item("hi"))
            connection.send(CREATE)
        while b"response.done" not in connection.recv_bytes():
            pass
    assert (texts(recorded.attributes), texts(recorded.attributes, "output")) == (["hi"], ["hello"])


def test_typed_events_are_seen_once(recorded: Recorded) -> None:
    try:
        from openai.types.realtime import ResponseCreateEvent
    except ImportError:
        from openai.types.beta.realtime import ResponseCreateEvent  # type: ignore[no-redef]

    with WebSocketServer(spoken) as server, connected(server.url) as connection:
        connection.send(ResponseCreateEvent(type="response.create"))
        until(connection)
    assert recorded.attributes["gen_ai.request.model"] == MODEL


def test_what_is_queued_before_the_connection_stands(recorded: Recorded) -> None:
    with WebSocketServer(spoken) as server, sync_client(server.url, **ws(server)) as client:
        manager = resource(client).connect(model=MODEL)
        if not hasattr(manager, "send"):
            pytest.skip("this version queues nothing")
        manager.send(item("early"))
        manager.send(CREATE)
        assert not recorded.spans
        with manager as connection:
            until(connection)
    assert texts(recorded.attributes) == ["early"]


def test_events_are_read_in_whatever_order_their_keys_are(recorded: Recorded) -> None:
    def script(event: Event) -> Iterable[Event]:
        for reply in spoken(event):
            yield dict(sorted(reply.items(), reverse=True)) | {"z": {"type": "session.created"}}

    hello = {"session": {"model": "other", "instructions": "x"}, "event_id": "e", "type": "session.created"}
    with WebSocketServer(script, hello) as server, connected(server.url) as connection:
        connection.recv()
        connection.send({"event_id": "1", **CREATE})
        until(connection)
    assert texts(recorded.attributes, "output") == ["hello"]
    assert json.loads(recorded.attributes["gen_ai.system_instructions"])[0]["content"] == "x"


def test_the_session_can_be_changed(recorded: Recorded) -> None:
    with WebSocketServer(spoken) as server, connected(server.url) as connection:
        connection.recv()
        connection.send({"type": "session.update", "session": {"type": "realtime", "instructions": "sing"}})
        connection.send(CREATE)
        until(connection)
    assert json.loads(recorded.attributes["gen_ai.system_instructions"])[0]["content"] == "sing"
    assert json.loads(recorded.attributes["gen_ai.tool.definitions"])


def test_sender_and_receiver_are_two_threads_in_one_session(recorded: Recorded) -> None:
    with WebSocketServer(spoken) as server, connected(server.url) as connection, spantape.session("call-7"):
        receiver = threading.Thread(target=lambda: [until(connection) for _ in range(20)])
        receiver.start()
        for number in range(20):
            connection.send(item(str(number)))
            connection.send(CREATE)
        receiver.join(60)
    assert [texts(span.attributes) for span in recorded.spans] == [[str(number)] for number in range(20)]
    assert {span.attributes["session.id"] for span in recorded.spans} == {"call-7"}


def test_a_long_connection_keeps_only_what_is_live(recorded: Recorded) -> None:
    from spantape.instrumentors.openai import OpenAIInstrumentor

    audio = base64.b64encode(b"x" * 3000).decode()

    def script(event: Event) -> Iterable[Event]:
        if event["type"] == "response.create":
            yield {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": f"i{len(server.received)}"}
        yield from spoken(event)
        server.received.clear()

    with WebSocketServer(script) as server, connected(server.url) as connection:
        sizes = []
        for turn in range(1000):
            connection.send({"type": "input_audio_buffer.append", "audio": audio})
            connection.send(CREATE)
            while b"response.done" not in connection.recv_bytes():
                pass
            if turn in {99, 999}:
                instrumentor: Any = OpenAIInstrumentor()
                (turns,) = instrumentor._connections._turns.values()
                sizes.append(weighed(turns))
    assert len(recorded.spans) == 1000
    assert sizes[1] <= sizes[0], "memory grows with the turns"
    assert not in_flight


def weighed(turns: Any) -> int:
    dialogue = turns._dialogue
    return sum(map(len, (turns._waiting, turns._live, dialogue._waiting, dialogue._unnamed, dialogue._unheard)))


def classes() -> list[type]:
    import importlib

    found = []
    for name in ("realtime.realtime", "beta.realtime.realtime"):
        with contextlib.suppress(ImportError):
            module = importlib.import_module(f"openai.resources.{name}")
            found += [value for key, value in vars(module).items() if key.endswith(("Connection", "ConnectionManager"))]
    return [owner for kind in found for owner in kind.__mro__ if owner.__module__.startswith("openai.")]


def methods() -> dict[tuple[type, str], Any]:
    names = ("send", "send_raw", "recv_bytes", "close")
    return {(kind, name): vars(kind)[name] for kind in classes() for name in names if name in vars(kind)}


def test_uninstrument_restores_every_method(tmp_path: Any) -> None:
    before = methods()
    assert len(before) >= 6
    for _ in range(2):
        spantape.instrument(base_dir=tmp_path)
        assert sum(methods()[place] is not method for place, method in before.items()) >= 6
        spantape.uninstrument()
        assert all(methods()[place] is method for place, method in before.items())


def test_uninstrument_in_the_middle_ends_the_turn(recorded: Recorded) -> None:
    with WebSocketServer(spoken) as server, connected(server.url) as connection:
        connection.send(CREATE)
        until(connection, "response.created")
        spantape.uninstrument()
        until(connection)
    assert recorded.attributes["spantape.stream.end"] == "abandoned"


def test_suppressed_instrumentation_records_no_turn(recorded: Recorded) -> None:
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    with WebSocketServer(spoken) as server, connected(server.url) as connection, suppress_instrumentation():
        connection.send(CREATE)
        until(connection)
    assert not recorded.spans


def test_azure_is_known_by_its_deployment(recorded: Recorded) -> None:
    with WebSocketServer(spoken) as server:
        options = {"api_key": "k", "api_version": "2025-01-01", **ws(server)}
        with (
            openai.AzureOpenAI(azure_endpoint="http://example.invalid", **options) as client,
            resource(client).connect(model="my-deployment") as connection,
        ):
            connection.send(CREATE)
            until(connection)
    assert recorded.attributes["gen_ai.provider.name"] == "azure.ai.openai"
    assert recorded.attributes["gen_ai.request.model"] == "my-deployment"
