"""A scripted, OpenAI-compatible HTTP server on loopback, for tests which must not touch the network."""

from __future__ import annotations

import json
import re
import socket
import socketserver
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Reply", "Request", "ScriptedServer", "completion", "error", "stream"]

CREATED = 1_700_000_000
HOLD_LIMIT = 30.0
MODEL = "gpt-4o-mini-2024-07-18"
# The server replaces this id by "chatcmpl-<number of the request>", so that scripted replies get distinct ids too.
AUTO_ID = "chatcmpl-auto"
DATES = {"gpt-4o": "2024-08-06", "gpt-4o-mini": "2024-07-18", "gpt-4.1": "2025-04-14", "gpt-4.1-mini": "2025-04-14"}
DATES |= {"gpt-5": "2025-08-07", "gpt-5-mini": "2025-08-07", "o3": "2025-04-16", "o4-mini": "2025-04-16"}
SCALARS = {"string": "demo", "integer": 1, "number": 1, "boolean": True}


@dataclass(frozen=True)
class Request:
    """One request as the server received it (header names in lower case)."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    raw: bytes


@dataclass(frozen=True)
class Reply:
    """One scripted answer: a JSON body, `raw` bytes, or `chunks` sent as server-sent events (bytes go out as is)."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Sequence[Any] | None = None
    done: bool = True
    raw: bytes | None = None
    content_type: str | None = None
    hold: threading.Event | None = None
    hold_after: int | None = None
    cut: bool = False
    delay: float = 0.0

    def but(self, **changes: Any) -> Reply:
        """Return a copy with the given fields changed, as in `completion("Hi").but(hold=event)`."""
        return replace(self, **changes)


def completion(  # noqa: PLR0913 - keyword-only
    text: str | None = "Hello",
    *,
    model: str = MODEL,
    tool_calls: Sequence[Any] | None = None,
    finish_reason: str | None = None,
    n: int = 1,
    reasoning: str | None = None,
    refusal: str | None = None,
    usage: bool | Mapping[str, Any] | None = True,
    **extra: Any,
) -> Reply:
    """Build a chat completion; a tool call is `(name, arguments)` or the full dict, `extra` are top-level keys."""
    calls = [_full_call(number, call) for number, call in enumerate(tool_calls or (), 1)]
    # A model which calls tools or refuses says nothing else, unless the test asks for a text of its own.
    content = None if text == "Hello" and (calls or refusal) else text
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": refusal}
    message |= {"tool_calls": calls} if calls else {}
    message |= {"reasoning_content": reasoning} if reasoning is not None else {}
    choice = {"message": message, "logprobs": None, "finish_reason": finish_reason or _finish(calls)}
    body = _head("chat.completion", model) | {"choices": [{"index": index, **choice} for index in range(n)]}
    if usage:
        body["usage"] = _usage(usage, content or refusal, calls, n, reasoning)
    return Reply(body | extra)


