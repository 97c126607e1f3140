"""`Post`: one OTLP/HTTP request, of which it is known whether it was taken."""

from __future__ import annotations

import http.client
import os
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.util.re import parse_env_headers

from ...errors import PushError

_PATH = "/v1/traces"
_TIMEOUT = 30.0
_FOR_GOOD = frozenset({400, 413, 422})


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """The receiver won't take this request, however often it is sent."""


class NotTaken(Exception):  # noqa: N818
    """The receiver has certainly not taken the request; it may do so later."""


class Post:
    """Sends requests to a collector; OpenTelemetry's variables for headers and certificates hold."""

    def __init__(self, endpoint: str) -> None:
        base = endpoint.rstrip("/")
        self.address = base if base.endswith(_PATH) else base + _PATH
        self._parts = urlsplit(self.address)
        self._headers = {
            "content-type": "application/x-protobuf",
            **parse_env_headers(_variable("HEADERS"), liberal=True),
        }

    def __call__(self, data: bytes) -> int:
        """Send a request; gives how many of its spans were refused all the same.

        Raises `Refused`, `NotTaken`, and `PushError` when it is not known what became of it.
        """
        connection = self._connected()
        try:
            connection.request("POST", self._parts.path, data, self._headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise PushError(
                f"{self.address} did not answer as OTLP over HTTP does, whose usual port is 4318 "
                f"({type(error).__name__}: {error}); what was sent last may have arrived; force=True sends all again"
            ) from error
        finally:
            connection.close()
        if answer.status in _FOR_GOOD:
            raise Refused(f"HTTP {answer.status}")
        if answer.status >= 300:
            raise NotTaken(f"HTTP {answer.status} {answer.reason}")
        return _refused_in(said)

    def _connected(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        if self._parts.scheme == "https":
            trusted = ssl.create_default_context(cafile=_variable("CERTIFICATE") or None)
            connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=trusted)
        try:
            connection.connect()
        except OSError as error:
            raise NotTaken(f"{type(error).__name__}: {error}") from error
        return connection


def _refused_in(said: bytes) -> int:
    with suppress(DecodeError):  # it may answer in JSON, or whatever
        return int(ExportTraceServiceResponse.FromString(said).partial_success.rejected_spans)
    return 0


def _variable(name: str) -> str:
    names = (f"OTEL_EXPORTER_OTLP_TRACES_{name}", f"OTEL_EXPORTER_OTLP_{name}")
    return next(filter(None, map(os.environ.get, names)), None) or ""
