"""`Turns`: the responses in flight on one websocket connection, each a call of its own."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from ... import semconv
from ...content import Attributes
from ...jsontext import Json, loads_or
from .._call import ABANDONED, ERROR, Call
from .._endpoint import Endpoint, Request
from .._failure import failure_told
from .._mapping import fields, plain, whole
from .._messages import Message
from .._neighbours import is_suppressed
from .._tape import Tape

Sent: TypeAlias = Any
"""What goes over a connection: JSON text, or an event as the application gives it to `send`."""

# Nearly every message begins with its type; those that don't are read whole.
_HEAD = re.compile(rb'\s*\{\s*(?:"event_id"\s*:\s*"[^"\\]{0,100}"\s*,\s*)?"type"\s*:\s*"([^"\\]{1,100})"')
_HEAD_BYTES = 300
_MOST_TURNS = 1000


@dataclass(eq=False)
class Turn:
    """A response that was asked for or has begun."""

    call: Call
    event: Mapping[str, Json] = field(default_factory=dict)
    """Of the event that asked for it, what tells it from others."""
    messages: Sequence[Message] = ()
    """What was said to the model, where that may still grow."""


@dataclass(frozen=True)
class Line:
    """What is known of a connection, and what records its turns."""

    tape: Tape
    where: Attributes
    model: str | None
    keys: tuple[str, ...] = ()


class Turns:
    """Follows the events of one connection. A response is known by order until the server names it, then by a key.

    Sender and receiver may be two threads: each step on a collection is one that Python does at once.
    """

    endpoint: Endpoint
    client: ClassVar[Mapping[str, Callable[[Any, Mapping[str, Json]], Turn | None]]] = {}
    """What is done with an event that the application sends, by its type."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._waiting: deque[Turn] = deque()
        self._live: dict[str | None, Turn] = {}

    def sent(self, message: Sent) -> Turn | None:
        """Take what the application is about to send; gives the turn that it asks for."""
        handle = self.client.get(kind_of(message))
        return handle(self, read(message)) if handle is not None else None

    def received(self, data: str | bytes) -> None:
        """Take what the server has sent."""
        raise NotImplementedError

    def forget(self, turn: Turn) -> None:
        """Take back a turn that could not be asked for."""
        if turn in self._waiting:
            self._waiting.remove(turn)

    def broke(self, error: BaseException) -> None:
        """End every turn with the error that the connection ended with."""
        for turn in self._all():
            self._leave(turn)
            turn.call.fail(error)

    def close(self, how: str) -> None:
        """End every turn."""
        for turn in self._all():
            self._leave(turn)
            turn.call.end(how)

    def _open(self, body: Mapping[str, Json], event: Mapping[str, Json] | None = None) -> Turn | None:
        """Open the call of a turn; None when nothing is to be recorded here."""
        line = self._line
        if is_suppressed(None) or line.tape.looks_away():
            return None
        call = Call(line.tape, Request(self.endpoint, line.where, body, lambda: line.keys))
        call.streams()
        return Turn(call, event or {}, body.get("messages") or ())

    def _wait(self, turn: Turn | None) -> Turn | None:
        if turn is not None:
            while len(self._waiting) >= _MOST_TURNS:
                self._waiting.popleft().call.end(ABANDONED)
            self._waiting.append(turn)
        return turn

    def _begin(self, key: str | None, turn: Turn | None) -> None:
        """Take a turn as begun; one that was under the same key can't go on."""
        if turn is None:
            return
        self.forget(turn)
        while len(self._live) >= _MOST_TURNS:
            self._live.pop(next(iter(self._live))).call.end(ABANDONED)
        before = self._live.pop(key, None)
        if before is not None:
            before.call.end(ABANDONED)
        self._live[key] = turn

    def _fail(self, turn: Turn, error: Json, status: Json = None) -> None:
        """End a turn that the server reports an error of."""
        self.forget(turn)
        self._leave(turn)
        turn.call.note(failure_told(error) | {semconv.HTTP_STATUS: whole(status)})
        turn.call.end(ERROR)

    def _leave(self, turn: Turn) -> None:
        """Let a call know what is only known now that its turn ends."""

    def _all(self) -> list[Turn]:
        turns = [*self._waiting, *self._live.values()]
        self._waiting.clear()
        self._live.clear()
        return turns


def kind_of(message: Sent) -> str:
    """Give the type of an event, without reading all of it where that can be helped."""
    if not isinstance(message, (str, bytes)):
        return str(fields(message).get("type"))
    start = message[:_HEAD_BYTES]
    found = _HEAD.match(start if isinstance(start, bytes) else start.encode("utf-8", "replace"))
    return found[1].decode("utf-8", "replace") if found else str(fields(loads_or(message)).get("type"))


def read(message: Sent) -> Mapping[str, Json]:
    """Give an event as plain JSON."""
    return fields(loads_or(message) if isinstance(message, (str, bytes)) else plain(message))
