"""The server itself."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .answers import default_reply
from .replies import AUTO_ID, Reply, dumps
from .request import Request, read_body
from .responses import AUTO_RESPONSE_ID

HOLD_LIMIT = 30.0
_RESPONSE_ID = dumps(AUTO_RESPONSE_ID).encode()


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
        return number, reply or default_reply(request)

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
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, self.path, headers, read_body(headers, raw), raw)

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
    # A response's id lies inside its events.
    return dumps(value).encode().replace(_RESPONSE_ID, f'"resp_{number}"'.encode())


def _event(chunk: Any, number: int) -> bytes:
    return chunk if isinstance(chunk, bytes) else b"data: " + _encoded(chunk, number) + b"\n\n"


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
