"""`Held`: a call of the layer beneath that tells what is around it: a framework's run, a call by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opentelemetry.trace import Span

from ..content import Attributes
from ..jsontext import Json
from ..opening import Opening
from ._call import ABANDONED, ERROR, Call
from ._endpoint import Endpoint, Request
from ._failure import CANCELLED, FAILURE, failure, status_of
from ._tape import Tape


class Held(Call):
    """Ends when it is let go: with the run or block that it tells, which may still fail, or get over an error."""

    tells_run = True
    """Whether it is a framework's run that it tells: one in a block may tell itself."""
    in_block = False
    spent: Callable[[Call], None] | None = None
    """Is told when it is known what was used, where the run has ended before."""

    def __init__(self, tape: Tape, request: Request) -> None:
        self._how: str | None = None
        self._failure: Attributes = {}
        self._has_ended = False
        self.in_run = True
        super().__init__(tape, request)

    @classmethod
    def instead_of(cls, call: Call, tape: Tape, request: Request) -> Held | None:
        """Go on with the span of a call that what is around tells so far; None when that has ended."""

        def start_span(opening: Opening) -> Span:
            call.span.set_attributes(opening.attributes)
            return call.span

        if not call.gives_way():
            return None
        ours = tape.for_call({}).but(start_span=start_span)  # a session inside may keep less
        # Two threads can't be in the same context.
        held = cls(ours, request) if call.whose is None else call.whose.copy().run(cls, ours, request)
        held.in_block = isinstance(call, Held) and call.in_block
        held.whose, call.whose, call.heir = call.whose, None, held
        if call.is_listed:
            held.listed()
        return held

    def let_go(self) -> None:
        """Say that the next end is that of the run."""
        self.in_run = False

    def leave(self) -> None:
        """Say that the block has been left: the call ends as what is beneath has ended, or with that, if it goes on."""
        self.in_block = False
        if self._has_ended and not self.in_run:
            self.note(self._failure)
            super().end(self._how)

    def release(self) -> None:
        """Say that the next end is that of the call."""
        self.in_run = self.in_block = False

    def told(self, endpoint: Endpoint, body: Mapping[str, Json]) -> None:
        """Take a response told by hand, where the layer beneath has given none."""
        if self.body is None and (self.chunks is None or not self.chunks.joins or self.chunks.is_empty):
            self.endpoint = endpoint
            self.answered(body)

    def end(self, how: str | None = None) -> None:
        """End the span, when nothing holds it."""
        if self.in_run or self.in_block:
            self._how, self._has_ended = self._how or how, True
        elif how != ABANDONED:
            super().end(self._how or how)
        else:  # nobody says how the run has ended; when it was cancelled, its client was, too
            is_cancelled = self._how == CANCELLED
            self.note(self._failure if is_cancelled else {})
            super().end(CANCELLED if is_cancelled else how)

    def abandon(self) -> None:
        """End the span, whatever holds it: as what is beneath has ended, where it has."""
        self.let_go()
        self.leave()
        super().abandon()

    def fail(self, error: BaseException) -> None:
        """End the span with an error, when nothing holds it."""
        if not (self.in_run or self.in_block):
            super().fail(error)
        elif self._how != CANCELLED:
            self._failure, self._has_ended = failure(error), True  # the error itself would keep the run alive
            self._how = CANCELLED if status_of(error) == CANCELLED else self._how or ERROR

    def gave(self, answer: object) -> None:
        """Take the object that the caller gets: a framework has its own."""
        if not self.in_run:
            super().gave(answer)

    def use(self, told: Attributes) -> None:
        """Take note of the tokens that were used, and pass them on."""
        super().use(told)
        if self.spent is not None:
            self.spent(self)

    def _answer(self) -> Attributes:
        answer = super()._answer()
        for name in FAILURE if self.tells_run else ():
            answer.pop(name, None)
        return answer
