"""OTLP over gRPC: OpenTelemetry's exporter, which alone would send again for a minute what was refused for its size."""

from __future__ import annotations

from typing import Any

import grpc  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

from .refused import Refused

_FOR_SIZE = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OUT_OF_RANGE})
_RETRY_INFO = "google.rpc.retryinfo-bin"


class Exporter(OTLPSpanExporter):
    """Raises `Refused` when the receiver won't take a request, however often it is sent."""

    # The exporter makes its stub anew after a broken connection. Should a later version keep it elsewhere, this is
    # never asked, and a refused batch is lost after the exporter's own attempts.
    @property
    def _client(self) -> Any:
        return self.__dict__.get("_watched")

    @_client.setter
    def _client(self, stub: Any) -> None:
        self.__dict__["_watched"] = None if stub is None else _Watched(stub)


class _Watched:
    """A stub whose refusals are no `grpc.RpcError`, which the exporter would meet by trying again."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def Export(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - gRPC's name
        try:
            return self._stub.Export(*args, **kwargs)
        except grpc.RpcError as error:
            refused = _refusal(error)
            if refused is None:
                raise
            raise refused from None


def _refusal(error: Any) -> Refused | None:
    code = error.code()
    # With this beside it, OTLP has it mean: later. Without, it is no use to try again.
    later = _RETRY_INFO in dict(error.trailing_metadata() or ())
    if later or (code not in _FOR_SIZE and code is not grpc.StatusCode.INVALID_ARGUMENT):
        return None
    return Refused(f"{code.name}: {error.details()}", for_size=code in _FOR_SIZE)
