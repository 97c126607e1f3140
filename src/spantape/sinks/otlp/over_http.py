"""OTLP over HTTP: OpenTelemetry's exporter, which alone would not tell why a request failed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from .refused import Refused

_BAD_REQUEST, _TOO_LARGE = 400, 413
_PROVIDERS = ("TRACES_CREDENTIAL_PROVIDER", "CREDENTIAL_PROVIDER")


class Exporter(OTLPSpanExporter):
    """Raises `Refused` when the receiver won't take a request, however often it is sent."""

    def __init__(self, endpoint: str | None) -> None:
        self._refused: Refused | None = None
        super().__init__(endpoint=endpoint, session=self._session_of_ours())

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; raises `Refused`."""
        self._refused = None
        result = super().export(spans)
        if self._refused is not None:
            raise self._refused
        return result

    def _session_of_ours(self) -> Any:
        """Give a session that shows us each answer; None where OpenTelemetry's variables have another one made."""
        if any(os.environ.get(f"OTEL_PYTHON_EXPORTER_OTLP_HTTP_{name}") for name in _PROVIDERS):
            return None
        from requests import Session

        session = Session()
        session.hooks["response"].append(self._look)
        return session

    def _look(self, response: Any, **_: object) -> None:
        status = response.status_code
        self._refused = None
        if status in {_BAD_REQUEST, _TOO_LARGE}:
            self._refused = Refused(f"HTTP {status} {response.reason}", for_size=status == _TOO_LARGE)
