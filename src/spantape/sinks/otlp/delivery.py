"""Delivery: batches in parts that the receiver takes; what it refuses is never sent again unchanged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ...guard import guard
from .copies import fitted
from .quiet import Quiet, cannot_send
from .refused import Refused
from .weight import weight

Spans: TypeAlias = Sequence[ReadableSpan]

_MOST_REFUSALS = 16
"""How often one part may be refused, in ever smaller pieces: enough to find one bad span among thousands."""

_LITTLE = 16 * 1024
"""No receiver takes less: what is refused below that is not refused for its size, but for there being too much now."""


class Delivery:
    """Hands spans to an exporter, each as `prepare` gives it, in requests of at most `most` bytes."""

    def __init__(self, exporter: SpanExporter, most: int, prepare: Callable[[ReadableSpan], ReadableSpan]) -> None:
        self._exporter, self._most, self._prepare = exporter, most, prepare
        self.quiet = Quiet(exporter)

    def send(self, batch: Spans, goes_on: Callable[[], bool]) -> None:
        """Send a batch; what is left when it is not to go on any more is left out."""
        for part in parts(map(self._prepare, batch), self._most):
            self._deliver(part, goes_on)

    def shutdown(self) -> None:
        """Close the exporter."""
        self._exporter.shutdown()

    def _deliver(self, part: Spans, goes_on: Callable[[], bool]) -> None:
        pieces = deque([part])
        refusals = 0
        while pieces and goes_on() and refusals < _MOST_REFUSALS:
            piece = pieces.popleft()
            refused = self._refusal(piece)
            if refused is not None:
                refusals += 1
                pieces.extendleft(reversed(_smaller(piece, refused)))

    def _refusal(self, spans: Spans) -> Refused | None:
        """Send one request; give what the receiver said when it refused it."""
        try:
            result = self._exporter.export(spans)
        except Refused as refused:
            _say(refused, sum(map(weight, spans)))
            return refused
        except (OSError, ValueError) as error:  # what older HTTP exporters let through when nobody answers in time
            cannot_send(error)
        else:
            if result is not SpanExportResult.SUCCESS:
                cannot_send(self.quiet.last)
        return None


def parts(spans: Iterable[ReadableSpan], most: int) -> Iterator[Spans]:
    """Cut a batch where it would get too large to be taken, and a span that is too large alone."""
    part: list[ReadableSpan] = []
    size = 0
    for span, heavy in _taken(spans, most):
        if part and size + heavy > most:
            yield part
            part, size = [], 0
        part.append(span)
        size += heavy
    if part:
        yield part


def _taken(spans: Iterable[ReadableSpan], most: int) -> Iterator[tuple[ReadableSpan, int]]:
    for span in spans:
        heavy = weight(span)
        if heavy <= most:
            yield span, heavy
            continue
        short = fitted(span, most)
        if short is None:
            guard.warn_once(
                "otlp large", "spantape leaves a span of %d bytes out of OTLP: raise otlp_max_bytes=%d", heavy, most
            )
        else:
            yield short, weight(short)


def _smaller(spans: Spans, refused: Refused) -> list[Spans]:
    """Give what may be taken of spans that were refused together, or none when nothing smaller would be, either."""
    size = sum(map(weight, spans))
    if size <= _LITTLE and (refused.for_size or len(spans) == 1):
        return []
    if len(spans) > 1:
        middle = len(spans) // 2
        return [spans[:middle], spans[middle:]]
    short = fitted(spans[0], size // 2)
    return [] if short is None else [[short]]


def _say(refused: Refused, size: int) -> None:
    guard.warn_once(
        "otlp refused",
        "The OTLP receiver refuses %d bytes (%s); spantape tries with less, and leaves out what is refused even so. "
        "If it is the size, set otlp_max_bytes to what the receiver takes",
        size,
        refused,
    )
