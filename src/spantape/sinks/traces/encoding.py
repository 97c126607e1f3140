"""OTLP's JSON encoding: that of protobuf, but for ids, which are hex instead of base64, and enumerations, numbers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ... import jsontext
from ...content import is_content
from ...jsontext import Json

_IDS = ("traceId", "spanId", "parentSpanId")


def line(request: ExportTraceServiceRequest) -> bytes:
    """Give a request as JSON on one line."""
    plain = json_format.MessageToDict(request, use_integers_for_enums=True)
    for span in _spans(plain):
        _change_ids(span, lambda text: base64.b64decode(text).hex())
    return jsontext.dumps(plain)


def request(data: bytes, *, content: bool = True) -> ExportTraceServiceRequest:
    """Read a line, without what was said if that is not wanted; raises `ValueError` when it is no request."""
    plain = jsontext.loads(data)
    try:
        for span in _spans(plain):
            _change_ids(span, lambda text: base64.b64encode(bytes.fromhex(text)).decode())
            if not content:
                _keep_quiet(span)
        made = ExportTraceServiceRequest()
        json_format.ParseDict(plain, made, ignore_unknown_fields=True)
    except (json_format.ParseError, AttributeError, TypeError) as error:
        raise ValueError(f"this is no OTLP/JSON: {error}") from error
    return made


def _spans(plain: Json) -> Iterator[Json]:
    for resource in plain.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            yield from scope.get("spans", ())


def _change_ids(span: Json, change: Callable[[str], str]) -> None:
    for holder in (span, *span.get("links", ())):
        for name in _IDS:
            if name in holder:
                holder[name] = change(holder[name])


def _keep_quiet(span: Json) -> None:
    """Remove prompt and response, and what may quote them: an error's message, and events."""
    span["attributes"] = [pair for pair in span.get("attributes", ()) if not is_content(pair["key"])]
    span.get("status", {}).pop("message", None)
    span.pop("events", None)
