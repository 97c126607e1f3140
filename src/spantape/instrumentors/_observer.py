"""Who else than the span learns of a call that has ended: metrics and events, when the application wants them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from opentelemetry.context import Context

from ..guard import guard
from ._neighbours import is_counted_elsewhere

INFERENCE = frozenset({"chat", "text_completion", "generate_content"})
"""Operations that the conventions count as inferences: others have no event, and metrics of their own."""


@dataclass(frozen=True)
class Ended:
    """A call that has ended: its attributes, as the content policy lets them pass, and its times in seconds.

    `chunks` are the moments, counted from the start, at which the chunks of a stream came.
    """

    attributes: Mapping[str, Any]
    context: Context
    seconds: float
    chunks: Sequence[float]
    is_recording: bool


class Observer(Protocol):
    """Is told of each call that has ended."""

    def is_on(self) -> bool:
        """Say whether anybody listens now; asked once a call."""

    def ended(self, call: Ended) -> None:
        """Take note of a call."""


def listening(observers: Iterable[Observer]) -> tuple[Observer, ...]:
    """Give who is to be told; nobody, where an official instrumentation counts the same call."""
    on = []
    for observer in observers:
        with guard:  # a provider of the application's may raise
            on += [observer] if observer.is_on() else []
    return () if on and is_counted_elsewhere() else tuple(on)
