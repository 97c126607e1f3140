"""`Runs`: what of LangChain is running at this moment, by run id; each ends once, and its children end with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from ... import semconv
from ...content import Attributes
from ...context import NOTHING, Belonging, capture
from .._adopted import adopting
from .._call import ABANDONED, Call
from .._endpoint import Endpoint, Request
from .._held import Held
from .._neighbours import are_chats_counted_elsewhere
from .._observer import INFERENCE
from .._source import nowhere
from .._tape import Tape
from .steps import Step
from .waiting import Waiting

_MOST = 10_000
_OLDEST = 6 * 3600.0
_RUN = otel_context.create_key("spantape-run")
_NOTHING: Attributes = {}
_NOWHERE: tuple[Context | None, Context] = (None, Context())


def free(attributes: Mapping[str, Any], at: float) -> Attributes:  # noqa: ARG001 - as a tape's price is asked for
    """Give no price: what makes calls costs nothing itself."""
    return {}


class Run:
    """A run: the call that tells it, if any does, and what its children need to know."""

    __slots__ = (
        *("_around", "at", "belonging", "call", "children", "key", "parent", "prompt", "step", "waiting", "watched"),
    )

    def __init__(self, run_id: object, parent: Run | None, belonging: Belonging | None) -> None:
        self.key, self.parent, self.belonging = _key(run_id), parent, belonging
        self.call: Call | None = None
        self.step: Step | None = None
        self.waiting: Waiting | None = None
        self.children: dict[Run, None] = {}
        self.prompt: Attributes = _NOTHING
        self.watched: Any = None
        self._around = _NOWHERE
        self.at = time.monotonic()

    @property
    def span(self) -> trace.Span | None:
        """The span of the run, or of what it is in."""
        shown = self.told() or self.step
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
        if self.waiting is not None:
            held = self.waiting.told_by(tape, request)
        elif self.call is not None and self.call.endpoint.operation in INFERENCE and not self.is_told_beneath:
            held = Held.instead_of(self.call, tape, request)
        else:
            return None
        self.call, self.waiting = held, None
        held.note(self.prompt)
        return held

    @property
    def is_told_beneath(self) -> bool:
        """Whether the layer beneath tells it."""
        return isinstance(self.call, Held)

    @property
    def is_agent(self) -> bool:
        """Whether it is an agent's."""
        return self.call is not None and self.call.endpoint.operation == semconv.INVOKE_AGENT

    @property
    def is_shown(self) -> bool:
        """Whether it has a span of its own."""
        return self.call is not None or self.step is not None or self.waiting is not None

    def shown(self) -> Call | Step | None:
        """Give what shows the run, which is about to end."""
        call = self.told()
        if call is not None and self.is_agent:
            call.note(call.used)
        if isinstance(call, Held):
            call.let_go()
        return call or self.step

    def inside(self) -> Context | None:
        """Give the context of what happens in the run; None when that is the current one."""
        here = otel_context.get_current()
        run = self._seen()
        return None if here.get(_RUN) is run else run.around(here)

    def _seen(self) -> Run:
        """Give the run itself, or what it is in, where nobody could tell the two apart."""
        run = self
        while run.parent is not None and not run.is_shown and run.belonging is run.parent.belonging:
            run = run.parent
        return run

    def beginning(self) -> Context:
        """Give the context that the run begins in: the current one, in its parent, and belonging where it does."""
        here = otel_context.get_current()
        if self.parent is not None:
            here = self.parent.inside() or here
        return self._belonging_in(here)

    def around(self, here: Context) -> Context:
        """Give a context with the run laid over it; made once, as the steps of a run mostly begin in the same one."""
        seen, made = self._around
        if seen is not here:
            inside = trace.set_span_in_context(self.span, here) if self.span is not None else here
            made = self._belonging_in(otel_context.set_value(_RUN, self, inside))
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
                for name, count in call.used.items():
                    around.call.used[name] = around.call.used.get(name, 0) + count


