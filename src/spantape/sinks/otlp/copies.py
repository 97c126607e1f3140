"""Copies of spans for the wire, with less of what was said: the files keep the span as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status

from ... import semconv
from ...content import PARTS, is_content
from ...jsontext import Json, loads_or, text
from .._copies import copied
from .cuts import cut_parts, cut_said, longest
from .weight import weight

Try: TypeAlias = "Callable[[Mapping[str, Any]], ReadableSpan | None]"
"""Makes the copy with these attributes, if it is small enough."""

_LEAST_CHARS = 64
"""A shorter text is not cut any more: not the ids and sha256 sums beside the long ones, either."""


def fitted(span: ReadableSpan, most: int) -> ReadableSpan | None:
    """Give a copy that takes at most `most` bytes; None when it can't be made so small.

    The longest texts are cut first. Where that is not enough, whole attributes go, content before everything else.
    """
    content = _Content.of(span)

    def tried(attributes: Mapping[str, Any]) -> ReadableSpan | None:
        copy = copied(span, attributes, _status(span, attributes), span.events)
        return copy if weight(copy) <= most else None

    bare = copied(span, content.without([*content.given]), Status(span.status.status_code), ())
    return _cut(content, tried) or _dropped(content, tried) or (bare if weight(bare) <= most else None)


def _cut(content: _Content, tried: Try) -> ReadableSpan | None:
    """Find out how long texts may be, within an eighth: each attempt writes all of them."""
    best = tried(content.cut(_LEAST_CHARS))
    low, high = _LEAST_CHARS, max(map(longest, content.plain.values()), default=0)
    while best is not None and high - low > high // 8:
        middle = (low + high) // 2
        copy = tried(content.cut(middle))
        if copy is None:
            high = middle
        else:
            best, low = copy, middle
    return best


def _dropped(content: _Content, tried: Try) -> ReadableSpan | None:
    """Drop whole attributes, content first, the largest first."""
    left = {name: len(str(value)) for name, value in content.cut(_LEAST_CHARS).items()}
    order = sorted(content.given, key=lambda name: (not is_content(name), -left[name]))
    attempts = (tried(content.without(order[:count])) for count in range(1, len(order)))
    return next((copy for copy in attempts if copy is not None), None)


@dataclass(frozen=True)
class _Content:
    """The attributes of a span, and the plain JSON of those that can be cut."""

    given: Mapping[str, Any]
    plain: Mapping[str, Json]

    @classmethod
    def of(cls, span: ReadableSpan) -> _Content:
        given = span.attributes or {}
        said = {name: value for name, value in given.items() if _is_long(name) and isinstance(value, str)}
        return cls(given, {name: loads_or(value) or value for name, value in said.items()})

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


def _is_long(name: str) -> bool:
    return is_content(name) or name in {semconv.METADATA, semconv.TOPIC}


def _written(name: str, plain: Json, chars: int) -> str:
    short = cut_parts(plain, chars) if name in PARTS else cut_said(plain, chars)
    return short if isinstance(short, str) else text(short)


def _status(span: ReadableSpan, attributes: Mapping[str, Any]) -> Status:
    """Give the status with what is left of the error's message: it says the same."""
    said = span.status.description
    if said is not None and said == (span.attributes or {}).get(semconv.ERROR_MESSAGE):
        said = attributes.get(semconv.ERROR_MESSAGE)
    return Status(span.status.status_code, said)
