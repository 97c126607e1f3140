"""`Tape`: what every call needs of the set-up; each flag has become a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from opentelemetry.trace import Span

from ..content import Attributes, ContentPolicy
from ..jsontext import Json
from ._endpoint import Reader
from ._source import caller, nowhere

if TYPE_CHECKING:
    from ..settings import Settings

StartSpan: TypeAlias = Callable[[str, Attributes], Span]


@dataclass(frozen=True)
class Tape:
    """Starts a call's span, and says what may be set on it and what is added to it."""

    start_span: StartSpan
    keep: Callable[[Mapping[str, Any]], Attributes]
    price: Callable[[Mapping[str, Any], float], Attributes]
    said: Callable[[Reader, Mapping[str, Json]], Attributes]
    source: Callable[[], Attributes]

    @classmethod
    def of(cls, settings: Settings, start_span: StartSpan) -> Tape:
        """Make the tape that the settings ask for; loads the prices, which takes a tenth of a second."""
        from ..pricing import PriceBook

        policy = ContentPolicy(settings.capture_content, settings.max_content_chars, settings.content_filter)
        prices = PriceBook(enabled=settings.cost)
        prices.warm()
        return cls(
            start_span=start_span,
            keep=policy.keep,
            price=prices.attributes,
            said=_read if settings.capture_content else _unread,
            source=caller if settings.capture_source else nowhere,
        )


def _read(reader: Reader, body: Mapping[str, Json]) -> Attributes:
    return reader(body)


def _unread(reader: Reader, body: Mapping[str, Json]) -> Attributes:  # noqa: ARG001 - nothing was said
    return {}
