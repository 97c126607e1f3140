"""The choke points of websocket connections: what is sent, the bytes that are received, and the close.

Reading a message's bytes rather than the typed event sees what the application parses by itself, too.
"""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from types import ModuleType, TracebackType
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import wrapt

from ...guard import guard
from ...jsontext import Json
from .._around import stand_around, stands, step_aside
from .._call import ABANDONED, CLOSED
from .._frame import Frame
from .._mapping import plain
from .._tape import Tape
from . import responses
from .keys import keys_of_websocket
from .provider import at_address
from .realtime_turns import RealtimeTurns
from .response_turns import LiveTurns, ResponsesTurns
from .turns import Line, Turn, Turns

Family: TypeAlias = Callable[[Line], Turns]

FAMILIES: Mapping[str, Family] = {
    "openai.resources.realtime.realtime": RealtimeTurns,
    "openai.resources.beta.realtime.realtime": RealtimeTurns,
    "openai.resources.responses.responses": partial(ResponsesTurns, responses.ENDPOINT),
    "openai.resources.beta.responses.responses": partial(ResponsesTurns, responses.ENDPOINT),
    "openai.resources.live.live": partial(LiveTurns, responses.ENDPOINT),
    "openai.resources.live.sideband": partial(LiveTurns, responses.ENDPOINT),
    "openai.resources.live.forks": partial(LiveTurns, responses.ENDPOINT),
}
"""Module → what follows the turns of its connections; versions of openai lack some of them."""

_MOST_QUEUED = 1000


class Connections:
    """The functions that stand around a connection's own; quiet once they are stopped."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._active = True
        self._wrapped: set[tuple[type, str]] = set()
        self._families: dict[type, Family] = {}
        self._turns: weakref.WeakKeyDictionary[Any, Turns] = weakref.WeakKeyDictionary()
        self._queued: weakref.WeakKeyDictionary[Any, list[Json]] = weakref.WeakKeyDictionary()

    def start(self) -> None:
        """Stand around the methods of connections, of each module as soon as it is imported."""
        for module in FAMILIES:
            wrapt.register_post_import_hook(self._patch, module)

    def stop(self) -> None:
        """Give the classes back the methods they had."""
        self._active = False
        for place, name in self._wrapped:
            if stands(place, name, self):  # someone else may have wrapped us since
                step_aside(place, name)
        self._wrapped.clear()

    def _patch(self, module: ModuleType) -> None:
        with guard:
            for place, name, wrapper in list(self._places(module)) if self._active else ():
                if (place, name) not in self._wrapped:
                    stand_around(place, name, wrapper, self)
                    self._wrapped.add((place, name))

    def _places(self, module: ModuleType) -> Iterator[tuple[type, str, Any]]:
        """Give what is to be wrapped of a module's connections: class, name and wrapper."""
        for kind in [value for value in vars(module).values() if inspect.isclass(value)]:
            if kind.__module__ == module.__name__ and hasattr(kind, "recv_bytes"):
                self._families[kind] = FAMILIES[module.__name__]
                yield from self._places_of(kind)
            elif kind.__module__ == module.__name__ and kind.__name__.endswith("ConnectionManager"):
                yield from _owned(kind, "send", self.queuing)

    def sending(self, wrapped: Callable[..., Any], connection: Any, args: Any, kwargs: Any) -> Any:
        """Stand around `send` and `send_raw`."""
        sending = self._sending(connection, args, kwargs)
        if sending is None:
            return wrapped(connection, *args, **kwargs)
        with sending:
            return wrapped(connection, *args, **kwargs)

    async def async_sending(
        self, wrapped: Callable[..., Awaitable[Any]], connection: Any, args: Any, kwargs: Any
    ) -> Any:
        """Stand around `send` and `send_raw`."""
        sending = self._sending(connection, args, kwargs)
        if sending is None:
            return await wrapped(connection, *args, **kwargs)
        with sending:
            return await wrapped(connection, *args, **kwargs)

    def receiving(self, wrapped: Callable[..., Any], connection: Any, args: Any, kwargs: Any) -> Any:
        """Stand around `recv_bytes`, which `recv`, iteration and event handlers all use."""
        turns = self._turns_of(connection)
        data = None
        try:
            data = wrapped(connection, *args, **kwargs)
        finally:
            _received(turns, data)
        return data

    async def async_receiving(
        self, wrapped: Callable[..., Awaitable[Any]], connection: Any, args: Any, kwargs: Any
    ) -> Any:
        """Stand around `recv_bytes`."""
        turns = self._turns_of(connection)
        data = None
        try:
            data = await wrapped(connection, *args, **kwargs)
        finally:
            _received(turns, data)
        return data

    def closing(self, wrapped: Callable[..., Any], connection: Any, args: Any, kwargs: Any) -> Any:
        """Stand around `close`. Turns end before: closing may take long, and wakes up the receiver with an error."""
        _end(self._turns_of(connection), CLOSED)
        return wrapped(connection, *args, **kwargs)

    async def async_closing(
        self, wrapped: Callable[..., Awaitable[Any]], connection: Any, args: Any, kwargs: Any
    ) -> Any:
        """Stand around `close`."""
        _end(self._turns_of(connection), CLOSED)
        return await wrapped(connection, *args, **kwargs)

    def queuing(self, wrapped: Callable[..., Any], manager: Any, args: Any, kwargs: Any) -> Any:
        """Stand around a manager's `send`, whose events go out once the connection stands."""
        result = wrapped(manager, *args, **kwargs)
        with guard:
            if self._active:
                queue = next(value for name, value in vars(manager).items() if name.endswith("__send_queue"))
                events = self._queued.setdefault(queue, [])
                if len(events) < _MOST_QUEUED:
                    events.append(plain(_event(args, kwargs)))
        return result

    def _places_of(self, kind: type) -> Iterator[tuple[type, str, Any]]:
        is_async = inspect.iscoroutinefunction(inspect.unwrap(getattr(kind, "recv_bytes")))  # noqa: B009
        sending = self.async_sending if is_async else self.sending
        yield from _owned(kind, "recv_bytes", self.async_receiving if is_async else self.receiving)
        yield from _owned(kind, "close", self.async_closing if is_async else self.closing)
        yield from _owned(kind, "send_raw", sending)
        if not _goes_through(kind, "send", "send_raw"):
            yield from _owned(kind, "send", sending)

    def _sending(self, connection: Any, args: Any, kwargs: Any) -> Sending | None:
        turns = self._turns_of(connection)
        with guard:
            turn = turns.sent(_event(args, kwargs)) if turns is not None else None
            return Sending(turns, turn) if turns is not None and turn is not None else None
        return None

    def _turns_of(self, connection: Any) -> Turns | None:
        """Give what follows a connection; None for kinds that have no turns."""
        with guard:
            if self._active:
                return self._turns.get(connection) or self._followed(connection)
        return None

    def _followed(self, connection: Any) -> Turns | None:
        family = next((self._families[kind] for kind in type(connection).__mro__ if kind in self._families), None)
        if family is None:
            return None
        ours = family(_line(self._tape, connection._connection))
        turns = self._turns.setdefault(connection, ours)  # another thread may be just as far
        if turns is ours:
            weakref.finalize(connection, _end, turns, ABANDONED).atexit = False
            queue = getattr(connection, "_send_queue", None)  # older versions have none
            for event in self._queued.pop(queue, ()) if queue is not None else ():
                turns.sent(event)
        return turns


