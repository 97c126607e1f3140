"""`Run`: something of LangChain that is running at this moment."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from ... import semconv
from ...context import Belonging
from .._adopted import adopting
from .._block import at_hand
from .._call import Call
from .._endpoint import Request
from .._held import Held
from .._observer import INFERENCE
from .._tape import Tape
from .steps import Step
from .waiting import Waiting

_RUN = otel_context.create_key("spantape-run")
_NOWHERE: tuple[Context | None, Context] = (None, Context())
(_SPAN,) = trace.set_span_in_context(trace.INVALID_SPAN, Context())


def current(here: Context) -> Run | None:
    """Give the run that the code in a context is part of; it may have ended."""
    found = here.get(_RUN)
    return found if isinstance(found, Run) else None


class Run:
    """A run: the call that tells it, if any does, and what its children need to know."""

    # Not set on each run, of which most have no use for them.
    call: Call | None = None
    step: Step | None = None
    waiting: Waiting | None = None
    prompt: Mapping[str, Any] = {}
    watched: Any = None
    """What tells that the code which runs it is gone."""
    _told_as: Run | None = None
    """What it is in, where nobody could tell the two apart."""
    _around = _NOWHERE

    def __init__(self, run_id: object, parent: Run | None, belonging: Belonging | None, here: Context) -> None:
        self.key, self.parent, self.belonging = getattr(run_id, "int", run_id), parent, belonging
        self.block = at_hand()
        self.children: dict[Run, None] = {}
        self._here = here
        self.at: float = time.monotonic() if parent is None else parent.at

    @property
    def span(self) -> trace.Span | None:
        """The span of the run, or of what it is in."""
        shown = self.step or self.told()
        if shown is not None:
            return shown.span
        return self.parent.span if self.parent is not None else None

    def told(self) -> Call | None:
        """Give the call that tells the run; what still waits for the layer beneath waits no longer."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            self.call = waiting.told()
            self.call.note(self.prompt)
        return self.call

    def told_by(self, tape: Tape, request: Request) -> Call | None:
        """Have a call of the layer beneath tell the run, where it is the very same call."""
        if request.endpoint.operation not in INFERENCE:
            return None
        held: Held | None = None
        if self.waiting is not None:
            held = self.waiting.told_by(tape, request)
        elif self.call is not None and self.call.endpoint.operation in INFERENCE and not self.is_told_beneath:
            held = Held.instead_of(self.call, tape, request)
        if held is not None:
            self.call, self.waiting = held, None
            held.note(self.prompt)
        return held

    @property
    def is_told_beneath(self) -> bool:
        """Whether the layer beneath tells it."""
        return isinstance(self.call, Held) and self.call.tells_run

    @property
    def is_agent(self) -> bool:
        """Whether it is an agent's."""
        return self.call is not None and self.call.endpoint.operation == semconv.INVOKE_AGENT

    def shown(self) -> Call | Step | None:
        """Give what shows the run, which is about to end."""
        self._around = _NOWHERE  # the run is in it: the two would wait for the garbage collector
        call = self.call if self.waiting is None else self.told()
        if call is None:
            return self.step
        if self.is_agent:
            call.note(call.used)
        if isinstance(call, Held):
            call.let_go()
        return call

    def inside(self) -> Context | None:
        """Give the context of what happens in the run; None when that is the current one."""
        here = otel_context.get_current()
        inside = self.over(here)
        return None if inside is here else inside

    def over(self, here: Context) -> Context:
        """Give a context with what happens in the run laid over it; the same, when it lies there already."""
        run = self._told_as or self
        return here if here.get(_RUN) is run else run.around(here)

    def starts(self) -> None:
        """Take its place in the run around, now that it is known what shows it."""
        parent = self.parent
        if parent is not None:
            parent.children[self] = None
            is_shown = self.step is not None or self.call is not None or self.waiting is not None
            if not is_shown and self.belonging is parent.belonging:
                self._told_as = parent._told_as or parent

    def beginning(self) -> Context:
        """Give the context that the run begins in: the one at hand, in its parent, and belonging where it does."""
        if self.parent is None:
            return self._belonging_in(self._here)
        context = self.parent.over(self._here)
        return context if self.belonging is self.parent.belonging else self._belonging_in(context)

    def around(self, here: Context) -> Context:
        """Give a context with the run laid over it; made once, as the steps of a run mostly begin in the same one."""
        seen, made = self._around
        if seen is not here:
            span = self.span
            mine = {_RUN: self} if span is None else {_SPAN: span, _RUN: self}
            made = self._belonging_in(Context({**here, **mine}))
            self._around = (here, made)
        return made

    def _belonging_in(self, context: Context) -> Context:
        """Give a context in which calls belong where the run does."""
        return adopting(self.belonging, context) if self.belonging is not None else context

    def outer(self) -> Iterator[Run]:
        """Give the runs around, the innermost first."""
        run = self.parent
        while run is not None:
            yield run
            run = run.parent

    def used(self, call: Call) -> None:
        """Let the agents around add up what a model has used."""
        for around in self.outer() if call.used and call.endpoint.operation in INFERENCE else ():
            if around.call is not None and around.is_agent:
                sums = around.call.used
                around.call.used = {**sums, **{name: sums.get(name, 0) + count for name, count in call.used.items()}}
