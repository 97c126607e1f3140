"""`call(...)`: a call that no instrumentor sees, as one span like any other."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from contextvars import copy_context
from types import TracebackType
from typing import Any

from .. import semconv
from ..context import NOTHING, Belonging, capture, session
from ..guard import guard
from ..instrumentors._block import Block
from ..instrumentors._call import ERROR, Call
from ..instrumentors._endpoint import Request
from ..instrumentors._failure import failure_told
from ..instrumentors._keys import secret, used
from ..record import id_of
from . import answers
from .desk import desk

_WHOSE = (frozenset(Belonging.__dataclass_fields__) - {"metadata"}) | {"capture"}


class call:  # noqa: N801 - used like a function
    """Record a call that no instrumentor sees: `with spantape.call(model="…", messages=[…]) as call: call.finish("…")`.

    `async with` works, too, and so does neither: then the call ends with `finish` or `fail`. `provider`, `model`,
    `messages` and `operation` (by default `chat`) are the call's; `session_id`, `user_id`, `role_name`, … and
    `metadata` say what it belongs to, as `session(...)` does, and `capture` how much of it is kept; every other keyword
    is a parameter that was sent, but for `api_key`, which is hidden wherever it is quoted.
    """

    def __init__(self, *, provider: str | None = None, model: str | None = None, **more: Any) -> None:
        self._block: Block | None = None
        with guard:
            made = opened({"provider": provider, "model": model, **more})
            if made is not None:
                self._block = Block(made)
                self._dropped = weakref.finalize(self, self._block.abandon)
                self._dropped.atexit = False

    @property
    def id(self) -> str | None:
        """The interaction's id, as in its record; None when nothing is recorded."""
        return None if self._block is None else id_of(self._block.call.span.get_span_context())

    def finish(self, response: Any = None, usage: Any = None, **more: Any) -> None:
        """End the call with its response: text, a message, or what the client gave.

        `usage` is as OpenAI or Anthropic tell it; `model` (which answered), `id` and `finish_reason` may be given, too.
        """
        if self._block is None:
            return
        with guard:
            self._block.answered(answers.answered(response, usage, more))
            self._block.call.gave(response)
        self._block.released().end()

    def fail(self, error: BaseException | str, code: str | int | None = None) -> None:
        """End the call with an exception, or with a message and a code."""
        if self._block is None:
            return
        made = self._block.released()
        if isinstance(error, BaseException):
            made.fail(error)
        else:
            made.note(failure_told({"message": error, "code": code}))
            made.end(ERROR)

    def __enter__(self) -> call:
        if self._block is not None:
            self._block.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._block is not None:
            self._dropped.detach()  # a stream that is still read ends the call
            self._block.leave(error)

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
    metadata = answers.named(given.pop("metadata", None))
    used(*filter(None, [secret(given.pop("api_key", None))]))
    body = answers.asked(model, messages, given)
    began = time.time_ns() - int(ago * 1e9) if ago else None
    with session(**{**metadata, **whose}):
        if capture() == NOTHING:
            return None
        where = {semconv.PROVIDER: provider} if provider else {}
        made = Call(here.tape, Request(answers.endpoint(operation), where, body, began=began))
        made.whose = copy_context()
    made.began(ago)
    made.listed()
    made.named(id_of(made.span.get_span_context()))
    return made
