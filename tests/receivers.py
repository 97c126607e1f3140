"""OTLP receivers, gRPC and HTTP, that keep what they are sent."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
SOON = RetryInfo(retry_delay=Duration(nanos=10_000_000))


class Received:
    """The spans that arrived at `url`, each a dict of trace_id, span_id, parent_id, scope, attributes and resource."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[dict[str, Any]] = []
        self.requests: list[int] = []
        self.headers: list[dict[str, str]] = []
        self.judge: Callable[[bytes], int] = lambda request: 200
        """Gives the HTTP status code to answer a request with; over gRPC, what stands for it there."""
        self.rejects: int = 0
        """How many spans of each request to reject, taking the others."""
        self.refused: list[int] = []
        """How large the requests were that were not taken."""

    def takes(self, request: ExportTraceServiceRequest) -> int:
        status = self.judge(request.SerializeToString())
        if status != 200:
            self.refused.append(request.ByteSize())
        return status

    def take(self, request: ExportTraceServiceRequest) -> ExportTraceServiceResponse:
        self.requests.append(request.ByteSize())
        for group in request.resource_spans:
            resource = attributes(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += [flat(span) | {"resource": resource, "scope": scope.scope.name} for span in scope.spans]
        return ExportTraceServiceResponse(partial_success={"rejected_spans": self.rejects})

    @property
    def ours(self) -> list[dict[str, Any]]:
        return [span for span in self.spans if span["scope"].startswith("spantape")]


def flat(span: Any) -> dict[str, Any]:
    return {
        "name": span.name,
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_id": span.parent_span_id.hex() or None,
        "status": span.status.message,
        "attributes": attributes(span.attributes),
    }


def attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: value_of(pair.value) for pair in pairs}


def value_of(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(item) for item in value.array_value.values]
    return getattr(value, kind)


@contextmanager
def grpc_receiver() -> Iterator[Received]:
    received = Received()

    class Service(TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
            status = received.takes(request)
            if status == 429:
                context.set_trailing_metadata((("google.rpc.retryinfo-bin", SOON.SerializeToString()),))
            if status != 200:
                context.abort(CODES[status], "no")
            return received.take(request)

    server = grpc.server(ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(Service(), server)
    received.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield received
    finally:
        server.stop(None).wait()


@contextmanager
def http_receiver() -> Iterator[Received]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            received.headers.append({"path": self.path, **dict(self.headers.items())})
            data = gzip.decompress(data) if self.headers.get("content-encoding") == "gzip" else data
            request = ExportTraceServiceRequest.FromString(data)
            status = received.takes(request)
            answer = received.take(request).SerializeToString() if status == 200 else b""
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
