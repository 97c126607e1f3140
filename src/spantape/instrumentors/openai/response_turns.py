"""Turns of the Responses API over a websocket, and of what a Live session delegates to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import ClassVar

from ... import semconv
from ...jsontext import Json, loads_or
from .._call import COMPLETED, ERROR
from .._endpoint import Endpoint
from .._failure import CANCELLED
from .._mapping import dig, fields, given, text
from .turns import Line, Turn, Turns, kind_of

_MOST_ITEMS = 1000


class ResponsesTurns(Turns):
    """Turns of the Responses API over a websocket: its stream's events, one response at a time in each lane."""

    _ends: ClassVar = {
        "response.completed": COMPLETED,
        "response.incomplete": COMPLETED,
        "response.failed": ERROR,
        "response.cancelled": CANCELLED,
    }
    _envelope = frozenset({"type", "event_id", "stream_id"})

    def __init__(self, endpoint: Endpoint, line: Line) -> None:
        super().__init__(line)
        self.endpoint = endpoint

    def received(self, data: str | bytes) -> None:
        """Take what the server has sent."""
        if kind_of(data).startswith(("response.", "error")):
            event = fields(loads_or(data))
            self._take(event, text(event.get("stream_id")))

    def _ask(self, event: Mapping[str, Json]) -> Turn | None:
        body = {key: value for key, value in event.items() if key not in self._envelope}
        return self._wait(self._open(body | {"stream": True}, {"stream_id": text(event.get("stream_id"))}))

    def _take(self, event: Mapping[str, Json], lane: str | None) -> None:
        kind = str(event.get("type"))
        if kind == "response.created":
            self._begin(lane, self._next(lane) or self._open(self._settings()))
        turn = self._live.get(lane)
        if kind == "error":
            self._failed(event, lane)
        elif turn is not None and not kind.startswith("response.steer."):
            turn.call.chunk(event)
            if kind in self._ends:
                del self._live[lane]
                turn.call.end(self._ends[kind])

    def _failed(self, event: Mapping[str, Json], lane: str | None) -> None:
        # A status is the answer to a request; without one it is the stream at work that has failed.
        asked = self._next(lane) if event.get("status") is not None else None
        turn = asked or self._live.pop(lane, None) or self._next(lane)
        if turn is not None:
            self._fail(turn, event.get("error") or event, event.get("status"))

    def _settings(self) -> dict[str, Json]:
        """Give the body of a turn of which nothing was sent."""
        return {"stream": True}

    def _next(self, lane: str | None) -> Turn | None:
        return next((turn for turn in list(self._waiting) if turn.event.get("stream_id") == lane), None)

    client: ClassVar = {"response.create": _ask}


class LiveTurns(ResponsesTurns):
    """Turns of what a Live session delegates to the Responses API; the voice itself has no turns."""

    def __init__(self, endpoint: Endpoint, line: Line) -> None:
        super().__init__(endpoint, line)
        self._items: deque[Json] = deque(maxlen=_MOST_ITEMS)
        self._backend: Mapping[str, Json] = {}

    def received(self, data: str | bytes) -> None:
        """Take what the server has sent."""
        kind = kind_of(data)
        if kind == "response.event":
            event = fields(loads_or(data))
            self._take(fields(event.get("event")), text(event.get("delegation_id")))
        elif kind == "error":
            self._refused(fields(loads_or(data)))
        elif kind in {"session.started", "session.updated"}:
            self._configure(fields(loads_or(data)))

    def _ask(self, event: Mapping[str, Json]) -> Turn | None:
        items = list(self._items)
        self._items.clear()
        return self._wait(self._open(self._settings() | {"input": items or None}, {"event_id": event.get("event_id")}))

    def _add(self, event: Mapping[str, Json]) -> None:
        said = self._line.tape.said(lambda body: {semconv.INPUT_MESSAGES: body.get("item")})(event)
        self._items.extend(item for item in said.values() if item)

    def _configure(self, event: Mapping[str, Json]) -> None:
        self._backend = {**self._backend, **given(fields(dig(event, "session.delegation.responses")))}

    def _settings(self) -> dict[str, Json]:
        return {**self._backend, "stream": True}

    def _refused(self, event: Mapping[str, Json]) -> None:
        event_id = text(event.get("client_event_id")) or text(dig(event, "error.client_event_id"))
        for turn in [one for one in list(self._waiting) if event_id and one.event.get("event_id") == event_id]:
            self._fail(turn, event.get("error"))

    def _next(self, lane: str | None) -> Turn | None:  # noqa: ARG002 - what was asked for has no lane yet
        return next(iter(list(self._waiting)), None)

    client: ClassVar = {
        "response.create": _ask,
        "response.item.create": _add,
        "session.start": _configure,
        "session.update": _configure,
    }