class Runs:
    """The live runs, no more than so many and none older than so long: a start need not be followed by an end."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._uncounted = tape.but(observers=())
        self._quiet = tape.but(observers=(), source=nowhere, price=free)
        self._beneath: tuple[Tape, Tape] = (tape, tape)
        self._live: dict[object, Run] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._live)

    def get(self, run_id: object) -> Run | None:
        """Give a run that is going on."""
        return self._live.get(_key(run_id))

    def looks_away(self, parent: Run | None) -> bool:
        """Say whether nobody would learn of a run that begins now; below one that is told, only a session says so."""
        return self._tape.looks_away() if parent is None else capture() == NOTHING

    def parent(self, parent_id: UUID | None) -> Run | None:
        """Give the run around one that begins now: its parent, or what runs in that and is doing this."""
        named, around = self.get(parent_id), otel_context.get_value(_RUN)
        if around is named or not isinstance(around, Run) or self._live.get(around.key) is not around:
            return named
        return around if named is None or named in around.outer() else named

    def tell(self, run: Run, endpoint: Endpoint, where: Attributes, body: Mapping[str, Any]) -> None:
        """Have a call tell a run that begins."""
        run.call = Call(self._tape_of(endpoint), Request(endpoint, where, body, context=run.beginning()))

    def wait(self, run: Run, endpoint: Endpoint, where: Attributes, body: Mapping[str, Any]) -> None:
        """Have a model's run wait for the layer beneath to tell it."""
        request = Request(endpoint, where, body, context=run.beginning(), began=time.time_ns())
        run.waiting = Waiting(self._tape_of(endpoint), self._as_ours, request)
        if run.parent is not None:
            run.prompt = run.parent.prompt

    def show(self, run: Run, kind: str, name: str) -> None:
        """Have a step show a run that begins."""
        run.step = Step(self._tape, kind, name, run.beginning())

    def start(self, run: Run) -> None:
        """Let a run begin; with neither call nor step nobody sees it, and its children are its parent's."""
        if run.parent is None or len(self._live) >= _MOST:
            self._make_room()
        if run.key in self._live:  # an application may give two runs one id
            self.end(self._live[run.key], ABANDONED)
        self._live[run.key] = run
        if run.parent is not None:
            run.parent.children[run] = None

    def end(self, run: Run, how: str | None = None, error: BaseException | None = None) -> None:
        """End a run and what is left of its children; nothing when it has ended."""
        if self._live.get(run.key) is run and self._live.pop(run.key, None) is run:  # one thread of several
            self._finish(run, how, error)

    def end_all(self) -> None:
        """End whatever is going on."""
        while self._live:
            for run in list(self._live.values())[::-1]:
                self.end(run, ABANDONED)

    def _finish(self, run: Run, how: str | None, error: BaseException | None) -> None:
        for child in list(run.children):
            self.end(child, ABANDONED, error)  # nobody has told us of its end
        if run.parent is not None:
            run.parent.children.pop(run, None)
        if run.watched is not None:
            run.watched.detach()
        shown = run.shown()
        if shown is not None and error is not None:
            shown.fail(error)
        elif shown is not None:
            shown.end(how)
        if run.call is not None:
            run.used(run.call)

    def _tape_of(self, endpoint: Endpoint) -> Tape:
        if endpoint.operation not in INFERENCE:
            return self._quiet
        return self._uncounted if endpoint.operation == "chat" and are_chats_counted_elsewhere() else self._tape

    def _as_ours(self, tape: Tape) -> Tape:
        """Give the tape of a layer beneath, but for the spans, which are ours; made once, as there is one layer."""
        theirs, made = self._beneath
        if theirs is not tape:
            made = tape.but(start_span=self._tape.start_span)
            self._beneath = (tape, made)
        return made

    def _make_room(self) -> None:
        """End the oldest where there are too many, or where it began too long ago."""
        with self._lock:
            oldest = next(iter(self._live.values()), None)
            if oldest is None or (len(self._live) < _MOST and time.monotonic() - oldest.at < _OLDEST):
                return
        self.end(oldest, ABANDONED)


def _key(run_id: object) -> object:
    """Give what a run is known by: to look for a UUID itself takes three times as long."""
    return getattr(run_id, "int", run_id)
