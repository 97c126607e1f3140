"""A conversation over a websocket that runs through all of our code, giving what the application sees of it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable

from openai_ways import async_client, sync_client
from realtime_server import CREATE, LEAVE, USAGE, Event, WebSocketServer, created, delta, done, item, said, spoken

AUDIO = base64.b64encode(b"x" * 99).decode()
REFUSED = {"type": "invalid_request_error", "code": "busy", "message": "no", "event_id": None, "param": None}


def script(event: Event) -> Iterable[Event]:
    kind = event["type"]
    if kind == "input_audio_buffer.commit":
        yield {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "said_1"}
        yield created("resp_vad", metadata={"by": "voice"})
        heard = {"item_id": "said_1", "content_index": 0, "transcript": "well"}
        yield {"type": "conversation.item.input_audio_transcription.completed", "event_id": "e", **heard}
        yield delta("resp_vad", AUDIO, "output_audio")
        yield done("resp_vad", said("so", "output_audio"), usage=USAGE)
    elif event.get("event_id") == "refused":
        yield {"type": "error", "event_id": "e", "error": {**REFUSED, "event_id": "refused"}}
    elif event.get("event_id") == "failed":
        yield from (created("resp_f"), delta("resp_f", "{}", "function_call_arguments"))
        yield done("resp_f", status="failed", status_details={"error": {"code": "oops"}})
    elif event.get("event_id") == "left":
        yield from (created("resp_l"), delta("resp_l", "hm"), LEAVE)
    else:
        yield from spoken(event)


EVENTS = [
    item("hi"),
    CREATE,
    {"type": "session.update", "session": {"type": "realtime", "instructions": "sing"}},
    {"type": "input_audio_buffer.append", "audio": AUDIO},
    {"type": "input_audio_buffer.clear"},
    {"type": "input_audio_buffer.commit"},
    {**CREATE, "event_id": "refused"},
    {**CREATE, "event_id": "failed"},
    {**CREATE, "event_id": "left"},
]


def scene() -> list[tuple[str, str]]:
    """Give the type of each event, and the error at the end."""
    with WebSocketServer(script) as server, WebSocketServer(_responding, hello=None) as other:
        return [*_sync(server.url), *asyncio.run(_async(server.url)), *_delegating(other.url)]


def _responding(event: Event) -> Iterable[Event]:
    begun = {"type": "response.created", "response": {"id": "r", "output": []}}
    failed = {"type": "response.failed", "response": {"id": "r", "error": {"code": "c", "message": "m"}}}
    if event["type"] == "response.create":
        for nested in (begun, failed, {"type": "error", "status": 400, "error": {"code": "c"}}):
            yield {"type": "response.event", "event_id": "e", "event": nested} if event.get("event_id") else nested
        yield {"type": "error", "event_id": "e", "client_event_id": "second", "error": {"code": "c"}}


def _delegating(url: str) -> list[tuple[str, str]]:
    seen = []
    with sync_client(url, websocket_base_url=url.replace("http", "ws")) as client:
        for kind in ("responses", "live"):
            if not hasattr(getattr(client, kind, None), "connect"):
                continue
            with getattr(client, kind).connect() as connection:
                if kind == "live":
                    connection.send({"type": "session.start", "session": {"delegation": {"responses": {}}}})
                    connection.send({"type": "response.item.create", "item": {"role": "user", "content": "hi"}})
                asks = {**CREATE, **({"event_id": "first"} if kind == "live" else {"model": "m", "input": "hi"})}
                connection.send(asks)
                connection.send(asks | ({"event_id": "second"} if kind == "live" else {}))
                seen += [(kind, connection.recv().type) for _ in range(8)]
    return seen


def _sync(url: str) -> list[tuple[str, str]]:
    from websockets.exceptions import ConnectionClosed

    seen = []
    with sync_client(url, websocket_base_url=url.replace("http", "ws")) as client:
        manager = client.realtime.connect(model="gpt-realtime")
        if hasattr(manager, "send"):
            manager.send(item("early"))
        with manager as connection:
            for event in EVENTS:
                connection.send(event)
            try:
                while True:
                    received = connection.recv()
                    seen.append((type(received).__name__, received.type))
            except ConnectionClosed as closed:
                seen.append((type(closed).__name__, str(closed)))
        with client.realtime.connect(model="gpt-realtime") as connection:
            connection.send({**CREATE, "response": {"conversation": "none", "input": [item("aside")["item"]]}})
            seen.append((type(connection).__name__, connection.recv().type))
    return seen


async def _async(url: str) -> list[tuple[str, str]]:
    async with (
        async_client(url, websocket_base_url=url.replace("http", "ws")) as client,
        client.realtime.connect(model="gpt-realtime") as connection,
    ):
        await connection.send(CREATE)
        seen = []
        async for event in connection:
            seen.append((type(event).__name__, event.type))
            if event.type == "response.done":
                return seen
    return seen
