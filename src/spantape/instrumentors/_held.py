"""`Held`: a call of the layer beneath that tells a framework's run."""

from __future__ import annotations

from opentelemetry.trace import Span

from ..content import Attributes
from ..opening import Opening
from ._call import ABANDONED, ERROR, Call
from ._endpoint import Request
from ._failure import CANCELLED, FAILURE, failure, status_of
from ._tape import Tape


class Held(Call):
    """Ends when it is let go: with the run that it tells, which may still fail, or go on in spite of an error."""

    def __init__(self, tape: Tape, request: Request) -> None:
        self._how: str | None = None
        self._cancelled: Attributes = {}
        self._is_held = True
        super().__init__(tape, request)

    @classmethod
    def instead_of(cls, call: Call, tape: Tape, request: Request) -> Held:
        """Go on with the span of a call that the framework tells so far."""

        def start_span(opening: Opening) -> Span:
            call.span.set_attributes(opening.attributes)
            return call.span

        return cls(tape.but(start_span=start_span), request)

    def let_go(self) -> None:
        """Say that the next end is that of the run."""
        self._is_held = False

    def end(self, how: str | None = None) -> None:
        """End the span, when the run does."""
        if self._is_held:
            self._how = self._how or how
        elif how != ABANDONED:
            super().end(self._how or how)
        else:  # nobody says how the run has ended; when it was cancelled, its client was, too
            self.note(self._cancelled)
            super().end(CANCELLED if self._cancelled else how)

    def fail(self, error: BaseException) -> None:
        """End the span with an error, when it is the run's."""
        if not self._is_held:
            super().fail(error)
        elif status_of(error) == CANCELLED:
            self._how, self._cancelled = CANCELLED, failure(error)  # the error itself would keep the run alive
        else:
            self._how = self._how or ERROR

    def gave(self, answer: object) -> None:
        """Take the object that the caller gets: the framework has its own."""
        if not self._is_held:
            super().gave(answer)

    def _answer(self) -> Attributes:
        return {name: value for name, value in super()._answer().items() if name not in FAILURE}
