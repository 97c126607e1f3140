"""A local websocket server that plays a script, and what the Realtime API says in one."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

Event = dict[str, Any]
Script = Callable[[Event], Iterable[Event]]
HELLO: Event = {
    "type": "session.created",
    "event_id": "event_1",
    "session": {
        "type": "realtime",
        "id": "sess_1",
        "model": "gpt-realtime",
        "instructions": "be brief",
        "output_modalities": ["audio"],
        "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}, "output": {"voice": "marin"}},
        "tools": [{"type": "function", "name": "weather", "parameters": {}}],
        "client_secret": {"value": "ek_secret"},
    },
}
DROP: Event = {"type": "drop the connection"}
LEAVE: Event = {"type": "close the connection"}
USAGE = {
    "total_tokens": 30,
    "input_tokens": 20,
    "output_tokens": 10,
    "input_token_details": {
        "text_tokens": 12,
        "audio_tokens": 8,
        "image_tokens": 0,
        "cached_tokens": 6,
        "cached_tokens_details": {"text_tokens": 4, "audio_tokens": 2},
    },
    "output_token_details": {"text_tokens": 3, "audio_tokens": 7},
}


class WebSocketServer:
    """Answers each event of a client with those that `script(event)` gives; keeps what it received."""

    def __init__(self, script: Script, hello: Event | None = HELLO) -> None:
        self.received: list[Event] = []
        self._script, self._hello = script, hello
        self._server = serve(self._serve, "127.0.0.1", 0, max_size=None)
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.received]

    def __enter__(self) -> WebSocketServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)

    def _serve(self, connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            self._play(connection, [self._hello] if self._hello else [])
            for message in connection:
                event = json.loads(message)
                self.received.append(event)
                self._play(connection, self._script(event))

    def _play(self, connection: ServerConnection, events: Iterable[Event]) -> None:
        for event in events:
            if event is DROP:
                connection.socket.shutdown(socket.SHUT_RDWR)
                raise ConnectionClosed(None, None)
            if event is LEAVE:
                connection.close(1001, "going away")
            else:
                connection.send(json.dumps(event))


_ids = itertools.count(1)


def created(response_id: str | None = None, **more: Any) -> Event:
    response_id = response_id or f"resp_{next(_ids)}"
    about = {"id": response_id, "object": "realtime.response", "status": "in_progress", "conversation_id": "conv_1"}
    return {"type": "response.created", "event_id": "e", "response": {**about, "output": [], **more}}


def delta(response_id: str, said: str, kind: str = "output_text", item: str = "item_1") -> Event:
    place = {"response_id": response_id, "item_id": item, "output_index": 0, "content_index": 0}
    return {"type": f"response.{kind}.delta", "event_id": "e", **place, "delta": said}


def done(response_id: str, *output: Event, status: str = "completed", **more: Any) -> Event:
    about = {"id": response_id, "object": "realtime.response", "status": status, "conversation_id": "conv_1"}
    return {"type": "response.done", "event_id": "e", "response": {**about, "output": list(output), **more}}


def said(text: str, kind: str = "output_text") -> Event:
    part = {"type": kind, "transcript" if "audio" in kind else "text": text}
    return {"id": "item_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def spoken(event: Event, text: str = "hello") -> Iterator[Event]:
    """Answer as the Realtime API does."""
    if event["type"] == "response.create":
        begin = created(metadata=event.get("response", {}).get("metadata"))
        response_id = begin["response"]["id"]
        yield begin
        yield delta(response_id, text[:2])
        yield delta(response_id, text[2:])
        yield done(response_id, said(text), usage=USAGE, metadata=begin["response"]["metadata"])


def item(text: str, role: str = "user") -> Event:
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": role, "content": content}}


CREATE: Event = {"type": "response.create"}
