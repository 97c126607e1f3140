"""`Step`: a step of a chain or a graph, which has a name and an end, and nothing else to say."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from ... import semconv
from ...content import Attributes
from ...guard import guard
from ...opening import Opening
from .._adopted import adopted
from .._call import ABANDONED
from .._failure import failure
from .._keys import in_use
from .._tape import Tape

CHAIN, NODE, PROMPT, PARSER = "chain", "node", "prompt", "parser"
KINDS = frozenset({CHAIN, NODE, PROMPT, PARSER})


class Step:
    """A step that is going on: no more than a span, as there are many."""

    __slots__ = ("_tape", "span")

    def __init__(self, tape: Tape, kind: str, name: str, context: Context) -> None:
        self._tape = tape
        kept = tape.keep({semconv.STEP_TYPE: kind, semconv.STEP_NAME: name, **adopted(context)})
        called = f"{kind} {kept.get(semconv.STEP_NAME, '')}".rstrip()
        self.span: Span = tape.start_span(Opening(called, tape.shown(kept), SpanKind.INTERNAL, context))

    def note(self, attributes: Attributes) -> None:
        """Take what was learned on the way."""
        self.span.set_attributes(attributes)

    def end(self, how: str | None = None) -> None:
        """End the span."""
        if how == ABANDONED:
            self.span.set_attribute(semconv.STREAM_END, how)
        with guard:  # a processor of the application's may raise
            self.span.end()

    def fail(self, error: BaseException) -> None:
        """End the span with an error."""
        told = self._tape.shown(self._tape.keep(failure(error), in_use()))
        self.span.set_attributes(told)
        self.span.set_status(Status(StatusCode.ERROR, told.get(semconv.ERROR_MESSAGE)))
        self.end()
