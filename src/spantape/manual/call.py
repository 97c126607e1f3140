"""`call(...)`: a call that no instrumentor sees, as one span like any other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from .. import semconv
from ..context import Belonging, session
from ..guard import guard
from ..instrumentors._call import ERROR, Call, in_flight
from ..instrumentors._enclosing import as_block
from ..instrumentors._endpoint import Request
from ..instrumentors._failure import failure_told
from ..instrumentors._frame import Frame
from ..instrumentors._stream import end_with
from ..instrumentors._tape import Tape
from ..interaction import id_of
from . import answers
from .desk import desk

_WHOSE = frozenset(Belonging.__dataclass_fields__) - {"metadata"}


class call:  # noqa: N801 - used like a function
    """Record a call that no instrumentor sees: `with spantape.call(model="…", messages=[…]) as call: call.finish("…")`.

    `async with` works, too, and so does neither: then the call ends with `finish` or `fail`. `provider`, `model`,
    `messages` and `operation` (by default `chat`) are the call's; `session_id`, `user_id`, `role_name`, … and
    `metadata` say what it belongs to, as `session(...)` does; every other keyword is a parameter that was sent.
    """

    def __init__(self, *, provider: str | None = None, model: str | None = None, **more: Any) -> None:
        self._call: Call | None = None
        self._frame: Frame | None = None
        with guard:
            self._call = opened({"provider": provider, "model": model, **more})
            if self._call is not None:
                end_with(self, self._call)

    @property
    def id(self) -> str | None:
        """The interaction's id, as in its record; None when nothing is recorded."""
        return None if self._call is None else id_of(self._call.span.get_span_context())

    def finish(self, response: Any = None, usage: Any = None, **more: Any) -> None:
        """End the call with its response: text, a message, or what the client gave.

        `usage` is as OpenAI or Anthropic tell it; `model` (which answered), `id` and `finish_reason` may be given, too.
        """
        if self._call is not None:
            with guard:
                self._call.answered(answers.answered(response, usage, more))
                self._call.gave(response)
            self._call.end()

    def fail(self, error: BaseException | str, code: str | int | None = None) -> None:
        """End the call with an exception, or with a message and a code."""
        if self._call is None:
            return
        if isinstance(error, BaseException):
            self._call.fail(error)
        else:
            self._call.note(failure_told({"message": error, "code": code}))
            self._call.end(ERROR)

    def __enter__(self) -> call:
        if self._call is not None:
            self._frame = Frame(self._call, as_block)
            self._frame.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._call is not None and self._frame is not None:
            self._frame.__exit__(kind, error, traceback)
            self._call.leave(self)

    async def __aenter__(self) -> call:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def opened(asked: Mapping[str, Any], ago: float = 0.0) -> Call | None:
    """Open a call that began `ago` seconds ago; None when nothing is recorded."""
    here = desk()
    if here is None:
        return None
    given = {"messages": None, "operation": "chat", **asked}
    provider, model, messages, operation = (given.pop(name) for name in ("provider", "model", "messages", "operation"))
    whose = {name: given.pop(name) for name in _WHOSE & given.keys()}
    metadata = given.pop("metadata", None) or {}
    body = answers.asked(model, messages, given)
    with session(**{**metadata, **whose}):
        where = {semconv.PROVIDER: provider} if provider else {}
        made = Call(_since(here.tape, ago), Request(answers.endpoint(operation), where, body))
    made.began(ago)
    in_flight.add(made)  # what is open at exit is recorded
    made.named(id_of(made.span.get_span_context()))
    return made


def _since(tape: Tape, ago: float) -> Tape:
    """Have spans start in the past."""
    if not ago:
        return tape
    start = time.time_ns() - int(ago * 1e9)
    return tape.but(start_span=lambda opening: tape.start_span(opening._replace(start_time=start)))
