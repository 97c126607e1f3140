"""Spans as lines: one ExportTraceServiceRequest each, in the JSON encoding of OTLP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan

from ...guard import guard
from ...moments import local
from . import encoding


def lines(
    folder: Path, most: int, change: encoding.Change, spans: Sequence[ReadableSpan]
) -> Iterator[tuple[Path, bytes]]:
    """Give the lines of the sampled spans, those of one day together; what is not sampled is nobody's to send."""
    days: dict[str, list[ReadableSpan]] = {}
    for span in spans:
        if span.context.trace_flags.sampled:
            days.setdefault(local(span.start_time)[:10], []).append(span)
    for day, group in days.items():
        with guard:
            for request in _requests(group, most):
                yield folder / f"{day}.jsonl", encoding.line(request, change)


def _requests(spans: Sequence[ReadableSpan], most: int) -> Iterator[ExportTraceServiceRequest]:
    """Give requests that a receiver takes, unless a single span is larger."""
    request = encode_spans(spans)
    if len(spans) == 1 or request.ByteSize() <= most:
        yield request
    else:
        middle = len(spans) // 2
        yield from _requests(spans[:middle], most)
        yield from _requests(spans[middle:], most)
