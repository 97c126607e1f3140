"""Copies of spans for the wire, without what was said or with less of it: the files keep the span as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status

from ... import semconv
from ...content import CONTENT
from ...jsontext import Json, loads_or, text
from .cuts import cut_parts, cut_said
from .weight import weight

_PARTS = frozenset({semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES, semconv.TOOL_DEFINITIONS})
_LONG = CONTENT | {semconv.METADATA, semconv.TOPIC}
_LEAST_CHARS = 64
"""A shorter text is not cut any more: not the ids and sha256 sums beside the long ones, either."""


def whole(span: ReadableSpan) -> ReadableSpan:
    """Give the span itself."""
    return span


def unsaid(span: ReadableSpan) -> ReadableSpan:
    """Give a copy without prompt and response, and without what may quote them: an error's message, and events."""
    found = {name: value for name, value in (span.attributes or {}).items() if name not in CONTENT}
    return _copy(span, found, Status(span.status.status_code), ())


def fitted(span: ReadableSpan, most: int) -> ReadableSpan | None:
    """Give a copy that takes at most `most` bytes; None when it can't be made so small.

    The longest texts are cut first. Where that is not enough, whole attributes go, content before everything else.
    """
    found = _Content.of(span)
    for attributes in found.ever_less(most):
        copy = _copy(span, attributes, _status(span, attributes), span.events)
        if weight(copy) <= most:
            return copy
    bare = _copy(span, found.without([*found.given]), Status(span.status.status_code), ())
    return bare if weight(bare) <= most else None


@dataclass(frozen=True)
class _Content:
    """The attributes of a span, and the plain JSON of those that can be cut."""

    given: Mapping[str, Any]
    plain: Mapping[str, Json]

    @classmethod
    def of(cls, span: ReadableSpan) -> _Content:
        given = span.attributes or {}
        said = {name: value for name, value in given.items() if name in _LONG and isinstance(value, str)}
        return cls(given, {name: loads_or(value) or value for name, value in said.items()})

    def ever_less(self, chars: int) -> Iterator[dict[str, Any]]:
        while chars > _LEAST_CHARS:
            chars = max(_LEAST_CHARS, chars * 3 // 4)
            yield self.cut(chars)
        left = {name: len(str(value)) for name, value in self.cut(chars).items()}
        order = sorted(self.given, key=lambda name: (name not in CONTENT, -left[name]))
        for count in range(1, len(order)):
            yield self.without(order[:count])

    def cut(self, chars: int) -> dict[str, Any]:
        """Give all attributes, with no text in them longer than that; those that were cut are named."""
        short = {name: _written(name, value, chars) for name, value in self.plain.items()}
        changed = sorted(name for name, value in short.items() if value != self.given[name])
        return {**self.given, **short, **({semconv.CONTENT_TRUNCATED: changed} if changed else {})}

    def without(self, names: Sequence[str]) -> dict[str, Any]:
        """Give what is left when these are gone and the others short; those that are gone are named."""
        given = {name: value for name, value in self.given.items() if name not in names}
        left = _Content(given, {name: value for name, value in self.plain.items() if name in given})
        before = [name for name in self.given.get(semconv.CONTENT_DROPPED, ()) if name not in names]
        return left.cut(_LEAST_CHARS) | {semconv.CONTENT_DROPPED: [*before, *names]}


def _written(name: str, plain: Json, chars: int) -> str:
    short = cut_parts(plain, chars) if name in _PARTS else cut_said(plain, chars)
    return short if isinstance(short, str) else text(short)


def _status(span: ReadableSpan, attributes: Mapping[str, Any]) -> Status:
    """Give the status with what is left of the error's message: it says the same."""
    said = span.status.description
    if said is not None and said == (span.attributes or {}).get(semconv.ERROR_MESSAGE):
        said = attributes.get(semconv.ERROR_MESSAGE)
    return Status(span.status.status_code, said)


def _copy(span: ReadableSpan, attributes: Mapping[str, Any], status: Status, events: Sequence[Any]) -> ReadableSpan:
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
