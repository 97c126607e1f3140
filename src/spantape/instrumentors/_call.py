"""One client call and its span: opened, returned or failed, ended exactly once."""

from __future__ import annotations

import itertools
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Protocol, TypeAlias, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode

from .. import semconv
from ..content import CONTENT, Attributes
from ..context import current
from ..guard import guard
from ..jsontext import Json, loads_or, whole

T = TypeVar("T")

StartSpan: TypeAlias = Callable[[str, Attributes], Span]
Keep: TypeAlias = Callable[[Mapping[str, Any]], Attributes]
Price: TypeAlias = Callable[[Mapping[str, Any], float], Attributes]

COMPLETED, CLOSED, ABANDONED, ERROR, CANCELLED = "completed", "closed", "abandoned", "error", "cancelled"

_MOST_ERROR_CHARS = 10_000


@dataclass(frozen=True)
class Tape:
    """What every call needs of the set-up; each flag has become a function."""

    start_span: StartSpan
    keep: Keep
    price: Price


class Join(Protocol):
    """Folds the chunks of a stream into the response that the call would have given without streaming."""

    def add(self, chunk: Json) -> None:
        """Take the next chunk."""

    def body(self) -> dict[str, Json]:
        """Give the response so far."""


@dataclass(frozen=True)
class Endpoint:
    """What an endpoint's file offers: pure functions of plain JSON."""

    operation: str
    request: Callable[[Mapping[str, Json]], Attributes]
    response: Callable[[Mapping[str, Json]], Attributes]
    join: Callable[[], Join]


class Call:
    """A call in flight. `end` and `fail` may be called from anywhere, any number of times: the first one counts."""

    def __init__(self, tape: Tape, endpoint: Endpoint, where: Attributes, body: Mapping[str, Json]) -> None:
        self._tape, self._endpoint = tape, endpoint
        self._request = _request_attributes(endpoint, where, body)
        self._first = itertools.count()
        self._dropped: list[str] = []
        self._join: Join | None = None
        self._chunks = 0
        self._to_first_chunk: float | None = None
        self._body: Mapping[str, Json] | None = None
        self._at, self._clock = time.time(), time.perf_counter()
        self.attempts = 0
        self.pulling = self.watched = False
        self.span = self._open()

    def note(self, attributes: Mapping[str, Any]) -> None:
        """Set what was learned on the way."""
        if self.span.is_recording():
            self.span.set_attributes({key: value for key, value in attributes.items() if value is not None})

    def answered(self, body: Mapping[str, Json]) -> None:
        """Take the whole response; it is kept even when the client then fails to parse it."""
        self._body = body

    def streams(self) -> None:
        """Say that chunks will come: the span ends when they do, or at exit."""
        self._join = self._endpoint.join()
        in_flight.add(self)

    def arrived(self) -> None:
        """Take the time of the first chunk."""
        if self._to_first_chunk is None:
            self._to_first_chunk = time.perf_counter() - self._clock

    def chunk(self, chunk: Json) -> None:
        """Take a chunk."""
        self.arrived()
        self._chunks += 1
        if self._join is not None:
            self._join.add(chunk)

    @property
    def is_stream(self) -> bool:
        """Whether chunks are expected."""
        return self._join is not None

    @property
    def is_answered(self) -> bool:
        """Whether a whole response is known."""
        return self._body is not None

    def end(self, how: str | None = None) -> None:
        """End the span, unless it has ended."""
        self._end(how, None)

    def fail(self, error: BaseException) -> None:
        """End the span with an error, unless it has ended."""
        self._end(CANCELLED if not isinstance(error, Exception) or _is_cancelled(error) else ERROR, error)

    def _open(self) -> Span:
        said = {key: self._request.pop(key) for key in CONTENT & self._request.keys()}
        name = f"{self._endpoint.operation} {self._request.get(semconv.REQUEST_MODEL, '')}".rstrip()
        span = self._tape.start_span(name, self._keep(self._request))
        if span.is_recording():
            span.set_attributes(self._keep(said))
        return span

    def _keep(self, attributes: Mapping[str, Any]) -> Attributes:
        """Give what may be set; what the content policy has dropped so far stays named."""
        kept = self._tape.keep(attributes)
        self._dropped += kept.get(semconv.CONTENT_DROPPED, [])
        return kept | ({semconv.CONTENT_DROPPED: list(self._dropped)} if self._dropped else {})

    def _end(self, how: str | None, error: BaseException | None) -> None:
        if next(self._first):
            return
        in_flight.discard(self)
        if self.span.is_recording():
            for learned in (partial(self._told, how), self._answer):
                with guard:
                    self.span.set_attributes(self._keep(learned()))
            with guard:
                self._blame(error)
        with guard:  # a processor of the application's may raise
            self.span.end()

    def _blame(self, error: BaseException | None) -> None:
        if error is not None:
            kept = self._keep(_failure(error))
            self.span.set_attributes(kept)
            self.span.set_status(Status(StatusCode.ERROR, kept.get(semconv.ERROR_MESSAGE)))

    def _told(self, how: str | None) -> Attributes:
        return {
            semconv.RETRIES: self.attempts - 1 if self.attempts else None,
            semconv.STREAM_END: how if self.is_stream else None,
            semconv.STREAM_CHUNKS: self._chunks if self.is_stream else None,
            semconv.RESPONSE_TIME_TO_FIRST_CHUNK: self._to_first_chunk,
        }

    def _answer(self) -> Attributes:
        body = self._join.body() if self._join is not None and self._chunks else self._body
        if not body:
            return {}
        found = self._endpoint.response(body)
        with guard:
            found |= self._tape.price(self._request | found, self._at)
        return found


