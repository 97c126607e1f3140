"""`Block`: a call that is told by hand, and the code around which it stands."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from ..guard import guard
from ..jsontext import Json
from ._call import Call
from ._endpoint import Request
from ._frame import Frame
from ._held import Held
from ._observer import INFERENCE
from ._tape import Tape

_here: ContextVar[Block | None] = ContextVar("spantape-block", default=None)

at_hand = _here.get
"""Give the block that the code at hand is in; it may have been left."""


class Block:
    """The first model that an instrumentor sees inside is the very same call, and told by it."""

    def __init__(self, call: Call) -> None:
        self._call, self._endpoint = call, call.endpoint
        self._outer: Block | None = None
        self._frame = Frame(call)

    @property
    def call(self) -> Call:
        """What tells the call."""
        while self._call.heir is not None:
            self._call = self._call.heir
        return self._call

    def told_by(self, tape: Tape, request: Request) -> Call | None:
        """Have a call of a client's tell this one; None where it is another."""
        call = self.call
        if isinstance(call, Held) or not {self._endpoint.operation, request.endpoint.operation} <= INFERENCE:
            return None
        held = Held.instead_of(call, tape, request)
        if held is not None:
            held.tells_run = held.in_run = False
            held.in_block = True
        return held

    def inside(self) -> None:
        """Say that the context of what happens in the block is the current one."""

    def enter(self) -> None:
        """Begin the block."""
        self._outer = at_hand()
        _here.set(self)
        self._frame.__enter__()

    def leave(self, error: BaseException | None) -> None:
        """End the block, and the call with it, unless a client goes on with that."""
        self._frame.__exit__(None, None, None)
        if at_hand() is self:  # a coroutine may be closed in another context than it ran in
            _here.set(self._outer)
        call = self.call
        if error is not None:
            self.released().fail(error)
        elif isinstance(call, Held):
            call.leave()
        else:
            call.end()

    def released(self) -> Call:
        """Give what tells the call, whose end nothing holds up any more."""
        call = self.call
        if isinstance(call, Held):
            call.release()
        return call

    def answered(self, body: Mapping[str, Json]) -> None:
        """Take a response, where the client has given none."""
        call = self.call
        if isinstance(call, Held):
            call.told(self._endpoint, body)
        else:
            call.answered(body)

    def abandon(self) -> None:
        """End the call, unless it has ended: nobody will say how."""
        with guard:
            self.call.abandon()
