"""`session(...)`: whom and what the calls inside it belong to."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import Any, TypeVar

from . import jsontext, semconv
from .guard import guard

F = TypeVar("F", bound=Callable[..., Any])

_NAMES = {
    "session_id": semconv.SESSION_ID,
    "user_id": semconv.USER_ID,
    "conversation_id": semconv.CONVERSATION_ID,
    "agent_key": semconv.AGENT_KEY,
    "role_name": semconv.ROLE_NAME,
    "step_id": semconv.STEP_ID,
    "round_index": semconv.ROUND_INDEX,
    "topic": semconv.TOPIC,
}
_NUMBERS = {"step_id", "round_index"}


@dataclass(frozen=True)
class Belonging:
    """Whom and what a call belongs to; ids are text, `step_id` and `round_index` may be numbers."""

    session_id: str | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    agent_key: str | None = None
    role_name: str | None = None
    step_id: str | int | None = None
    round_index: str | int | None = None
    topic: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def inside(self, outer: Belonging) -> Belonging:
        """Give these values laid over those of the session around."""
        mine = {name: getattr(self, name) for name in _NAMES if getattr(self, name) is not None}
        theirs = {option.name: getattr(outer, option.name) for option in fields(outer)}
        return Belonging(**(theirs | mine | {"metadata": {**outer.metadata, **self.metadata}}))

    def attributes(self) -> dict[str, Any]:
        """Give the span attributes; the metadata is plain JSON still, for the content policy to see."""
        found = {key: getattr(self, name) for name, key in _NAMES.items() if getattr(self, name) is not None}
        return found | ({semconv.METADATA: dict(self.metadata)} if self.metadata else {})


_NOBODY = Belonging()
_current: ContextVar[Belonging] = ContextVar("spantape_session", default=_NOBODY)


def current() -> Belonging:
    """Give whom and what a call made now belongs to."""
    return _current.get()


class session:  # noqa: N801 - used like a function
    """Say whom and what the calls inside belong to: `with session("5", user_id="u1", topic="…"): ...`.

    Works with `with`, `async with` and as a decorator of functions and coroutine functions (in a generator, use `with`).
    An inner session adds to the outer one. Further keywords are kept as the record's metadata.
    """

    def __init__(self, session_id: object = None, /, **values: object) -> None:
        self._values = values if session_id is None else {"session_id": session_id, **values}
        self._entered: list[tuple[Belonging, Belonging]] = []

    def __enter__(self) -> session:
        with guard:
            outer = _current.get()
            inner = _belonging(self._values).inside(outer)
            self._entered.append((outer, inner))
            _current.set(inner)
        return self

    def __exit__(self, *_: object) -> None:
        with guard:
            outer, inner = self._entered.pop()
            # A generator may be closed in another context than it ran in; there, nothing of ours is to be undone.
            if _current.get() is inner:
                _current.set(outer)

    async def __aenter__(self) -> session:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__()

    def __call__(self, function: F) -> F:
        """Wrap `function` so that every run of it is a session of its own."""
        fresh = functools.partial(session, **self._values)

        @functools.wraps(function)
        def plain(*args: object, **kwargs: object) -> object:
            with fresh():
                return function(*args, **kwargs)

        @functools.wraps(function)
        async def coroutine(*args: object, **kwargs: object) -> object:
            with fresh():
                return await function(*args, **kwargs)

        return coroutine if inspect.iscoroutinefunction(function) else plain  # type: ignore[return-value]


def _belonging(values: Mapping[str, object]) -> Belonging:
    known = {name: _scalar(name, values[name]) for name in _NAMES if values.get(name) is not None}
    metadata = {name: value for name, value in values.items() if name not in _NAMES}
    return Belonging(**known, metadata=metadata)  # type: ignore[arg-type]


def _scalar(name: str, value: object) -> str | int:
    if name in _NUMBERS and isinstance(value, int) and not isinstance(value, bool):
        return value
    return jsontext.whole(str(value))
