"""`Waiting`: a model's run that the client beneath will tell, which knows more of it; unless there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import copy_context

from ... import semconv
from .._call import Call
from .._endpoint import Request
from .._held import Held
from .._tape import Tape


class Waiting:
    """A run that nobody has told yet."""

    __slots__ = ("_beneath", "_clock", "_here", "_request", "_tape")

    def __init__(self, tape: Tape, beneath: Callable[[Tape], Tape], request: Request) -> None:
        self._tape, self._beneath, self._request = tape, beneath, request
        self._clock = time.perf_counter()
        self._here = copy_context()

    def told(self) -> Call:
        """Tell the run, as if when it began."""
        call = self._here.run(Call, self._tape, self._request)
        call.began(time.perf_counter() - self._clock)
        return call

    def told_by(self, tape: Tape, request: Request) -> Held:
        """Have a call of the client's tell the run."""
        ours, model = self._request, self._request.body["model"]
        # That of an Azure deployment may be in the URL only.
        where = {semconv.REQUEST_MODEL: model, **request.where} if model else request.where
        return Held(self._beneath(tape), request._replace(where=where, context=ours.context, began=ours.began))
