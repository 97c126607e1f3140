"""What a span takes on the wire, at most: counted, not encoded, since the exporter will encode it anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

# Ids, times, kind, flags and counts of a span, of an event, of a link: with all their tags less than this.
_SPAN, _EVENT, _LINK = 160, 32, 64
# Two tags with their lengths: what surrounds a key, a value, or an item of a list. A number fits beside them.
_FRAME, _NUMBER = 12, 10


def weight(span: ReadableSpan) -> int:
    """Give how many bytes an OTLP request with this span alone has at most; a few dozen per attribute too many."""
    return (
        _SPAN
        + _text(span.name)
        + _text(span.status.description)
        + _state(span.context)
        + _pairs(span.attributes)
        + sum(_EVENT + _text(event.name) + _pairs(event.attributes) for event in span.events)
        + sum(_LINK + _state(link.context) + _pairs(link.attributes) for link in span.links)
        + _origin(span)
    )


def _origin(span: ReadableSpan) -> int:
    """Weigh resource and scope: a request has them once, but with whom a span will travel is not known yet."""
    resource, scope = span.resource, span.instrumentation_scope
    size = 8 * _FRAME + _pairs(resource.attributes) + _text(resource.schema_url)
    if scope is not None:
        size += _text(scope.name) + _text(scope.version) + _text(scope.schema_url) + _pairs(scope.attributes)
    return size


def _pairs(attributes: Mapping[str, Any] | None) -> int:
    return sum(_FRAME + _text(key) + _value(value) for key, value in (attributes or {}).items())


def _value(value: object) -> int:
    if isinstance(value, str):
        return _FRAME + _text(value)
    if isinstance(value, bytes):
        return _FRAME + len(value)
    if isinstance(value, Mapping):
        return _FRAME + _pairs(value)
    if isinstance(value, Sequence):
        return _FRAME + sum(map(_value, value))
    return _FRAME + _NUMBER


def _text(value: str | None) -> int:
    if not value:
        return 0
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))


def _state(context: Any) -> int:
    state = getattr(context, "trace_state", None)
    return sum(2 + _text(key) + _text(value) for key, value in state.items()) if state else 0
