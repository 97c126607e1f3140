"""One client call and its span: opened, returned or failed, ended exactly once."""

from __future__ import annotations

import itertools
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from .. import semconv
from ..content import Attributes
from ..context import opened
from ..guard import guard
from ..jsontext import Json, whole
from ..opening import Opening
from ._adopted import adopted
from ._endpoint import Endpoint, Join, Request
from ._failure import CANCELLED, failure, status_of
from ._ledger import Ref, ledger
from ._lent import Lent
from ._neighbours import is_counted_elsewhere
from ._observer import Ended, Observer
from ._tape import Tape

TOTALS = (semconv.INPUT_TOKENS, semconv.OUTPUT_TOKENS)
COMPLETED, CLOSED, ABANDONED, ERROR = "completed", "closed", "abandoned", "error"


class Call:
    """A call in flight. `end` and `fail` may be called from anywhere, any number of times: the first one counts.

    Who sees the chunks of a stream puts them into `chunks`, and calls `full()` as soon as there are `room` of them.
    """

    __slots__ = (
        *(
            "_tape",
            "endpoint",
            "_first",
            "_dropped",
            "_join",
            "chunks",
            "room",
            "_folded",
            "_body",
            "_learned",
            "_kept",
        ),
        *("_observers", "_times", "arrived", "hides", "_sent", "attempts", "pulling", "watched", "is_stream", "_at"),
        *("_clock", "_key", "_known", "_session", "_around", "_gave", "_beneath", "_unasked", "used", "span"),
        *("is_recording", "__weakref__"),
    )

    def __init__(self, tape: Tape, request: Request) -> None:
        self.endpoint, where, body, self._key, context = request
        endpoint = self.endpoint
        self._first = itertools.count()
        self._dropped: list[str] = []
        self._join: Join | None = None
        self.chunks: list[Any] = []
        self.room = 1  # the time of the first one is taken
        self._folded = 0
        self._body: Mapping[str, Json] | None = None
        self._learned: Attributes = {}
        self._kept: Attributes = {}
        self._observers = _listening(tape.observers)
        self._times: list[float] | None = [] if self._observers else None
        self.arrived: float | None = None
        self.hides: Callable[[Any], bool] | None = None
        self._sent = body if endpoint.tells_usage_if_asked else {}  # it may hold whole files
        self.attempts = 0
        self.pulling = self.watched = self.is_stream = False
        self._at, self._clock = time.time(), time.perf_counter()
        self._beneath: Call | None = None
        self.used: Attributes = {}
        self._known = _sampled_by(endpoint, where, body)
        self._tape = tape.for_call(self._known)
        whose = adopted(context)
        self._around = opened()
        self._gave = 0
        self._session: str | None = whose.get(semconv.SESSION_ID)
        known = self._known | self._shown(whose) if whose else self._known
        self.span = self._tape.start_span(Opening(self._name(), known, endpoint.kind, context))
        if self._observers:
            self._kept.update(self._known)
        self.is_recording = self.span.is_recording()
        self._unasked: Mapping[str, Json] | None = body if endpoint.waits else None
        if self.is_recording and not endpoint.waits:
            with guard:
                self._ask(body)

    def lend(self, tape: Tape, beneath: Callable[[Tape], Call]) -> Call:
        """Have a call of the layer beneath, which knows more of it, tell this one: on this span, and instead of it."""
        lent = self._beneath = beneath(tape.but(start_span=partial(Lent, self)))
        self._observers = ()
        return lent

    @property
    def is_lent(self) -> bool:
        """Whether the layer beneath tells the call."""
        return self._beneath is not None

    @property
    def is_over(self) -> bool:
        """Whether the span that tells the call has ended."""
        return self.is_recording and not self.span.is_recording()

    def note(self, attributes: Mapping[str, Any]) -> None:
        """Take what was learned on the way."""
        self._learned.update(attributes)

    def answered(self, body: Mapping[str, Json]) -> None:
        """Take the whole response; it is kept even when the client then fails to parse it."""
        self._body = body

    def replayed(self, chunks: Iterable[Any]) -> None:
        """Take the chunks of a stream that the client has read to its end, before anybody saw one."""
        if self.endpoint.join is not None:
            join = self.endpoint.join()
            for chunk in chunks:
                with guard:
                    join.add((chunk,))
            self._body = join.body()

    def streams(self, *, live: bool = True) -> None:
        """Say that chunks will come, `live` or after the fact: the span ends when they do, or at exit."""
        self.is_stream = True
        self._times = self._times if live else None
        self._join = self.endpoint.join() if self.endpoint.join is not None else None
        in_flight.add(self)
        if self.endpoint.tells_usage_if_asked and self.hides is None:
            with guard:
                self._tape.estimator.warm(self._model)

    def chunk(self, chunk: Any) -> None:
        """Take a chunk."""
        self.chunks.append(chunk)
        if len(self.chunks) >= self.room:
            self.full()

    def full(self) -> None:
        """Take what has come: next to nothing is done while a chunk passes, and never more than a few are held."""
        if self.arrived is None:
            self.arrived = time.perf_counter()
        if self._times is None:
            self.room = self.endpoint.held
        else:  # each one is timed
            self._times.append(time.perf_counter() - self._clock)
        if len(self.chunks) >= self.endpoint.held:
            with guard:
                self._fold()

    def began(self, ago: float) -> None:
        """Say that it began some seconds before it was told; the span's start is the tape's to say."""
        self._at, self._clock = self._at - ago, self._clock - ago

    def gave(self, answer: object) -> None:
        """Take the object that the caller gets, to know the call by it later."""
        if self.is_recording and self._gave != id(answer):
            self._gave = id(answer)
            with guard:
                ledger.give(answer, self.ref())

    def ref(self) -> Ref:
        """Give what stands for the call when it has long ended."""
        if isinstance(self.span, Lent):
            return self.span.call.ref()
        return Ref(self.span.get_span_context(), self._session, getattr(self.span, "start_time", None) or 0)

    @property
    def is_told(self) -> bool:
        """Whether anybody learns of the call: a span that is recorded, metrics, events."""
        return self.is_recording or bool(self._observers) or bool(self._around)

    @property
    def is_answered(self) -> bool:
        """Whether a whole response is known."""
        return self._body is not None

    @property
    def wants_parsed(self) -> bool:
        """Whether the parsed result is to be read, and is not known yet."""
        return self.endpoint.typed and self._body is None

    def end(self, how: str | None = None) -> None:
        """End the span, unless it has ended."""
        self._end(how, None)

    def fail(self, error: BaseException) -> None:
        """End the span with an error, unless it has ended."""
        self._end(CANCELLED if status_of(error) == CANCELLED else ERROR, error)

    def leave(self, waiting: object) -> None:
        """End the span; where the layer beneath has a stream open, it ends with that, and keeps `waiting` alive."""
        told_by = self._beneath
        if told_by is not None and told_by in in_flight and isinstance(told_by.span, Lent):
            told_by.span.ends(waiting)
        else:
            self.end()

    @property
    def host(self) -> str:
        """Whom the call is made to."""
        return str(self._known.get(semconv.SERVER_ADDRESS, ""))

    @property
    def _model(self) -> str:
        return str(self._known.get(semconv.REQUEST_MODEL, ""))

    def _name(self) -> str:
        return f"{self.endpoint.operation} {self._known.get(self.endpoint.named_by, '')}".rstrip()

    def _ask(self, body: Mapping[str, Json]) -> None:
        asked: Attributes = {}
        with guard:
            asked = self.endpoint.request(body)
            self._known |= asked
        with guard:
            asked |= self._tape.said(self.endpoint.asked, body)
        with guard:
            asked |= self._tape.source()
        self.span.set_attributes(self._shown(asked))

    def _ask_late(self) -> None:
        body, self._unasked = self._unasked, None
        if body is not None and self.is_recording and self._beneath is None:
            self._ask(body)

    def _shown(self, attributes: Mapping[str, Any]) -> Attributes:
        """Give what the span may have; what the content policy has dropped so far stays named."""
        kept = self._tape.keep(attributes, self._key())
        self._dropped += kept.get(semconv.CONTENT_DROPPED, ())
        if self._dropped:
            kept[semconv.CONTENT_DROPPED] = list(self._dropped)
        if self._observers:
            self._kept.update(kept)
        return self._tape.shown(kept)

    def _fold(self) -> None:
        """Take from the chunks what the response is made of, and let go of them."""
        chunks, self.chunks = self.chunks, []
        self._folded += len(chunks)
        if self._join is None:
            return
        left = iter(chunks)
        for _ in chunks:  # one that can't be read costs only itself
            with guard:
                self._join.add(left)
                return

    def _end(self, how: str | None, error: BaseException | None) -> None:
        if next(self._first):
            return
        in_flight.discard(self)
        if self._beneath is not None:
            self._beneath._end(how, error)
        if self.is_told:
            seconds = time.perf_counter() - self._clock
            told: Attributes = {}
            with guard:
                self._fold()
            with guard:
                self._ask_late()
            with guard:
                told = self._shown(self._told(how) | self._answer())
                if told:
                    self.span.set_attributes(told)
                    self.use(told)
            with guard:
                self._blame(error, told)
            with guard:
                self._tell(seconds)
            with guard:
                self._list(told, seconds)
        with guard:  # a processor of the application's may raise
            self.span.end()

    def named(self, key: object) -> None:
        """Take the id of an answer, to know the call by it later."""
        if self.is_recording and isinstance(key, str) and key:
            ledger.name(key, self.ref())

    def _list(self, told: Attributes, seconds: float) -> None:
        """Let it be found again, and counted by the sessions around."""
        self.named(told.get(semconv.RESPONSE_ID))
        if self._around and self._is_counted():
            found = self._known | told
            usd = self._tape.in_usd(found)
            for one in set(self._around):
                one.calls.add(found, seconds, usd)

    def _is_counted(self) -> bool:
        operation, is_remote = self.endpoint.operation, self.endpoint.kind is SpanKind.CLIENT
        is_call = operation == semconv.INVOKE_AGENT or operation not in semconv.AROUND_CALLS
        return is_call and is_remote and self._beneath is None

    def _tell(self, seconds: float) -> None:
        if self._observers:
            context = trace.set_span_in_context(self.span)
            ended = Ended(self._kept, context, seconds, self._arrivals(), self.is_recording)
            for observer in self._observers:
                with guard:
                    observer.ended(ended)

    def _arrivals(self) -> Sequence[float]:
        if self._times is not None or self.arrived is None or not self.is_stream:
            return self._times or ()
        return (self.arrived - self._clock,)

    def _blame(self, error: BaseException | None, told: Attributes) -> None:
        """Say that the call has failed: by an exception, or by an answer that tells of an error."""
        if error is not None:
            told = self._shown(failure(error))
            self.span.set_attributes(told)
        if semconv.ERROR_TYPE in told:
            self.span.set_status(Status(StatusCode.ERROR, told.get(semconv.ERROR_MESSAGE)))

    def _told(self, how: str | None) -> Attributes:
        told = self._learned
        if self.attempts:
            told[semconv.RETRIES] = self.attempts - 1
        if self.is_stream:
            told |= {semconv.STREAM_END: how, semconv.STREAM_CHUNKS: self._folded}
        elif how == ABANDONED:
            told[semconv.STREAM_END] = how
        if self.arrived is not None:
            told[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = self.arrived - self._clock
        return told

    def use(self, told: Attributes) -> None:
        """Take note of the tokens that were used, for whoever sums them up."""
        self.used.update((name, told[name]) for name in TOTALS if name in told)

    def _answer(self) -> Attributes:
        if self._beneath is not None and self._beneath._has_answer:
            return {}
        body = self._join.body() if self._join is not None and self._folded else self._body
        found: Attributes = {}
        if body:
            with guard:
                found = self.endpoint.response(body)
            with guard:
                found |= self._estimated(found, body)
            with guard:
                found |= self._tape.price(self._known | self._learned | found, self._at)
            if self.is_recording:
                with guard:
                    found |= self._tape.said(self.endpoint.answered, body)
        return found

    @property
    def _has_answer(self) -> bool:
        return self._body is not None or self._folded > 0

    def _estimated(self, found: Attributes, body: Mapping[str, Json]) -> Attributes:
        """Give an estimate where a stream ended without usage."""
        if self._join is None or not self.endpoint.tells_usage_if_asked or _is_used(found):
            return {}
        endpoint, sent = self.endpoint, self._sent
        return self._tape.estimator.usage(self._model, endpoint.asked(sent), endpoint.answered(body), endpoint.framing)


def _is_used(found: Attributes) -> bool:
    return found.get(semconv.INPUT_TOKENS) is not None or found.get(semconv.OUTPUT_TOKENS) is not None


enders: list[Callable[[], None]] = []
"""End what else is open, each for an instrumentor."""
in_flight: weakref.WeakSet[Call] = weakref.WeakSet()
"""Streams whose span has not ended."""


def end_in_flight() -> None:
    """End what is still open, at exit, so that it is recorded."""
    for end in enders:
        with guard:
            end()
    with guard:  # another thread may begin a stream at this moment
        for call in list(in_flight):
            call.end(ABANDONED)


def _listening(observers: Iterable[Observer]) -> tuple[Observer, ...]:
    """Give who is to be told; nobody, where an official instrumentation counts the same call."""
    on = []
    for observer in observers:
        with guard:  # a provider of the application's may raise
            on += [observer] if observer.is_on() else []
    return () if on and is_counted_elsewhere() else tuple(on)


def _sampled_by(endpoint: Endpoint, where: Attributes, body: Mapping[str, Json]) -> Attributes:
    """Give what a sampler decides by, which has to be known when the span starts."""
    model = body.get("model")
    known = {semconv.OPERATION: endpoint.operation, **where}
    if known.get(semconv.SERVER_PORT) is None:
        known.pop(semconv.SERVER_PORT, None)
    if isinstance(model, str) and model:
        known[semconv.REQUEST_MODEL] = whole(model)
    return known
