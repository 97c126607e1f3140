"""Completions of a text, the API before chat: request, response and chunks → attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._failure import failure_answered
from .._mapping import Table, fields, flag, items, number, others, pick, plain, text, texts, whole
from .._messages import Message, text_part
from .inputs import a_message_each
from .usage import tokens

_REQUEST = Table(
    {
        "temperature": (semconv.REQUEST_TEMPERATURE, number),
        "top_p": (semconv.REQUEST_TOP_P, number),
        "top_k": (semconv.REQUEST_TOP_K, whole),
        "max_tokens": (semconv.REQUEST_MAX_TOKENS, whole),
        "frequency_penalty": (semconv.REQUEST_FREQUENCY_PENALTY, number),
        "presence_penalty": (semconv.REQUEST_PRESENCE_PENALTY, number),
        "seed": (semconv.REQUEST_SEED, whole),
        "stop": (semconv.REQUEST_STOP_SEQUENCES, texts),
        "stream": (semconv.REQUEST_STREAM, flag),
    }
)
_RESPONSE = Table(
    {
        "id": (semconv.RESPONSE_ID, text),
        "model": (semconv.RESPONSE_MODEL, text),
        "system_fingerprint": (semconv.OPENAI_SYSTEM_FINGERPRINT, text),
    }
)
_TOP = ("id", "model", "system_fingerprint", "usage", "error")
_ELSEWHERE = frozenset({"model", "prompt", "n", *_REQUEST})


def request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what is about to be sent."""
    count = whole(body.get("n"))
    return pick(_REQUEST, body) | {semconv.REQUEST_CHOICE_COUNT: count if count != 1 else None}


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give the prompts, a message each; token ids by their number."""
    return {
        semconv.INPUT_MESSAGES: a_message_each(body.get("prompt")),
        semconv.REQUEST_PARAMETERS: others(body, _ELSEWHERE) or None,
    }


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back, whole or joined from chunks; a failure may come as an answer, too."""
    reasons = [_reason(choice) for choice in items(body.get("choices"))]
    return pick(_RESPONSE, body) | tokens(body.get("usage")) | {
        semconv.RESPONSE_FINISH_REASONS: reasons or None,
        **failure_answered(body),
    }  # fmt: skip


def answered(body: Mapping[str, Json]) -> Attributes:
    """Give what the model wrote, a message for each choice."""
    return {semconv.OUTPUT_MESSAGES: [_output(choice) for choice in items(body.get("choices"))] or None}


class Join:
    """Folds chunks into the response that the call would have given without streaming."""

    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._texts: dict[int, list[str]] = {}
        self._reasons: dict[int, Json] = {}

    def add(self, chunks: Iterable[Any]) -> None:
        """Take the next chunks, the client's objects or plain JSON."""
        for chunk in chunks:
            body = fields(chunk)
            if not self._top.get("model") or body.get("usage") or body.get("error"):
                self._top.update({key: body[key] for key in _TOP if body.get(key)})
            for position, choice in enumerate(items(body.get("choices"))):
                self._add(choice, position)

    def body(self) -> dict[str, Json]:
        """Give the response so far."""
        choices = [
            {"text": "".join(self._texts[index]), "finish_reason": self._reasons.get(index)}
            for index in sorted(self._texts)
        ]
        return {**plain(self._top), "choices": choices}

    def _add(self, choice: Mapping[str, Any], position: int) -> None:
        index, piece = choice.get("index"), choice.get("text")
        place = index if isinstance(index, int) else position
        pieces = self._texts.setdefault(place, [])
        if isinstance(piece, str) and piece:
            pieces.append(piece)
        if choice.get("finish_reason"):
            self._reasons[place] = choice["finish_reason"]


def _output(choice: Mapping[str, Json]) -> Message:
    said = text(choice.get("text"))
    return {"role": "assistant", "parts": [text_part(said)] if said else [], "finish_reason": _reason(choice)}


def _reason(choice: Mapping[str, Json]) -> str:
    return text(choice.get("finish_reason")) or "error"


ENDPOINT = Endpoint("text_completion", request, response, asked, answered, Join, tells_usage_if_asked=True)
