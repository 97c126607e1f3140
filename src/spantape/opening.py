"""`Opening`: a span that is to be started, whoever's tracer starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.trace import SpanKind

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer


class Opening(NamedTuple):
    """What a span is started with; without a context, in the current one; without a time, now."""

    name: str
    attributes: dict[str, Any]
    kind: SpanKind = SpanKind.CLIENT
    context: Context | None = None
    start_time: int | None = None

    def span(self, tracer: Tracer) -> Span:
        """Start it."""
        return tracer.start_span(
            self.name, context=self.context, kind=self.kind, attributes=self.attributes, start_time=self.start_time
        )
