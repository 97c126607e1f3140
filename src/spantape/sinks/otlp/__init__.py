"""OTLP: OpenTelemetry's own exporters, switched on by OpenTelemetry's own variables or by `otlp_endpoint=`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from ...settings import Settings

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_TRACES_PATH = "/v1/traces"


def endpoint(settings: Settings) -> str | None:
    """Give where spans are sent, or None when nobody asked for it."""
    return settings.otlp_endpoint or next(filter(None, map(os.environ.get, _ENDPOINTS)), None)


def protocol(settings: Settings) -> str:
    """Give the protocol: the setting, OpenTelemetry's variables, or what the port stands for."""
    said = settings.otlp_protocol or next(filter(None, map(os.environ.get, _PROTOCOLS)), None)
    return said or ("http/protobuf" if _port(endpoint(settings) or "") == 4318 else "grpc")


def exporter(settings: Settings) -> SpanExporter:
    """Make the exporter; OpenTelemetry's variables for headers, certificates, time-outs and compression hold."""
    target = settings.otlp_endpoint
    if protocol(settings) == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(endpoint=target)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    return Http(endpoint=_traces_url(target) if target else None)


def host_and_port(address: str) -> tuple[str | None, int | None]:
    """Give what an OTLP address points at, to compare two of them."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    host = {"127.0.0.1": "localhost", "::1": "localhost"}.get(parts.hostname or "", parts.hostname)
    return host, parts.port or (4318 if parts.path else 4317)


def _traces_url(address: str) -> str:
    return address if urlsplit(address).path.strip("/") else address.rstrip("/") + _TRACES_PATH


def _port(address: str) -> int | None:
    return host_and_port(address)[1] if address else None
