"""Audio: spoken, written down, translated; what is kept of a sound is its type, size and, if small, digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ... import semconv
from ...binary import size_of
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._mapping import Table, fields, flag, items, number, pick, plain, text, whole
from .._messages import Part, sized_part, text_part, upload_part
from .usage import tokens

_REQUEST = Table(
    {
        "temperature": (semconv.REQUEST_TEMPERATURE, number),
        "stream": (semconv.REQUEST_STREAM, flag),
    }
)
_FORMATS = {
    **dict.fromkeys(("json", "verbose_json", "diarized_json"), "json"),
    **dict.fromkeys(("text", "srt", "vtt"), "text"),
}
_SPEECH_ELSEWHERE = frozenset({"model", "input"})
_HEARD_ELSEWHERE = frozenset({"model", "prompt", "files", *_REQUEST})


def speech_request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of a text that is about to be spoken."""
    return {semconv.OUTPUT_TYPE: "speech", semconv.REQUEST_STREAM: flag(body.get("stream_format") == "sse")}


def heard_request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of a recording that is about to be sent."""
    return pick(_REQUEST, body) | {semconv.OUTPUT_TYPE: _FORMATS.get(str(body.get("response_format")))}


def speech_asked(body: Mapping[str, Json]) -> Attributes:
    """Give the text that is to be spoken."""
    parts = [text_part(body["input"])] if text(body.get("input")) else []
    return _said(parts, body, _SPEECH_ELSEWHERE)


def heard_asked(body: Mapping[str, Json]) -> Attributes:
    """Give the recording, and the hint that goes with it."""
    hint = [text_part(body["prompt"])] if text(body.get("prompt")) else []
    return _said(hint + [upload_part("audio", file) for file in items(body.get("files"))], body, _HEARD_ELSEWHERE)


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back, whole or joined from events."""
    usage = body.get("usage")
    return tokens(usage) | {semconv.SECONDS: number(fields(usage).get("seconds"))}


def spoken(body: Mapping[str, Json]) -> Attributes:
    """Give of the sound how much it is."""
    size = whole(body.get("size"))
    return _answer([] if size is None else [sized_part("audio", text(body.get("content_type")), size)])


def heard(body: Mapping[str, Json]) -> Attributes:
    """Give the text that was understood."""
    return _answer([text_part(body["text"])] if text(body.get("text")) else [])


class Heard:
    """Folds the events of a transcription; the last one has the whole text."""

    def __init__(self) -> None:
        self._deltas: list[str] = []
        self._usage: Any = None

    def add(self, chunks: Iterable[Any]) -> None:
        """Take the next events, the client's objects or plain JSON."""
        for chunk in chunks:
            event = fields(chunk)
            delta = event.get("delta")
            if isinstance(delta, str):
                self._deltas.append(delta)
            elif event.get("type") == "transcript.text.done":
                self._usage = event.get("usage")
                self._deltas = [event["text"]] if text(event.get("text")) else self._deltas

    def body(self) -> dict[str, Json]:
        """Give the response so far."""
        return {"text": "".join(self._deltas), "usage": plain(self._usage)}


class Spoken:
    """Counts the bytes of the sound in the events of a speech, and lets go of it."""

    def __init__(self) -> None:
        self._size: int | None = None
        self._usage: Any = None

    def add(self, chunks: Iterable[Any]) -> None:
        """Take the next events, the client's objects or plain JSON."""
        for chunk in chunks:
            event = fields(chunk)
            sound = event.get("audio")
            if isinstance(sound, str):
                self._size = (self._size or 0) + size_of(sound)
            self._usage = event.get("usage") or self._usage

    def body(self) -> dict[str, Json]:
        """Give the response so far."""
        return {"size": self._size, "usage": plain(self._usage)}


def _said(parts: list[Part], body: Mapping[str, Json], elsewhere: frozenset[str]) -> Attributes:
    parameters = {key: value for key, value in body.items() if key not in elsewhere}
    return {
        semconv.INPUT_MESSAGES: [{"role": "user", "parts": parts}] if parts else None,
        semconv.REQUEST_PARAMETERS: parameters or None,
    }


def _answer(parts: list[Part]) -> Attributes:
    return {semconv.OUTPUT_MESSAGES: [{"role": "assistant", "parts": parts}] if parts else None}


SPEECH = Endpoint(semconv.SPEECH, speech_request, response, speech_asked, spoken, Spoken, held=1)
TRANSCRIPTION = Endpoint(semconv.TRANSCRIPTION, heard_request, response, heard_asked, heard, Heard)
TRANSLATION = Endpoint(semconv.TRANSLATION, heard_request, response, heard_asked, heard, Heard)
