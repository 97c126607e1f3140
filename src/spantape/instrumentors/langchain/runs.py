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
from ...context import Belonging
from .._adopted import adopting
from .._call import ABANDONED, Call
from .._enclosing import begun
from .._endpoint import Endpoint, Request
from .._neighbours import are_chats_counted_elsewhere
from .._observer import INFERENCE
from .._source import nowhere
from .._tape import Tape
from .steps import Step

_MOST = 10_000
_OLDEST = 6 * 3600.0
_RUN = otel_context.create_key("spantape-run")


def free(attributes: Mapping[str, Any], at: float) -> Attributes:  # noqa: ARG001 - as a tape's price is asked for
    """Give no price: what makes calls costs nothing itself."""
    return {}


class Run:
    """A run: the call that tells it, if any does, and what its children need to know."""

    __slots__ = ("_around", "at", "belonging", "call", "children", "id", "parent", "prompt", "span", "step", "watched")

    def __init__(self, run_id: UUID, parent: Run | None, belonging: Belonging | None) -> None:
        self.id, self.parent, self.belonging = run_id, parent, belonging
        self.span: trace.Span | None = parent.span if parent is not None else None
        self.call: Call | None = None
        self.step: Step | None = None
        self.children: dict[UUID, Run] = {}
        self.prompt: Attributes = {}
        self.watched: Any = None
        self._around: tuple[Context | None, Context] = (None, Context())
        self.at = time.monotonic()

    @property
    def is_agent(self) -> bool:
        """Whether it is an agent's."""
        return self.call is not None and self.call.endpoint.operation == semconv.INVOKE_AGENT

    def inside(self) -> Context | None:
        """Give the context of what happens in the run; None when that is the current one."""
        here = otel_context.get_current()
        return None if here.get(_RUN) is self else self.around(here)

    def beginning(self) -> Context:
        """Give the context that the run begins in: the current one, in its parent, and belonging where it does."""
        here = otel_context.get_current()
        if self.parent is not None and here.get(_RUN) is not self.parent:
            here = self.parent.around(here)
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

    def used(self) -> None:
        """Let the agents around add up what a model has used."""
        used = self.call.used if self.call is not None else {}
        for around in self.outer() if used else ():
            if around.call is not None and around.is_agent:
                for name, count in used.items():
                    around.call.used[name] = around.call.used.get(name, 0) + count


class Runs:
    """The live runs, no more than so many and none older than so long: a start need not be followed by an end."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._uncounted = tape.but(observers=())
        self._quiet = tape.but(observers=(), source=nowhere, price=free)
        self._live: dict[UUID, Run] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._live)

    def get(self, run_id: object) -> Run | None:
        """Give a run that is going on."""
        return self._live.get(run_id) if run_id is not None else None  # type: ignore[call-overload]

    def looks_away(self) -> bool:
        """Say whether nobody would learn of a run that begins now."""
        return self._tape.looks_away()

    def parent(self, parent_id: UUID | None) -> Run | None:
        """Give the run around one that begins now: its parent, or what runs in that and is doing this."""
        named, around = self.get(parent_id), otel_context.get_value(_RUN)
        if not isinstance(around, Run) or around is named or around.id not in self._live:
            return named
        return around if named is None or named in around.outer() else named

    def tell(self, run: Run, endpoint: Endpoint, where: Attributes, body: Mapping[str, Any]) -> None:
        """Have a call tell a run that begins."""
        tape = self._tape if endpoint.operation in INFERENCE else self._quiet
        if endpoint.operation == "chat" and are_chats_counted_elsewhere():
            tape = self._uncounted
        run.call = begun(tape, Request(endpoint, where, body, context=run.beginning()), run.parent)
        run.span = run.call.span

    def show(self, run: Run, kind: str, name: str) -> None:
        """Have a step show a run that begins."""
        run.step = Step(self._tape, kind, name, run.beginning())
        run.span = run.step.span

    def start(self, run: Run) -> None:
        """Let a run begin; with neither call nor step nobody sees it, and its children are its parent's."""
        self._make_room()
        self.end(run.id, ABANDONED)  # an application may give two runs one id
        self._live[run.id] = run
        if run.parent is not None:
            run.parent.children[run.id] = run

    def end(self, run_id: UUID, how: str | None = None, error: BaseException | None = None) -> None:
        """End a run and what is left of its children; nothing when it has ended."""
        run = self._live.pop(run_id, None)
        if run is not None:
            self._finish(run, how, error)

    def end_all(self) -> None:
        """End whatever is going on."""
        while self._live:
            for run_id in list(self._live)[::-1]:
                self.end(run_id, ABANDONED)

    def _finish(self, run: Run, how: str | None, error: BaseException | None) -> None:
        for child in list(run.children.values()):
            self.end(child.id, ABANDONED, error)  # nobody has told us of its end
        if run.parent is not None:
            run.parent.children.pop(run.id, None)
        if run.watched is not None:
            run.watched.detach()
        call = run.call
        if call is not None and run.is_agent:
            call.note(call.used)
        shown = call or run.step
        if shown is not None and error is not None:
            shown.fail(error)
        elif shown is not None:
            shown.end(how)
        if call is not None and call.endpoint.operation in INFERENCE:
            run.used()

    def _make_room(self) -> None:
        """End the oldest where there are too many, or where it began too long ago."""
        with self._lock:
            oldest = next(iter(self._live.values()), None)
            if oldest is None or (len(self._live) < _MOST and time.monotonic() - oldest.at < _OLDEST):
                return
        self.end(oldest.id, ABANDONED)
