"""OTLP's JSON encoding: that of protobuf, but for ids, which are hex instead of base64, and enumerations, numbers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import TypeAlias

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ... import jsontext
from ...content import is_content
from ...jsontext import Json

Change: TypeAlias = Callable[[Json], object]
"""Changes a span, in place."""

_IDS = ("traceId", "spanId", "parentSpanId")


def line(request: ExportTraceServiceRequest, change: Change) -> bytes:
    """Give a request as JSON on one line, with the spans changed as is asked for."""
    plain = json_format.MessageToDict(request, use_integers_for_enums=True)
    for span in _spans(plain):
        _change_ids(span, lambda text: base64.b64decode(text).hex())
        change(span)
    return jsontext.dumps(plain)


def request(data: bytes, change: Change) -> ExportTraceServiceRequest:
    """Read a line, and change the spans as is asked for; raises `ValueError` when it is no request."""
    plain = jsontext.loads(data)
    try:
        for span in _spans(plain):
            _change_ids(span, lambda text: base64.b64encode(bytes.fromhex(text)).decode())
            change(span)
        made = ExportTraceServiceRequest()
        json_format.ParseDict(plain, made, ignore_unknown_fields=True)
    except (json_format.ParseError, AttributeError, TypeError) as error:
        raise ValueError(f"this is no OTLP/JSON: {error}") from error
    return made


def silent(span: Json) -> None:
    """Remove prompt and response, and what may quote them: an error's message, and events."""
    span["attributes"] = [pair for pair in span.get("attributes", ()) if not is_content(pair["key"])]
    span.get("status", {}).pop("message", None)
    span.pop("events", None)


def said(change: Callable[[Json], Json]) -> Change:
    """Give what changes the attributes that hold what was said."""
    return lambda span: _change_content(span, change)


def _change_content(span: Json, change: Callable[[Json], Json]) -> None:
    for pair in span.get("attributes", ()):
        if is_content(pair["key"]):
            pair["value"] = change(pair["value"])


def _spans(plain: Json) -> Iterator[Json]:
    for resource in plain.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            yield from scope.get("spans", ())


def _change_ids(span: Json, change: Callable[[str], str]) -> None:
    for holder in (span, *span.get("links", ())):
        for name in _IDS:
            if name in holder:
                holder[name] = change(holder[name])
