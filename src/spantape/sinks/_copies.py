"""Copies of spans: a span that has ended is never changed, others hold it, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status

from ..content import without_content


def whole(span: ReadableSpan) -> ReadableSpan:
    """Give the span itself."""
    return span


def unsaid(span: ReadableSpan) -> ReadableSpan:
    """Give a copy without prompt and response, and without what may quote them: an error's message, and events."""
    return copied(span, without_content(span.attributes or {}), Status(span.status.status_code), ())


def copied(span: ReadableSpan, attributes: Mapping[str, Any], status: Status, events: Sequence[Any]) -> ReadableSpan:
    """Give a copy that differs in these."""
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=span.links,
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
