"""Runs of assistants on threads: request, run and events → attributes of an agent that runs at the provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._failure import failure_told
from .._mapping import Table, dig, fields, flag, items, number, others, pick, plain, text, whole
from .._messages import (
    Message,
    Part,
    file_part,
    refusal_part,
    text_part,
    tool_call_part,
    tool_definition,
    tool_response_part,
    uri_part,
)
from .usage import tokens

_REQUEST = Table(
    {
        "assistant_id": (semconv.AGENT_ID, text),
        "thread_id": (semconv.CONVERSATION_ID, text),
        "run_id": (semconv.RESPONSE_ID, text),
        "temperature": (semconv.REQUEST_TEMPERATURE, number),
        "top_p": (semconv.REQUEST_TOP_P, number),
        "max_completion_tokens": (semconv.REQUEST_MAX_TOKENS, whole),
        "reasoning_effort": (semconv.REQUEST_REASONING_LEVEL, text),
        "stream": (semconv.REQUEST_STREAM, flag),
    }
)
_RESPONSE = Table(
    {
        "id": (semconv.RESPONSE_ID, text),
        "model": (semconv.RESPONSE_MODEL, text),
        "status": (semconv.RUN_STATUS, text),
        "assistant_id": (semconv.AGENT_ID, text),
        "thread_id": (semconv.CONVERSATION_ID, text),
    }
)
_INSTRUCTIONS = ("instructions", "additional_instructions")
_ELSEWHERE = frozenset({
    *("model", "thread", "additional_messages", "tool_outputs", "tools"),
    *_INSTRUCTIONS, *_REQUEST,
})  # fmt: skip


def request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what is about to be sent."""
    return pick(_REQUEST, body)


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give what is added to the thread, or answered to its tool calls; the thread itself is at the provider."""
    thread = fields(body.get("thread"))
    said = [*items(thread.get("messages")), *items(body.get("additional_messages"))]
    results = [
        tool_response_part(one.get("tool_call_id"), one.get("output")) for one in items(body.get("tool_outputs"))
    ]
    messages = [_message(one) for one in said] + ([{"role": "tool", "parts": results}] if results else [])
    return {
        semconv.SYSTEM_INSTRUCTIONS: [text_part(body[key]) for key in _INSTRUCTIONS if text(body.get(key))] or None,
        semconv.INPUT_MESSAGES: messages or None,
        semconv.TOOL_DEFINITIONS: [tool_definition(one) for one in items(body.get("tools"))] or None,
        semconv.REQUEST_PARAMETERS: _parameters(body, thread) or None,
    }


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of a run; one that has just begun has no usage yet."""
    error = fields(body.get("last_error"))
    return pick(_RESPONSE, body) | tokens(body.get("usage")) | (failure_told(error) if error else {})


def answered(body: Mapping[str, Json]) -> Attributes:
    """Give the messages that the run wrote while it was watched, and the tool calls that it waits for."""
    messages = [_message({"role": "assistant", **one}) for one in items(body.get("messages"))]
    calls = [_call(one) for one in items(dig(body, "required_action.submit_tool_outputs.tool_calls"))]
    return {semconv.OUTPUT_MESSAGES: messages + ([{"role": "assistant", "parts": calls}] if calls else []) or None}


class Join:
    """Folds events into the run at its latest, with the messages that it wrote.

    What an event is about is told by its data: events that are read from a raw response come without their names.
    """

    def __init__(self) -> None:
        self._run: Mapping[str, Any] = {}
        self._messages: dict[str, _Written] = {}

    def add(self, chunks: Iterable[Any]) -> None:
        """Take the next events, the client's objects or plain JSON."""
        for chunk in chunks:
            event = fields(chunk)
            data = fields(event.get("data")) or event
            kind = data.get("object")
            if kind == "thread.message.delta":
                self._message(data).add(fields(data.get("delta")))
            elif kind == "thread.message":
                self._message(data).become(data)
            elif kind == "thread.run":
                self._run = data

    def body(self) -> dict[str, Json]:
        """Give the run so far."""
        return {**plain(self._run), "messages": [message.body() for message in self._messages.values()]}

    def _message(self, data: Mapping[str, Any]) -> _Written:
        return self._messages.setdefault(str(data.get("id")), _Written())


class _Written:
    """One message that is being written; the whole one, which comes last, replaces its pieces."""

    def __init__(self) -> None:
        self._texts: dict[int, list[str]] = {}
        self._whole: list[Json] = []

    def add(self, delta: Mapping[str, Any]) -> None:
        for place, item in enumerate(items(delta.get("content"))):
            index, piece = item.get("index"), _text(item)
            if piece:
                self._texts.setdefault(index if isinstance(index, int) else place, []).append(piece)

    def become(self, message: Mapping[str, Any]) -> None:
        content = message.get("content")
        if isinstance(content, list) and content:
            self._whole = plain(content)
            self._texts.clear()

    def body(self) -> dict[str, Json]:
        texts = [{"type": "text", "text": "".join(self._texts[index])} for index in sorted(self._texts)]
        return {"content": self._whole or texts}


def _message(message: Mapping[str, Json]) -> Message:
    content = message.get("content")
    parts = [text_part(content)] if isinstance(content, str) else [_part(item) for item in items(content)]
    return {"role": str(message.get("role") or "user"), "parts": parts}


def _part(item: Mapping[str, Json]) -> Part:
    kind = item.get("type")
    if kind == "text":
        return text_part(_text(item))
    if kind == "refusal":
        return refusal_part(str(item.get("refusal") or ""))
    if kind == "image_file":
        return file_part("image", str(dig(item, "image_file.file_id")))
    if kind == "image_url":
        return uri_part("image", str(dig(item, "image_url.url")))
    return {**item, "type": str(kind or "generic")}


def _text(item: Mapping[str, Json]) -> str:
    """Give a part's text, which is wrapped in what comes back and bare in what is sent."""
    said = item.get("text")
    return text(said) or text(dig(said, "value")) or ""


def _call(call: Mapping[str, Json]) -> Part:
    return tool_call_part(call.get("id"), dig(call, "function.name"), dig(call, "function.arguments"))


def _parameters(body: Mapping[str, Json], thread: Mapping[str, Json]) -> dict[str, Json]:
    settings = others(thread, {"messages"})
    given = others(body, _ELSEWHERE)
    return given | ({"thread": settings} if settings else {})


ENDPOINT = Endpoint("invoke_agent", request, response, asked, answered, Join, named_by=semconv.AGENT_NAME)