in_flight: weakref.WeakSet[Call] = weakref.WeakSet()
"""Streams whose span has not ended."""


def end_in_flight() -> None:
    """End what is still open, at exit, so that it is recorded."""
    with guard:  # another thread may begin a stream at this moment
        for call in list(in_flight):
            call.end(ABANDONED)


class Frame:
    """Surrounds the client's work: whatever fails of ours in it is guarded, nothing of the caller's is touched.

    Inside, the call's span is current, for the client's own HTTP spans to nest in.
    """

    def __init__(self, begin: Callable[[], Call | None]) -> None:
        self._here: Context | None = None
        self._token: Any = None
        self._call: Call | None = None
        with guard:
            self._call = begin()

    def __enter__(self) -> None:
        with guard:
            if self._call is not None:
                self._here = trace.set_span_in_context(self._call.span)
                self._token = otel_context.attach(self._here)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with guard:
            # A coroutine may be closed in another context than it ran in; there, nothing of ours is to be undone.
            if self._token is not None and otel_context.get_current() is self._here:
                otel_context.detach(self._token)
        with guard:
            if error is not None and self._call is not None:
                self._call.fail(error)


def _request_attributes(endpoint: Endpoint, where: Attributes, body: Mapping[str, Json]) -> Attributes:
    model = body.get("model")
    first = {semconv.OPERATION: endpoint.operation, **where}
    if isinstance(model, str) and model:
        first[semconv.REQUEST_MODEL] = whole(model)
    found = first | endpoint.request(body) | current().attributes()
    return {key: value for key, value in found.items() if value is not None}


def _failure(error: BaseException) -> Attributes:
    status, code = getattr(error, "status_code", None), getattr(error, "code", None)
    return {
        semconv.ERROR_TYPE: error_type(error),
        semconv.ERROR_MESSAGE: _message(error),
        semconv.ERROR_CODE: code if isinstance(code, str) else None,
        semconv.HTTP_STATUS: status if isinstance(status, int) else None,
        semconv.REQUEST_ID: getattr(error, "request_id", None),
    }


def error_type(error: BaseException) -> str:
    """Give an exception's name as people import it: `openai.RateLimitError`, `asyncio.CancelledError`, `ValueError`."""
    package = type(error).__module__.partition(".")[0]
    name = type(error).__qualname__
    return name if package == "builtins" else f"{package}.{name}"


def _message(error: BaseException) -> str:
    return whole(str(error) or type(error).__name__)[:_MOST_ERROR_CHARS]


def _is_cancelled(error: BaseException) -> bool:
    return type(error).__name__ == "CancelledError"


def body_of(data: bytes) -> Mapping[str, Json] | None:
    """Read a response's body; None unless it is a JSON object."""
    body = loads_or(data)
    return body if isinstance(body, Mapping) else None
