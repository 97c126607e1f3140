"""Which run of a framework a call is made in: where instrumentors meet that do not know each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from ..guard import guard
from ._call import Call
from ._endpoint import Endpoint, Request
from ._observer import INFERENCE
from ._tape import Tape

_BLOCK = otel_context.create_key("spantape-block")


class Enclosing(Protocol):
    """A run that is going on."""

    @property
    def call(self) -> Call | None:
        """Give what tells the run; None when nothing does."""

    def inside(self) -> Context | None:
        """Give the context of what happens in the run; None when that is the current one."""


finders: list[Callable[[], Enclosing | None]] = []
"""Each gives the innermost run of its framework that the code at hand is part of."""


class Block:
    """A block of code around a call that is told by hand."""

    def __init__(self, call: Call) -> None:
        self.call: Call | None = call
        self.around = _run()
        """The run that the block is in."""

    def inside(self) -> Context | None:
        """Say that the context of what happens in the block is the current one."""
        return None


def as_block(call: Call, here: Context) -> Context:
    """Give the context of a block around a call: what an instrumentor then sees of a model is that very call."""
    return otel_context.set_value(_BLOCK, Block(call), here)


def opened(tape: Tape, request: Request) -> Call:
    """Open a call, as a part of what is around it; a model's run, or a call by hand, is the very same call."""
    around: Enclosing | None = None
    with guard:
        run = _run()
        around = _block_in(run) or run
    outer = _same(around, request.endpoint)
    if outer is not None:
        return outer.lend(tape, lambda lent: Call(lent, request))
    with guard:
        request = request._replace(context=around.inside()) if around is not None else request
    return Call(tape, request)


def begun(tape: Tape, request: Request, parent: Enclosing | None) -> Call:
    """Open the call of a framework's run; directly in a block around a call by hand, it is the very same call."""
    outer = _same(_block_in(parent), request.endpoint)
    return Call(tape, request) if outer is None else outer.lend(tape, lambda lent: Call(lent, request))


def _same(around: Enclosing | None, endpoint: Endpoint) -> Call | None:
    """Give the call that tells what is around, if another one there is the very same call."""
    outer = around.call if around is not None else None
    if outer is None or outer.is_lent or outer.is_over:
        return None
    return outer if {endpoint.operation, outer.endpoint.operation} <= INFERENCE else None


def _run() -> Enclosing | None:
    return next(filter(None, (find() for find in finders)), None)


def _block_in(run: Enclosing | None) -> Block | None:
    """Give the block at hand, unless a run has begun inside it."""
    block = otel_context.get_value(_BLOCK)
    return block if isinstance(block, Block) and block.around is run else None