class Sending(Frame):
    """Surrounds the sending of an event that asks for a turn."""

    __slots__ = ("_turn", "_turns")

    def __init__(self, turns: Turns, turn: Turn) -> None:
        super().__init__(turn.call)
        self._turns, self._turn = turns, turn

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        if error is not None:
            with guard:
                self._turns.forget(self._turn)


def _received(turns: Turns | None, data: Any) -> None:
    """Take a message, or what was raised instead."""
    if turns is None:
        return
    with guard:
        if data is not None:
            turns.received(data)
            return
        error = sys.exc_info()[1]
        # Whoever stops waiting for a message, by a cancellation or a timeout, can wait for it again.
        if error is not None and any(kind.__name__.startswith("ConnectionClosed") for kind in type(error).__mro__):
            turns.broke(error)


def _end(turns: Turns | None, how: str) -> None:
    with guard:
        if turns is not None:
            turns.close(how)


def _event(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return args[0] if args else next(iter(kwargs.values()), None)


def _line(tape: Tape, websocket: Any) -> Line:
    """Read where a connection leads from the websocket itself: the client may have another address for it."""
    protocol = websocket.protocol
    uri = getattr(protocol, "uri", None) or protocol.wsuri
    query = dict(parse_qsl(uri.query))
    deployment = query.get("deployment")  # Azure's word for it
    return Line(
        tape,
        at_address("https" if uri.secure else "http", uri.host, uri.port, bool(deployment)),
        query.get("model") or deployment,
        keys_of_websocket(websocket),
    )


def _owned(kind: type, name: str, wrapper: Any) -> Iterator[tuple[type, str, Any]]:
    """Give the class that a method is defined in, if the client has it."""
    owner = next((one for one in kind.__mro__ if name in vars(one)), None)
    if owner is not None:
        yield owner, name, wrapper


def _goes_through(kind: type, name: str, other: str) -> bool:
    """Say whether a method calls another one, which is wrapped already: versions of the client differ in it."""
    code = getattr(inspect.unwrap(getattr(kind, name)), "__code__", None)
    return code is not None and other in code.co_names
