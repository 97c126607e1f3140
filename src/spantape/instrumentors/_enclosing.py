"""Which run of a framework a call is made in: where instrumentors meet that do not know each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from opentelemetry.context import Context

from ..guard import guard
from ._block import Block, at_hand
from ._call import Call
from ._endpoint import Request
from ._tape import Tape


class Enclosing(Protocol):
    """A run that is going on."""

    @property
    def block(self) -> Block | None:
        """The block around a call by hand that it has begun in."""

    def told_by(self, tape: Tape, request: Request) -> Call | None:
        """Give the call that tells the run, where the run is the very same call; None where it is another."""

    def inside(self) -> Context | None:
        """Give the context of what happens in the run; None when that is the current one."""


finders: list[Callable[[], Enclosing | None]] = []
"""Each gives the innermost run of its framework that the code at hand is part of."""


def opened(tape: Tape, request: Request) -> Call:
    """Open a call, as a part of what is around it; a model's run, or a call by hand, is the very same call."""
    with guard:
        run, block = None, at_hand()
        for find in finders:
            run = find()
            if run is not None:
                break
        around = run if block is None or (run is not None and run.block is block) else block  # the nearer of the two
        if around is not None:
            call = around.told_by(tape, request)
            if call is not None:
                return call
            request = request._replace(context=around.inside())
    return Call(tape, request)
