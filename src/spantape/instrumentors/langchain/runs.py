"""`Runs`: what of LangChain is running at this moment, by run id; each ends once, and its children end with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from opentelemetry.context import Context

from ...content import Attributes
from ...context import NOTHING, capture
from .._call import ABANDONED, Call
from .._endpoint import Endpoint, Request
from .._held import Held
from .._mapping import nothing
from .._neighbours import are_chats_counted_elsewhere
from .._observer import INFERENCE
from .._tape import Tape
from .run import Run, current
from .steps import Step
from .waiting import Waiting

_MOST = 10_000
_OLDEST = 6 * 3600.0


def free(attributes: Mapping[str, Any], at: float) -> Attributes:  # noqa: ARG001 - as a tape's price is asked for
    """Give no price: what makes calls costs nothing itself."""
    return {}


class Runs:
    """The live runs, no more than so many and none older than so long: a start need not be followed by an end."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._uncounted = tape.but(observers=())
        self._quiet = tape.but(observers=(), source=nothing, price=free)
        self._beneath: tuple[Tape, Tape] = (tape, tape)
        self._live: dict[object, Run] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._live)

    def get(self, run_id: object) -> Run | None:
        """Give a run that is going on."""
        return self._live.get(getattr(run_id, "int", run_id))  # to look for a UUID itself takes three times as long

    def looks_away(self, parent: Run | None) -> bool:
        """Say whether nobody would learn of a run that begins now; below one that is told, only a session says so."""
        return self._tape.looks_away() if parent is None else capture() == NOTHING

    def parent(self, parent_id: UUID | None, here: Context) -> Run | None:
        """Give the run around one that begins in a context: its parent, or what runs in that and is doing this."""
        named, around = self.get(parent_id), current(here)
        if around is None or around is named or self._live.get(around.key) is not around:
            return named
        return around if named is None or named in around.outer() else named

    def tell(self, run: Run, endpoint: Endpoint, where: Attributes, body: Mapping[str, Any]) -> None:
        """Have a call tell a run that begins."""
        tape = self._tape_of(endpoint)
        run.call = Call(tape, Request(endpoint, tape.keep(where), body, context=run.beginning()))

    def wait(self, run: Run, endpoint: Endpoint, where: Attributes, body: Mapping[str, Any]) -> None:
        """Have a model's run wait for the layer beneath to tell it."""
        request = Request(endpoint, where, body, context=run.beginning(), began=time.time_ns())
        tape = self._tape_of(endpoint)
        if run.block is not None and (run.parent is None or run.parent.block is not run.block):
            run.call = run.block.told_by(tape, request)
        if run.call is None:
            run.waiting = Waiting(tape, self._as_ours, request)
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
        run.starts()

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
        run.watched = None
        shown = run.shown()
        if shown is None:
            return
        if error is None:
            shown.end(how)
        else:
            shown.fail(error)
        if isinstance(shown, Held) and shown.in_block:
            shown.spent = run.used  # it goes on
        elif isinstance(shown, Call):
            run.used(shown)

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
