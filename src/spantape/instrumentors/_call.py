"""One client call and its span: opened, returned or failed, ended exactly once."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from .. import semconv
from ..content import Attributes
from ..context import opened
from ..guard import guard
from ..jsontext import Json
from ..opening import Opening
from ._adopted import adopted
from ._chunks import Chunks
from ._endpoint import Request
from ._failure import CANCELLED, failure, status_of
from ._in_flight import in_flight
from ._ledger import Ref, ledger
from ._observer import Ended, listening
from ._tape import Tape

TOTALS = (semconv.INPUT_TOKENS, semconv.OUTPUT_TOKENS)
COMPLETED, CLOSED, ABANDONED, ERROR = "completed", "closed", "abandoned", "error"


class Call:
    """A call in flight. `end` and `fail` may be called from anywhere, any number of times: the first one counts."""

    # Until something else is known; not set on each call, of which most have no use for them.
    chunks: Chunks | None = None
    """What came, where it is a stream."""
    hides: Callable[[Any], bool] | None = None
    attempts = 0
    pulling = watched = is_listed = False
    puller: Callable[[], Any] = staticmethod(lambda: None)
    """Gives the generator that watches the stream, as long as there is one: a reference would keep the stream alive."""
    whose: Context | None = None
    """Where it began, if whatever goes on with its span is to belong there, too."""
    heir: Call | None = None
    """What goes on with its span."""
    used: Mapping[str, Any] = {}
    body: Mapping[str, Json] | None = None
    """The whole response, as soon as it is known."""
    _dropped: Sequence[str] = ()
    _learned: Mapping[str, Any] = {}
    _gave = 0
    _ref: Ref | None = None

    def __init__(self, tape: Tape, request: Request) -> None:
        self.endpoint, _, body, self._keys, context, began = request
        self._first = itertools.count()
        self._at, self._clock = time.time(), time.perf_counter()
        self._known = request.sampled_by()
        self._tape = tape.for_call(self._known)
        self._observers = listening(tape.observers)
        self._around = opened()
        self._sent = body if self.endpoint.tells_usage_if_asked else {}  # it may hold whole files
        whose = adopted(context)
        self._session: str | None = whose.get(semconv.SESSION_ID)
        known = self._known | self._shown(whose) if whose else self._known
        name = f"{self.endpoint.operation} {self._known.get(self.endpoint.named_by, '')}".rstrip()
        self.span = self._tape.start_span(Opening(name, known, self.endpoint.kind, context, began))
        self.is_recording = self.span.is_recording()
        self.is_told = self.is_recording or bool(self._observers) or bool(self._around)
        """Whether anybody learns of the call: a span that is recorded, metrics, events."""
        if self.is_recording:
            with guard:
                self._ask(body)

    def note(self, attributes: Mapping[str, Any]) -> None:
        """Take what was learned on the way."""
        self._learned = {**self._learned, **attributes}

    def received(self, response: Any) -> None:
        """Take a response of the client's HTTP library, for the headers that are kept."""
        self.note(self._tape.headers(response))

    def answered(self, body: Mapping[str, Json]) -> None:
        """Take the whole response; it is kept even when the client then fails to parse it."""
        self.body = body

    def replayed(self, chunks: Iterable[Any]) -> None:
        """Take the chunks of a stream that the client has read to its end, before anybody saw one."""
        if self.endpoint.join is not None:
            join = self.endpoint.join()
            for chunk in chunks:
                with guard:
                    join.add((chunk,))
            self.body = join.body()

    def streams(self, *, live: bool = True) -> Chunks:
        """Say that chunks will come, `live` or after the fact: the span ends when they do, or at exit."""
        chunks = self.chunks = Chunks(self.endpoint, self._clock, timed=live and bool(self._observers))
        self.listed()
        if self.endpoint.tells_usage_if_asked and self.hides is None:
            with guard:
                self._tape.estimator.warm(self._model)
        return chunks

    def chunk(self, chunk: Any) -> None:
        """Take a chunk; from the first one on, the call is a stream."""
        (self.chunks or self.streams()).take(chunk)

    def listed(self) -> None:
        """Have it end at exit, where it has not before."""
        self.is_listed = True
        in_flight.add(self)

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
        if self._ref is None:
            started = getattr(self.span, "start_time", None) or 0
            self._ref = Ref(self.span.get_span_context(), self._session, started)
        return self._ref

    def end(self, how: str | None = None) -> None:
        """End the span, unless it has ended."""
        self._end(how, None)

    def fail(self, error: BaseException) -> None:
        """End the span with an error, unless it has ended."""
        self._end(CANCELLED if status_of(error) == CANCELLED else ERROR, error)

    def abandon(self) -> None:
        """End the span, unless it has ended: nobody will say how."""
        self.end(ABANDONED)

    def gives_way(self) -> bool:
        """Leave the span to another call; False when it has ended, or was left before."""
        if next(self._first):
            return False
        in_flight.discard(self)
        return True

    @property
    def host(self) -> str:
        """Whom the call is made to."""
        return str(self._known.get(semconv.SERVER_ADDRESS, ""))

    @property
    def _model(self) -> str:
        return str(self._known.get(semconv.REQUEST_MODEL, ""))

    def _ask(self, body: Mapping[str, Json]) -> None:
        endpoint, tape = self.endpoint, self._tape
        asked = guard.gather((endpoint.request, tape.said(endpoint.asked), tape.source), body)
        self.span.set_attributes(self._shown(asked))

    def _shown(self, attributes: Mapping[str, Any]) -> Attributes:
        """Give what the span may have; what the content policy has dropped so far stays named."""
        kept = self._tape.keep(attributes, self._keys())
        if self._dropped or semconv.CONTENT_DROPPED in kept:
            self._dropped = kept[semconv.CONTENT_DROPPED] = [*self._dropped, *kept.get(semconv.CONTENT_DROPPED, ())]
        self._known |= kept
        return self._tape.shown(kept)

    def _end(self, how: str | None, error: BaseException | None) -> None:
        if next(self._first):
            return
        if self.is_listed:
            in_flight.discard(self)
            self.whose = None  # the call before may be in it, with the one before that
        if self.chunks is not None:
            with guard:
                self.chunks.fold()
        if self.is_told:
            with guard:
                self._conclude(how, error, time.perf_counter() - self._clock)
        with guard:  # a processor of the application's may raise
            self.span.end()

    def _conclude(self, how: str | None, error: BaseException | None, seconds: float) -> None:
        told: Attributes = {}
        with guard:
            told = self._shown(self._told(how) | self._answer())
            self.span.set_attributes(told)
            self.use(told)
        if error is not None or semconv.ERROR_TYPE in told:
            with guard:
                self._blame(error, told)
        if self._observers:
            self._tell(seconds)
        self._list(told, seconds)

    def named(self, key: object) -> None:
        """Take the id of an answer, to know the call by it later."""
        if self.is_recording and isinstance(key, str) and key:
            ledger.name(key, self.ref())

    def _list(self, told: Attributes, seconds: float) -> None:
        """Let it be found again, and counted by the sessions around."""
        self.named(told.get(semconv.RESPONSE_ID))
        if self._around and self._is_counted():
            for one in set(self._around):
                one.calls.add(self._known, seconds)

    def _is_counted(self) -> bool:
        operation, is_remote = self.endpoint.operation, self.endpoint.kind is SpanKind.CLIENT
        is_call = operation == semconv.INVOKE_AGENT or operation not in semconv.AROUND_CALLS
        return is_call and is_remote

    def _tell(self, seconds: float) -> None:
        context = trace.set_span_in_context(self.span)
        ended = Ended(
            self._known, context, seconds, self.chunks.arrivals() if self.chunks is not None else (), self.is_recording
        )
        for observer in self._observers:
            with guard:
                observer.ended(ended)

    def _blame(self, error: BaseException | None, told: Attributes) -> None:
        """Say that the call has failed: by an exception, or by an answer that tells of an error."""
        if error is not None:
            told = self._shown(failure(error))
            self.span.set_attributes(told)
        if semconv.ERROR_TYPE in told:
            self.span.set_status(Status(StatusCode.ERROR, told.get(semconv.ERROR_MESSAGE)))

    def _told(self, how: str | None) -> Attributes:
        told = {**self._learned}
        if self.attempts:
            told[semconv.RETRIES] = self.attempts - 1
        if self.chunks is not None:
            told |= {semconv.STREAM_END: how, **self.chunks.told()}
        elif how == ABANDONED:
            told[semconv.STREAM_END] = how
        return told

    def use(self, told: Attributes) -> None:
        """Take note of the tokens that were used, for whoever sums them up."""
        self.used = {**self.used, **{name: told[name] for name in TOTALS if name in told}}

    def _answer(self) -> Attributes:
        chunks = self.chunks
        joined = chunks.body() if chunks is not None else None
        body = self.body if joined is None else joined
        if not body:
            return {}
        endpoint = self.endpoint
        readers = (endpoint.response, self._tape.said(endpoint.answered)) if self.is_recording else (endpoint.response,)
        found = guard.gather(readers, body)
        if chunks is not None and chunks.joins and endpoint.tells_usage_if_asked and not _is_used(found):
            with guard:
                found |= self._estimated(body)
        with guard:
            found |= self._tape.price({**self._known, **self._learned, **found}, self._at)
        return found

    def _estimated(self, body: Mapping[str, Json]) -> Attributes:
        """Give an estimate, as the stream ended without usage."""
        endpoint, sent = self.endpoint, self._sent
        return self._tape.estimator.usage(self._model, endpoint.asked(sent), endpoint.answered(body), endpoint.framing)


def _is_used(found: Attributes) -> bool:
    return found.get(semconv.INPUT_TOKENS) is not None or found.get(semconv.OUTPUT_TOKENS) is not None
