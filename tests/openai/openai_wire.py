"""The real client over a transport that answers from memory: thousands of calls in a few seconds."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import openai

HTTP: Any = importlib.import_module("httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx")

Headers = Sequence[tuple[bytes, bytes]]
JSON: Headers = [(b"content-type", b"application/json"), (b"x-request-id", b"req_1")]
EVENTS: Headers = [(b"content-type", b"text/event-stream"), (b"x-request-id", b"req_1")]


class Parts(HTTP.SyncByteStream, HTTP.AsyncByteStream):  # type: ignore[misc]
    """The bytes of an answer, part by part; with `cut` the connection breaks behind the last one."""

    def __init__(self, parts: Sequence[bytes], *, cut: bool = False) -> None:
        self._parts, self._cut = parts, cut

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts
        if self._cut:
            raise HTTP.ReadError("the connection broke")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


def whole(body: object, headers: Headers = JSON, status: int = 200) -> Any:
    """Give an answer in one piece: bytes as they are, everything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HTTP.Response(status, headers=list(headers), content=data)


def streamed(parts: Sequence[bytes], headers: Headers = EVENTS, *, cut: bool = False) -> Any:
    """Give an answer that comes in parts."""
    return HTTP.Response(200, headers=list(headers), stream=Parts(parts, cut=cut))


def event(chunk: Any) -> bytes:
    """Give a chunk as a server-sent event; one with a type is an event of that name, as OpenAI has it."""
    named = isinstance(chunk, dict) and isinstance(chunk.get("type"), str) and chunk["type"].isascii()
    name = f"event: {chunk['type']}\n".encode() if named else b""
    return name + b"data: " + json.dumps(chunk).encode() + b"\n\n"


def events(chunks: Sequence[Any]) -> list[bytes]:
    """Give a whole stream."""
    return [*map(event, chunks), b"data: [DONE]\n\n"]


class Wire:
    """Answers each request with what `answer(request)` makes, and keeps what was sent last."""

    def __init__(self, answer: Callable[[Any], Any] = lambda _: whole({})) -> None:
        self.answer = answer
        self.sent = b""

    def __call__(self, request: Any) -> Any:
        boundary = re.search(r"boundary=(\w+)", request.headers.get("content-type", ""))
        data = request.read()
        self.sent = data.replace(boundary[1].encode(), b"boundary") if boundary else data
        return self.answer(request)

    def client(self, kind: type[Any] = openai.OpenAI) -> Any:
        """Give a client, sync or async, that asks here."""
        transport = HTTP.MockTransport(self)
        http = HTTP.AsyncClient if issubclass(kind, openai.AsyncOpenAI) else HTTP.Client
        return kind(
            base_url="https://api.openai.com/v1",
            api_key="test",
            max_retries=0,
            http_client=http(transport=transport),
        )
