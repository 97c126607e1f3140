"""Turns of the Realtime API: what was asked, events and response → attributes; pure functions of plain JSON.

The body of a turn has the `session` as the server last told it, the `response` of the event that asked for the turn,
the `messages` since the turn before, and the `model` of the connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ... import semconv
from ...binary import digest, size_of
from ...content import Attributes
from ...jsontext import Json, loads_or
from .._endpoint import Endpoint
from .._mapping import Table, dig, fields, items, number, others, pick, plain, text, texts, whole
from .._messages import Message, Part, text_part, tool_call_part, tool_response_part, uri_part
from .response_items import tools
from .usage import tokens

_REQUEST = Table(
    {
        "temperature": (semconv.REQUEST_TEMPERATURE, number),
        "max_response_output_tokens": (semconv.REQUEST_MAX_TOKENS, whole),
        "max_output_tokens": (semconv.REQUEST_MAX_TOKENS, whole),
        "reasoning.effort": (semconv.REQUEST_REASONING_LEVEL, text),
    }
)
_RESPONSE = Table(
    {
        "id": (semconv.RESPONSE_ID, text),
        "conversation_id": (semconv.CONVERSATION_ID, text),
    }
)
# What is told elsewhere, or says nothing of how the model is to answer; `client_secret` is a key.
_ELSEWHERE = frozenset({
    *("client_secret", "conversation", "expires_at", "id", "input", "instructions", "model", "object", "tools", "type"),
    *("temperature", "max_output_tokens", "max_response_output_tokens"),
})  # fmt: skip
_PIECES = {
    "output_text.delta": "text",
    "text.delta": "text",
    "output_audio_transcript.delta": "transcript",
    "audio_transcript.delta": "transcript",
    "function_call_arguments.delta": "arguments",
    "mcp_call_arguments.delta": "arguments",
}
_REASONS = {"max_output_tokens": "length"}
_CALLS = frozenset({"function_call", "mcp_call"})


def request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what is asked for."""
    settings = _settings(body)
    kinds = texts(settings.get("output_modalities")) or texts(settings.get("modalities"))
    return pick(_REQUEST, settings) | {
        semconv.REQUEST_STREAM: True,
        semconv.OUTPUT_TYPE: kinds and ("speech" if "audio" in kinds else "text"),
    }


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give what was said to the model since the turn before; the history is the server's."""
    settings = _settings(body)
    parameters = others(settings, _ELSEWHERE)
    instructions = text(settings.get("instructions"))
    return heard(body) | {
        semconv.SYSTEM_INSTRUCTIONS: [text_part(instructions)] if instructions else None,
        semconv.TOOL_DEFINITIONS: tools(settings.get("tools")) or None,
        semconv.REQUEST_PARAMETERS: parameters or None,
    }


