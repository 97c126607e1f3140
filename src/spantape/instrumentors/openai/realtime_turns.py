"""Turns of the Realtime API: what the events of a connection say of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ... import semconv
from ...binary import size_of
from ...content import Attributes
from ...jsontext import Json
from .._call import COMPLETED
from .._failure import CANCELLED
from .._mapping import dig, fields, text
from . import realtime
from .dialogue import Dialogue
from .turns import Line, Turn, Turns, kind_of, read

_AUDIO = frozenset({"response.output_audio.delta", "response.audio.delta"})
_PIECES = frozenset({
    *("response.output_text.delta", "response.text.delta", "response.output_audio_transcript.delta"),
    *("response.audio_transcript.delta", "response.function_call_arguments.delta"),
    *("response.mcp_call_arguments.delta", "response.output_item.added", "response.output_item.done"),
})  # fmt: skip
_RESPONSE_ID = re.compile(rb'"response_id"\s*:\s*"([^"\\]+)"')
_DELTA = re.compile(rb'"delta"\s*:\s*"')
# An error that names what it is about, other than the response that is waited for.
_ABOUT_ELSE = re.compile(r"(session|item|conversation_item|audio|input_audio|output_audio|response_cancel)")


class RealtimeTurns(Turns):
    """Turns of the Realtime API, which the application asks for, or the server begins when it hears one end to speak.

    Responses may overlap (those outside the conversation do): each event names the one it belongs to.
    """

    endpoint = realtime.ENDPOINT

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._dialogue = Dialogue(line.tape.said)
        self._spoken_to = False

    def received(self, data: str | bytes) -> None:
        """Take what the server has sent; of audio nothing but its size is looked at."""
        kind = kind_of(data)
        if kind in _AUDIO or kind in _PIECES:
            if self._live:
                data = data.encode() if isinstance(data, str) else data
                self._named(data).call.chunk(_heard(data) if kind in _AUDIO else data)
        elif kind in self.server:
            self.server[kind](self, read(data))

    def _ask(self, event: Mapping[str, Json]) -> Turn | None:
        asked = fields(event.get("response"))
        messages = [] if asked.get("input") else self._dialogue.take()
        known = {key: asked.get(key) for key in ("metadata", "conversation")}
        return self._wait(self._turn(asked, messages, {"event_id": event.get("event_id"), **known}))

    def _turn(self, asked: Mapping[str, Json], messages: Any, event: Mapping[str, Json]) -> Turn | None:
        session = self._dialogue.session
        model = self._line.model or session.get("model")
        return self._open({"model": model, "session": session, "response": asked, "messages": messages}, event)

    def _created(self, event: Mapping[str, Json]) -> None:
        response = fields(event.get("response"))
        turn = self._claimed(response) or self._turn({}, self._dialogue.take(), {})
        self._spoken_to = False
        self._begin(text(response.get("id")), turn)
        if turn is not None:  # the rest of the response may never come
            turn.call.note(_identity(response))

    def _claimed(self, response: Mapping[str, Json]) -> Turn | None:
        """Give the turn that was asked for and now begins; None when the server begins one by itself."""
        metadata, aside = response.get("metadata") or None, response.get("conversation_id", "") is None
        waiting = list(self._waiting)
        same = [turn for turn in waiting if (turn.event.get("metadata") or None) == metadata]
        exact = [turn for turn in same if (turn.event.get("conversation") == "none") == aside]
        # Servers that are only compatible don't repeat the metadata.
        anyway = waiting if metadata is None and not self._spoken_to else []
        return next(iter(exact or same or anyway), None)

    def _done(self, event: Mapping[str, Json]) -> None:
        response = fields(event.get("response"))
        turn = self._live.pop(text(response.get("id")), None) or self._claimed(response)
        if turn is not None:
            turn.call.chunk(event)
            self._end(turn, response)

    def _end(self, turn: Turn, response: Mapping[str, Json]) -> None:
        status = response.get("status")
        if status == "failed":
            self._fail(turn, dig(response, "status_details.error"))
        else:
            self.forget(turn)
            self._leave(turn)
            turn.call.end(CANCELLED if status == CANCELLED else COMPLETED)

    def _failed(self, event: Mapping[str, Json]) -> None:
        error = fields(event.get("error"))
        turn = self._blamed(error)
        if turn is not None:
            self._fail(turn, error)

    def _blamed(self, error: Mapping[str, Json]) -> Turn | None:
        """Give the turn that an error is about; most errors are about other things, and the session goes on."""
        event_id = text(error.get("event_id"))
        if event_id is None and any(_ABOUT_ELSE.match(str(error.get(key))) for key in ("code", "param")):
            return None
        return next((turn for turn in list(self._waiting) if turn.event.get("event_id") == event_id), None)

    def _committed(self, event: Mapping[str, Json]) -> None:
        self._spoken_to = self._dialogue.committed(event.get("item_id")) or self._spoken_to

    def _leave(self, turn: Turn) -> None:
        if any(len(said["parts"]) > 1 for said in turn.messages):  # transcribed meanwhile
            turn.call.note(self._line.tape.said(realtime.heard)({"messages": turn.messages}))

    def _named(self, data: bytes) -> Turn:
        """Give the turn that an event belongs to; not even looked up while there is one only."""
        turns = list(self._live.values())
        found = _RESPONSE_ID.search(data) if len(turns) > 1 else None
        return self._live.get(found[1].decode("utf-8", "replace"), turns[-1]) if found else turns[-1]

    client: ClassVar = {
        "response.create": _ask,
        "session.update": lambda self, event: self._dialogue.configure(event.get("session"), whole=False),
        "conversation.item.create": lambda self, event: self._dialogue.add(event.get("item")),
        "input_audio_buffer.append": lambda self, event: self._dialogue.count(size_of(str(event.get("audio") or ""))),
        "input_audio_buffer.commit": lambda self, _: self._dialogue.commit(),
        "input_audio_buffer.clear": lambda self, _: self._dialogue.clear(),
    }
    server: ClassVar[Mapping[str, Callable[[Any, Mapping[str, Json]], None]]] = {
        "response.created": _created,
        "response.done": _done,
        "error": _failed,
        "session.created": lambda self, event: self._dialogue.configure(event.get("session"), whole=True),
        "session.updated": lambda self, event: self._dialogue.configure(event.get("session"), whole=True),
        "input_audio_buffer.committed": _committed,
        "conversation.item.input_audio_transcription.completed": lambda self, event: self._dialogue.transcribed(
            event.get("item_id"), event.get("transcript")
        ),
    }


def _identity(response: Mapping[str, Json]) -> Attributes:
    return {
        semconv.RESPONSE_ID: text(response.get("id")),
        semconv.CONVERSATION_ID: text(response.get("conversation_id")),
    }


def _heard(data: bytes) -> int:
    """Give the size of the audio in an event."""
    found = _DELTA.search(data)
    end = data.find(b'"', found.end()) if found else -1
    return size_of(data, found.end(), end) if found and end > 0 else 0
