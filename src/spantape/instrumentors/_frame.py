"""`Frame`: what stands around the client's own work."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from ..guard import guard
from ._call import Call
from ._keys import used_by
from ._neighbours import with_mark


class Frame:
    """Surrounds the client's work: whatever fails of ours in it is guarded, nothing of the caller's is touched.

    Inside, the call's span is current, for the client's own HTTP spans to nest in.
    """

    __slots__ = ("_call", "_here", "_token")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._here: Context | None = None
        self._token: Any = None

    def __enter__(self) -> None:
        with guard:
            self._here = with_mark(trace.set_span_in_context(self._call.span))
            self._token = otel_context.attach(self._here)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with guard:
            # A coroutine may be closed in another context than it ran in; there, nothing of ours is to be undone.
            if self._token is not None and otel_context.get_current() is self._here:
                otel_context.detach(self._token)
        if error is not None:
            with guard:
                used_by(error)
                self._call.received(getattr(error, "response", None))
                self._call.fail(error)
