"""OTLP: OpenTelemetry's own exporters, switched on by OpenTelemetry's own variables or by `otlp_endpoint=`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from ...errors import SettingError
from ...guard import guard
from ...kinds import PROTOCOL
from ...settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from .delivery import Delivery

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTERS = "OTEL_TRACES_EXPORTER"
_TRACES_PATH = "/v1/traces"
_GRPC_PORT, _HTTP_PORT = 4317, 4318


def processor(settings: Settings) -> SpanProcessor | None:
    """Give what sends spans, or None when nobody asked for it."""
    if endpoint(settings) is None:
        return None
    from .sender import Sender

    try:
        return Sender(
            partial(_delivery, settings), settings.buffer_size, settings.flush_interval, settings.otlp_shutdown_timeout
        )
    except SettingError:
        raise
    except ValueError as error:
        raise SettingError(f"an OTEL_EXPORTER_OTLP_* variable has a value that can't be used: {error}") from error


def endpoint(settings: Settings) -> str | None:
    """Give where spans are sent, or None when nobody asked for it."""
    return settings.otlp_endpoint or (_variable(_ENDPOINTS)[1] if _is_wanted_for_traces() else None)


def protocol(settings: Settings) -> str:
    """Give the protocol: the setting, OpenTelemetry's variables, or what the address stands for."""
    name, said = _variable(_PROTOCOLS)
    if settings.otlp_protocol or said:
        return settings.otlp_protocol or str(PROTOCOL.read(name, said))
    parts = _split(endpoint(settings) or "")
    return "http/protobuf" if parts.port == _HTTP_PORT or parts.path.strip("/") else "grpc"


def about(settings: Settings) -> str:
    """Say where spans are sent, and how; without a password that may be in the address."""
    parts = _split(endpoint(settings) or "")
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().removeprefix("//")
    return f"{place} ({protocol(settings)})"


def _delivery(settings: Settings) -> Delivery:
    """Make what sends batches of spans: whole, or without what was said."""
    from .._copies import unsaid, whole
    from .delivery import Delivery

    return Delivery(exporter(settings), settings.otlp_max_bytes, whole if settings.otlp_content else unsaid)


def exporter(settings: Settings) -> SpanExporter:
    """Make the exporter; OpenTelemetry's variables for headers, certificates, time-outs and compression hold."""
    target = settings.otlp_endpoint
    if protocol(settings) == "grpc":
        from . import over_grpc

        return over_grpc.Exporter(endpoint=target)
    from . import over_http

    return over_http.Exporter(_traces_url(target) if target else None)


def is_sent_by(processors: Iterable[object], settings: Settings) -> bool:
    """Say whether processors of the application's send the spans already to where we would."""
    theirs = _exporters(processors)
    if settings.otlp_endpoint is None:
        return bool(theirs)
    ours = _place(settings.otlp_endpoint)
    return any(_place(str(getattr(one, "_endpoint", ""))) == ours for one in theirs)


def tell_who_sends_content(processors: Iterable[object], settings: Settings) -> None:
    """Warn when spans are to be sent without content, but an exporter of the application's sends them as they are."""
    if not settings.otlp_content and _exporters(processors):
        guard.warn_once(
            "otlp content",
            "otlp_content=False does not hold for the application's own OTLP exporter: it sends prompts and responses. "
            "To keep them off every span, and out of the files, set capture_content=False",
        )


def _exporters(processors: Iterable[object]) -> list[Any]:
    exporters = (getattr(processor, "span_exporter", None) for processor in processors)
    return [one for one in exporters if type(one).__module__.startswith("opentelemetry.exporter.otlp")]


def _is_wanted_for_traces() -> bool:
    """Respect `OTEL_TRACES_EXPORTER`: an endpoint may be meant for metrics and logs only."""
    return "otlp" in os.environ.get(_EXPORTERS, "otlp")


def _variable(names: Iterable[str]) -> tuple[str, str | None]:
    return next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("", None))


def _place(address: str) -> tuple[str, int | None]:
    """Give what an address points at, to compare two of them; a collector's two usual ports are one place."""
    parts = _split(address)
    host = {"127.0.0.1": "localhost", "::1": "localhost"}.get(parts.hostname or "", parts.hostname or "")
    try:
        port = parts.port or _GRPC_PORT
    except ValueError:  # a target that only gRPC understands
        return address, None
    return host, _GRPC_PORT if port == _HTTP_PORT else port


def _split(address: str) -> SplitResult:
    return urlsplit(address if "://" in address else f"//{address}")


def _traces_url(address: str) -> str:
    base = address.rstrip("/")
    return base if base.endswith(_TRACES_PATH) else base + _TRACES_PATH
