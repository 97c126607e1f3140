"""`session(...)`: whom and what the calls inside it belong to."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from . import jsontext, semconv
from .calls import Calls
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
NOTHING, METADATA, FULL = "none", "metadata", "full"


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
# The sessions themselves, not what they add up to: so each can leave on its own, in whatever order they are left.
_open: ContextVar[tuple[session, ...]] = ContextVar("spantape_sessions", default=())


def current(found: Belonging = _NOBODY) -> Belonging:
    """Give whom and what a call made now belongs to: the sessions at hand, laid over what is known otherwise."""
    for one in _open.get():
        found = one.belonging.inside(found)
    return found


opened = _open.get
"""Give the sessions that a call made now is inside of."""


def belonging() -> dict[str, Any]:
    """Give the span attributes of whom and what a call made now belongs to."""
    return current().attributes() if _open.get() else {}


def capture() -> str | None:
    """Give how much is kept of a call made now: `none`, `metadata`, or None for all; the strictest session counts."""
    opened = _open.get()
    if not opened:
        return None
    said = {one.capture for one in opened}
    return next((least for least in (NOTHING, METADATA) if least in said), None)


_leaves_out = False


def leaves_out() -> bool:
    """Say whether a session has said of calls of this recording that they are not to be recorded."""
    return _leaves_out


def begin_anew() -> None:
    """Let a new recording begin: what sessions before it have said is not of its calls."""
    global _leaves_out  # noqa: PLW0603 - there is one recording per process
    _leaves_out = capture() == NOTHING


class session:  # noqa: N801 - used like a function
    """Say whom and what the calls inside belong to: `with session("5", user_id="u1", topic="…"): ...`.

    Works with `with`, `async with` and as a decorator of functions and coroutine functions (in a generator, use
    `with`). An inner session adds to the outer one. Further keywords are kept as the record's metadata.

    `capture` says how much of the calls inside is recorded: `full`, `metadata` (nothing of what is said), or `none`
    (not even that there was a call). An inner session can only record less.
    """

    def __init__(self, session_id: object = None, /, *, capture: str = FULL, **values: object) -> None:
        self.belonging = _NOBODY
        self.capture = METADATA
        with guard:
            self.capture = _captured(capture)
        self.calls = Calls()
        with guard:
            self.belonging = _belonging(values if session_id is None else {"session_id": session_id, **values})

    @property
    def summary(self) -> dict[str, Any]:
        """What the calls inside added up to, as far as they have ended in this process; null where nothing is known."""
        return self.calls.summary()

    def __enter__(self) -> session:
        if self.capture == NOTHING:
            global _leaves_out  # noqa: PLW0603 - from now on a call that nobody knows is no mistake
            _leaves_out = True
        _open.set((*_open.get(), self))
        return self

    def __exit__(self, *_: object) -> None:
        opened = _open.get()
        for place in reversed(range(len(opened))):
            if opened[place] is self:
                _open.set(opened[:place] + opened[place + 1 :])
                return
        # Not there: a generator may be closed in another context than it ran in, where nothing of ours is to be undone.

    async def __aenter__(self) -> session:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def __call__(self, function: F) -> F:
        """Wrap `function` so that every run of it is inside the session."""

        @functools.wraps(function)
        def plain(*args: object, **kwargs: object) -> object:
            with self:
                return function(*args, **kwargs)

        @functools.wraps(function)
        async def coroutine(*args: object, **kwargs: object) -> object:
            with self:
                return await function(*args, **kwargs)

        return coroutine if inspect.iscoroutinefunction(function) else plain  # type: ignore[return-value]


def _captured(word: object) -> str:
    if word in (NOTHING, METADATA, FULL):
        return str(word)
    guard.warn_once(
        "capture", "session(capture=%r): give none, metadata or full; until then it counts as metadata", word
    )
    return METADATA


def _belonging(values: Mapping[str, object]) -> Belonging:
    known = {name: _scalar(name, values[name]) for name in _NAMES if values.get(name) not in (None, "")}
    metadata = {name: value for name, value in values.items() if name not in _NAMES}
    return Belonging(**known, metadata=metadata)  # type: ignore[arg-type]


def _scalar(name: str, value: object) -> str | int:
    if name in _NUMBERS and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    return jsontext.whole(str(value))