def heard(body: Mapping[str, Json]) -> Attributes:
    """Give the messages of a turn alone: what was spoken may be transcribed while the answer comes."""
    given = items(dig(body, "response.input"))
    messages = [message(item) for item in given] if given else body.get("messages")
    return {semconv.INPUT_MESSAGES: messages or None}


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back."""
    return pick(_RESPONSE, body) | tokens(body.get("usage")) | {
        semconv.RESPONSE_FINISH_REASONS: [reason] if (reason := _finish_reason(body)) else None,
    }  # fmt: skip


def answered(body: Mapping[str, Json]) -> Attributes:
    """Give what the model said, as one message."""
    parts = [part for item in items(body.get("output")) for part in _parts(item)]
    size = body.get("audio_bytes")
    if size:
        form = text(dig(body, "audio.output.format.type")) or text(body.get("output_audio_format"))
        parts.append(audio_part(size, form))
    message: Message = {"role": "assistant", "parts": parts, "finish_reason": _finish_reason(body) or "error"}
    return {semconv.OUTPUT_MESSAGES: [message] if parts else None}


def message(item: Mapping[str, Json]) -> Message:
    """Give an item of a conversation as a message."""
    role = "assistant" if item.get("type") in _CALLS else item.get("role")
    if item.get("type") in {"function_call_output", "mcp_approval_response"}:
        role = "tool"
    return {"role": str(role or "user"), "parts": list(_parts(item))}


def audio_part(size: int | None, form: str | None = None) -> Part:
    """Give audio that was counted and not kept; `form` is its format as the API names it."""
    mime_type = form if form is None or "/" in form else f"audio/{form}"
    part = {"type": "blob", "modality": "audio", "mime_type": mime_type, "size": size}
    return {key: value for key, value in part.items() if value is not None}


class Join:
    """Folds the events of a turn into its response: sizes of audio, texts still as JSON, and the response itself.

    The last event brings the whole response; the pieces before only matter when it never comes.
    """

    def __init__(self) -> None:
        self._audio = 0
        self._response: Mapping[str, Json] = {}
        self._items: dict[str, dict[str, Json]] = {}
        self._pieces: dict[tuple[str, str], list[str]] = {}

    def add(self, chunks: Iterable[Any]) -> None:
        """Take the next events."""
        for chunk in chunks:
            if type(chunk) is int:
                self._audio += chunk
            else:
                self._add(fields(loads_or(chunk, chunk)))

    def body(self) -> dict[str, Json]:
        """Give the response so far."""
        body = dict(plain(self._response))
        if not items(body.get("output")):
            body["output"] = self._output()
        return body | ({"audio_bytes": self._audio} if self._audio else {})

    def _add(self, event: Mapping[str, Json]) -> None:
        kind = str(event.get("type")).removeprefix("response.")
        key, delta = _PIECES.get(kind), event.get("delta")
        item_id = str(event.get("item_id") or dig(event, "item.id"))
        if key and isinstance(delta, str):
            self._pieces.setdefault((item_id, key), []).append(delta)
        elif kind == "done":
            self._response = fields(event.get("response"))
        elif kind.startswith("output_item."):
            self._items[item_id] = dict(fields(event.get("item")))

    def _output(self) -> list[Json]:
        """Make the items that came, those that are not complete from their pieces."""
        output = {item_id: dict(item) for item_id, item in self._items.items()}
        for (item_id, key), pieces in self._pieces.items():
            item = output.setdefault(item_id, {"type": "function_call" if key == "arguments" else "message"})
            if item.get("status") != "completed":
                said = "".join(pieces)
                item.update({key: said} if key == "arguments" else {"content": [{"type": "text", key: said}]})
        return list(output.values())


def _settings(body: Mapping[str, Json]) -> dict[str, Json]:
    return {**fields(body.get("session")), **fields(body.get("response"))}


def _finish_reason(body: Mapping[str, Json]) -> str | None:
    """Say why the response ended: in the words of chat completions where these have one, else in the API's."""
    if not body.get("id"):
        return "error"  # the response itself never came
    status = text(body.get("status"))
    if status == "completed":
        called = any(item.get("type") == "function_call" for item in items(body.get("output")))
        return "tool_calls" if called else "stop"
    reason = text(dig(body, "status_details.reason"))
    return "error" if status == "failed" else _REASONS.get(str(reason), reason) or status


def _parts(item: Mapping[str, Json]) -> Iterable[Part]:
    kind = item.get("type")
    if kind in _CALLS:
        yield tool_call_part(item.get("call_id") or item.get("id"), item.get("name"), item.get("arguments"))
        if item.get("output") is not None:
            yield tool_response_part(item.get("id"), item["output"])
    elif kind == "function_call_output":
        yield tool_response_part(item.get("call_id"), item.get("output"))
    elif kind in {"message", None}:
        for part in items(item.get("content")):
            yield from _content(part)
    else:
        yield {**item, "type": str(kind)}


def _content(part: Mapping[str, Json]) -> Iterable[Part]:
    said = text(part.get("text")) or text(part.get("transcript"))
    if text(part.get("audio")):
        yield audio_part(size_of(part["audio"]), text(part.get("format")))
    if text(part.get("image_url")):
        yield _digested(uri_part("image", part["image_url"]))
    if said:
        yield text_part(said)


def _digested(part: Part) -> Part:
    """Give a part without its data: it may wait long for the turn that it is said to."""
    if part.get("type") != "blob":
        return part
    return {key: value for key, value in part.items() if key != "content"} | digest(str(part.get("content")))


ENDPOINT = Endpoint("chat", request, response, asked, answered, Join)