def stream(  # noqa: PLR0913 - keyword-only
    text_or_pieces: str | Sequence[str] = "",
    *,
    tool_calls: Sequence[Any] | None = None,
    usage: bool | Mapping[str, Any] | None = None,
    model: str = MODEL,
    finish_reason: str | None = None,
    n: int = 1,
    reasoning: str | None = None,
    refusal: str | None = None,
    **extra: Any,
) -> Reply:
    """Build a streamed completion, in the given pieces or in pieces of a few characters; `extra` goes in each chunk."""
    calls = [_full_call(number, call) for number, call in enumerate(tool_calls or (), 1)]
    pieces = _pieces(text_or_pieces) if isinstance(text_or_pieces, str) else list(text_or_pieces)
    deltas = [*_text_deltas(pieces, reasoning, refusal, bool(calls)), *_call_deltas(calls)]
    choices: list[dict[str, Any]] = [{"delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas]
    choices.append({"delta": {}, "logprobs": None, "finish_reason": finish_reason or _finish(calls)})
    # As at OpenAI, each chunk has a usage when one is asked for, and it is null in all but the last.
    head = _head("chat.completion.chunk", model) | ({"usage": None} if usage else {}) | extra
    chunks = [head | {"choices": [{"index": index, **choice}]} for choice in choices for index in range(n)]
    if usage:
        total = _usage(usage, "".join(pieces) or refusal, calls, n, reasoning)
        chunks.append(head | {"choices": [], "usage": total})
    return Reply(chunks=chunks)


def error(
    status: int,
    message: str,
    *,
    type: str = "invalid_request_error",  # noqa: A002 - the name of the field in the API
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Build an error answer in OpenAI's format."""
    body = {"error": {"message": message, "type": type, "param": None, "code": code}}
    return Reply(body, status=status, headers=headers or {})


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": AUTO_ID, "object": kind, "created": CREATED, "model": model}


def _finish(calls: Sequence[Any]) -> str:
    return "tool_calls" if calls else "stop"


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _pieces(text: str, size: int = 4) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def _full_call(number: int, call: Any) -> dict[str, Any]:
    if isinstance(call, Mapping):
        return dict(call)
    name, arguments = call
    text = arguments if isinstance(arguments, str) else _dumps(arguments)
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": text}}


def _tokens(text: str) -> int:
    return len(text) // 4 + 1


def _usage(asked: bool | Mapping[str, Any], text: str | None, calls: Sequence[Any], n: int, thought: str | None) -> Any:
    if not isinstance(asked, bool):
        return dict(asked)
    return _count(10, (text or "") + "".join(call["function"]["arguments"] for call in calls), n, thought)


def _count(prompt_tokens: int, text: str, n: int, reasoning: str | None = None) -> dict[str, Any]:
    thought = _tokens(reasoning) * n if reasoning else 0
    written = _tokens(text) * n + thought
    usage: dict[str, Any] = {"prompt_tokens": prompt_tokens, "completion_tokens": written}
    usage |= {"total_tokens": prompt_tokens + written, "prompt_tokens_details": {"cached_tokens": 0}}
    return usage | {"completion_tokens_details": {"reasoning_tokens": thought}}


def _text_deltas(pieces: list[str], reasoning: str | None, refusal: str | None, calls: bool) -> Iterator[Any]:
    yield {"role": "assistant", "content": None if calls and not pieces else "", "refusal": None}
    yield from ({"reasoning_content": piece} for piece in _pieces(reasoning or ""))
    yield from ({"content": piece} for piece in pieces)
    yield from ({"refusal": piece} for piece in _pieces(refusal or ""))


def _call_deltas(calls: list[dict[str, Any]]) -> Iterator[Any]:
    for index, call in enumerate(calls):
        # The first delta of a call names it; the arguments follow in pieces which only carry the index.
        yield {"tool_calls": [{"index": index, **call, "function": {**call["function"], "arguments": ""}}]}
        for piece in _pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _default_reply(request: Request) -> Reply:
    path = request.path.partition("?")[0]
    if request.method == "POST" and path.endswith("/chat/completions"):
        return _chat(request.body, path)
    if request.method == "GET" and path.endswith("/models"):
        models = [{"id": name, "object": "model", "created": CREATED, "owned_by": "test"} for name in DATES]
        return Reply({"object": "list", "data": models})
    return error(404, f"Unknown request URL: {request.method} {path}", code="unknown_url")


def _chat(body: Any, path: str) -> Reply:
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return error(400, "Missing required parameter: 'messages'.", code="missing_required_parameter")
    n, call = body.get("n") or 1, _default_call(body, messages)
    text = None if call else _default_text(body, messages)
    prompt = _tokens("".join(_content(message) for message in messages))
    usage = _count(prompt, text or call[0][1], n)
    model = _dated_model(body, path)
    if body.get("stream"):
        wanted = usage if (body.get("stream_options") or {}).get("include_usage") else None
        return stream(text or "", tool_calls=call, usage=wanted, model=model, n=n)
    return completion(text, tool_calls=call, usage=usage, model=model, n=n)


def _content(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content if isinstance(part, dict))


def _dated_model(body: dict[str, Any], path: str) -> str:
    # Azure's clients may leave the model out of the body, as the deployment in the path decides.
    deployment = re.search(r"/deployments/([^/]+)/", path)
    name = str(body.get("model") or (deployment[1] if deployment else "gpt-4o-mini"))
    return f"{name}-{DATES[name]}" if name in DATES else name


def _default_call(body: dict[str, Any], messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    functions = [tool["function"] for tool in body.get("tools") or () if "function" in tool]
    answered = any(message.get("role") == "tool" for message in messages)
    if not functions or answered or body.get("tool_choice") == "none":
        return []
    schema = functions[0].get("parameters") or {"type": "object"}
    return [(functions[0]["name"], _dumps(_made_up(schema, schema)))]


def _default_text(body: dict[str, Any], messages: list[dict[str, Any]]) -> str:
    said = next((_content(message) for message in reversed(messages) if message.get("role") == "user"), "")
    text = f"You said: {said}"
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        schema = form["json_schema"].get("schema") or {"type": "object"}
        return _dumps(_made_up(schema, schema))
    return _dumps({"answer": text}) if form.get("type") == "json_object" else text


def _made_up(schema: Any, root: Any, depth: int = 0) -> Any:
    """Return a value which fits the schema, with the required properties only."""
    schema = _resolved(schema, root, depth)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "null")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _made_up(properties.get(name, {}), root, depth + 1) for name in schema.get("required", ())}
    if kind == "array":
        return [_made_up(schema.get("items", {}), root, depth + 1)] * schema.get("minItems", 0)
    return SCALARS.get(kind)


def _resolved(schema: Any, root: Any, depth: int) -> Any:
    while True:
        options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if "$ref" in schema:
            target = root
            for key in schema["$ref"].split("/")[1:]:
                target = target[key]
            schema = target
        elif options:
            # A schema which contains itself has to end somewhere: deep inside, null is the better choice.
            schema = next((option for option in options if depth > 4 and option.get("type") == "null"), options[0])
        else:
            return schema


class ScriptedServer:
    """An HTTP server which answers as OpenAI does: with the queued replies first, then with made-up ones."""

    def __init__(self) -> None:
        self.requests: deque[Request] = deque(maxlen=1000)
        self._queue: deque[Reply] = deque()
        self._received = 0
        self._arrival = threading.Condition()
        self._closing = threading.Event()
        self._http: _HTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The base URL for a client; it stays the same after `close`, for tests of a server which went away."""
        if not self._port:
            raise RuntimeError("the server was not started")
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> ScriptedServer:
        """Listen on a free port; nothing happens when the server runs already."""
        if self._http is None:
            self._closing.clear()
            self._http = _HTTPServer(self)
            self._port = self._http.server_address[1]
            # A short poll interval, because that is how long `close` may take.
            self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
            self._thread.start()
        return self

    def close(self) -> None:
        """Drop all connections, held ones too, and wait until every thread of the server has ended."""
        http, thread, self._http = self._http, self._thread, None
        if http is None or thread is None:
            return
        self._closing.set()
        http.shutdown()
        thread.join()
        http.server_close()
        http.drop_connections()

    def __enter__(self) -> ScriptedServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def replies(self, *replies: Reply) -> None:
        """Queue answers for the next requests, of whatever kind these are."""
        self._queue.extend(replies)

    def wait_for(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until `count` requests in all have arrived, and tell whether they did."""
        with self._arrival:
            return self._arrival.wait_for(lambda: self._received >= count, timeout)

    def _take(self, request: Request) -> tuple[int, Reply]:
        with self._arrival:
            self._received += 1
            self.requests.append(request)
            reply = self._queue.popleft() if self._queue else None
            self._arrival.notify_all()
            number = self._received
        return number, reply or _default_reply(request)

    def _pause(self, seconds: float, event: threading.Event | None = None) -> None:
        end = time.monotonic() + seconds
        # Polling, as setting the caller's event on close would be a surprise for whoever shares it.
        while (left := end - time.monotonic()) > 0 and not (event and event.is_set()):
            step = min(left, 0.005) if event else left
            if self._closing.wait(step):
                raise ConnectionAbortedError("the server is closing")


class _HTTPServer(ThreadingHTTPServer):
    # The default backlog of 5 makes a burst of concurrent clients wait for a whole second.
    request_queue_size = 256

    def __init__(self, owner: ScriptedServer) -> None:
        self.owner = owner
        self._connections: dict[threading.Thread, Any] = {}
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's own: it looks the host name up, which takes seconds where there is no DNS.
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        # ThreadingMixIn forgets its daemon threads, but `close` has to wait for them.
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._connections = {t: s for t, s in self._connections.items() if t.is_alive()} | {thread: request}
        thread.start()

    def drop_connections(self) -> None:
        for thread, connection in self._connections.items():
            with suppress(OSError):  # it may be closed already
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients which go away are what tests of cancellation are about; anything else is a bug worth a traceback.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _HTTPServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        number, reply = self.server.owner._take(self._request())
        if reply.chunks is None or reply.hold_after is None:
            self._hold(reply)
        if reply.chunks is not None:
            self._send_stream(number, reply)
        elif not reply.cut:
            self._send_plain(number, reply)
        self.close_connection = self.close_connection or reply.cut

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - names given by http.server

    def _request(self) -> Request:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, self.path, headers, body, raw)

    def _hold(self, reply: Reply) -> None:
        if reply.hold is not None:
            self.server.owner._pause(HOLD_LIMIT, reply.hold)

    def _send_head(self, number: int, reply: Reply, **headers: str) -> None:
        usual = {"x-request-id": f"req_{number}", "openai-processing-ms": "12", "openai-organization": "test"}
        usual |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.send_response(reply.status)
        for name, value in (usual | {name.lower(): value for name, value in reply.headers.items()}).items():
            self.send_header(name, value)
        self.end_headers()

    def _send_plain(self, number: int, reply: Reply) -> None:
        data = reply.raw if reply.raw is not None else _encoded(reply.body, number)
        content_type = reply.content_type or "application/json"
        self._send_head(number, reply, content_type=content_type, content_length=str(len(data)))
        self.wfile.write(data)

    def _send_stream(self, number: int, reply: Reply) -> None:
        events = [_event(chunk, number) for chunk in reply.chunks or ()]
        end = b"" if reply.cut else (_http_chunk(b"data: [DONE]\n\n") if reply.done else b"") + b"0\r\n\r\n"
        content_type = reply.content_type or "text/event-stream; charset=utf-8"
        self._send_head(number, reply, content_type=content_type, transfer_encoding="chunked")
        hold_at = None if reply.hold_after is None else min(reply.hold_after, len(events))
        for index, data in enumerate([*map(_http_chunk, events), end]):
            if index == hold_at:
                self._hold(reply)
            self.server.owner._pause(reply.delay if index else 0)
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Print nothing: the tests look at `ScriptedServer.requests` instead."""


def _encoded(value: Any, number: int) -> bytes:
    if isinstance(value, dict) and value.get("id") == AUTO_ID:
        value = {**value, "id": f"chatcmpl-{number}"}
    return _dumps(value).encode()


def _event(chunk: Any, number: int) -> bytes:
    return chunk if isinstance(chunk, bytes) else b"data: " + _encoded(chunk, number) + b"\n\n"


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
