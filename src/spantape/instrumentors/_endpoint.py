"""What the file of an endpoint offers: pure functions of plain JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from opentelemetry.trace import SpanKind

from .. import semconv
from ..content import Attributes
from ..jsontext import Json, whole
from ._keys import in_use
from ._mapping import nothing

if TYPE_CHECKING:
    from opentelemetry.context import Context

Reader: TypeAlias = Callable[[Mapping[str, Json]], Attributes]
"""Reads attributes from a body; a value of None is as good as none."""


class Join(Protocol):
    """Folds the chunks of a stream into the response that the call would have given without streaming."""

    def add(self, chunks: Iterable[Any]) -> None:
        """Take the next chunks, each the client's object or plain JSON."""

    def body(self) -> dict[str, Json]:
        """Give the response so far."""


@dataclass(frozen=True)
class Endpoint:
    """How the calls of one endpoint are read.

    `request` and `response` give what a backend charts; `asked` and `answered` give what was said, which is not even
    looked at when content is not captured.
    """

    operation: str
    request: Reader
    response: Reader
    asked: Reader = nothing
    answered: Reader = nothing
    join: Callable[[], Join] | None = None
    held: int = 16
    """How many chunks of a stream may wait to be folded: one, where each may be as large as an image."""
    tells_usage_if_asked: bool = False
    """Whether a stream gives its usage only when `stream_options.include_usage` is sent."""
    framing: int = 0
    """How many tokens the provider puts around each message, and around the reply."""
    typed: bool = False
    """Whether the client's parsed result is read rather than the body, which may be too large to be parsed twice."""
    named_by: str = semconv.REQUEST_MODEL
    """The attribute that the name of a span ends with."""
    kind: SpanKind = SpanKind.CLIENT


class Request(NamedTuple):
    """What is asked of an endpoint: where, with whose keys; in which context and since when, if not here and now."""

    endpoint: Endpoint
    where: Attributes
    body: Mapping[str, Json]
    keys: Callable[[], Collection[str]] = in_use
    context: Context | None = None
    began: int | None = None

    def sampled_by(self) -> Attributes:
        """Give what a sampler decides by, which has to be known when the span starts."""
        model = self.body.get("model")
        known = {semconv.OPERATION: self.endpoint.operation, **self.where}
        if isinstance(model, str) and model:
            known[semconv.REQUEST_MODEL] = whole(model)
        return known
