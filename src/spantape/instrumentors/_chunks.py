"""`Chunks`: what a stream gives, folded into the response that the call would have given without streaming."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from .. import semconv
from ..content import Attributes
from ..guard import guard
from ..jsontext import Json
from ._endpoint import Endpoint


class Chunks:
    """The chunks of one call.

    The first `timed` of them (None: all) are taken one by one, for the moment when they come; the others may be put
    into `held`, if `full` is called for about every `most` of them.
    """

    __slots__ = ("_arrived", "_clock", "_count", "_join", "_times", "held", "most", "timed")

    def __init__(self, endpoint: Endpoint, clock: float, *, timed: bool) -> None:
        self.held: list[Any] = []  # always this one: who puts chunks into it may keep it at hand
        self.most = endpoint.held
        self.timed = None if timed else 1
        self._join = endpoint.join() if endpoint.join is not None else None
        self._count = 0
        self._clock = clock
        self._arrived: float | None = None
        self._times: list[float] | None = [] if timed else None

    def take(self, chunk: Any) -> None:
        """Take a chunk."""
        self.held.append(chunk)
        if self._arrived is None:
            self._arrived = time.perf_counter()
        if self._times is not None:
            self._times.append(time.perf_counter() - self._clock)
        self.full()

    def full(self) -> None:
        """Take from the chunks what they say, when there are enough: next to nothing is done while one passes."""
        if len(self.held) >= self.most:
            with guard:
                self.fold()

    def fold(self) -> None:
        """Take from the chunks what the response is made of, and let go of them."""
        chunks = self.held[:]
        self.held.clear()
        self._count += len(chunks)
        if self._join is None:
            return
        left = iter(chunks)
        for _ in chunks:  # one that can't be read costs only itself
            with guard:
                self._join.add(left)
                return

    @property
    def joins(self) -> bool:
        """Whether they are folded into a response."""
        return self._join is not None

    @property
    def is_empty(self) -> bool:
        """Whether none has come."""
        return not (self._count or self.held)

    def body(self) -> Mapping[str, Json] | None:
        """Give the response, as far as it is folded; None where there is none."""
        return self._join.body() if self._join is not None and self._count else None

    def told(self) -> Attributes:
        """Give how many there were, and when the first came."""
        told: Attributes = {semconv.STREAM_CHUNKS: self._count}
        if self._arrived is not None:
            told[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = self._arrived - self._clock
        return told

    def arrivals(self) -> Sequence[float]:
        """Give when they came, in seconds after the call began: each, or where nobody is to know, the first."""
        if self._times is not None or self._arrived is None:
            return self._times or ()
        return (self._arrived - self._clock,)
