"""Responses: request and response → attributes; pure functions of plain JSON."""

from __future__ import annotations

from collections.abc import Mapping

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._failure import failure_told
from .._mapping import Table, dig, fields, flag, items, number, others, pick, plain, text, whole
from .response_events import Join
from .response_items import instructions, is_compacted, is_tool_call, messages, output_parts, tools
from .usage import tokens


def _word(value: Json) -> str | None:
    """Read a text, or a number as one."""
    return text(value) or (str(value) if number(value) is not None else None)


def _conversation(value: Json) -> str | None:
    return text(value) or text(dig(value, "id"))


_FORMATS = {"json_object": "json", "json_schema": "json", "text": "text"}
_REASONS = {"max_output_tokens": "length", "max_messages": "length", "completed": "stop"}
_PENDING = frozenset({"queued", "in_progress"})
_STATUSES = _PENDING | {"completed", "incomplete", "failed", "cancelled"}
_MOST_VARIABLES = 32
"""A span has room for 128 attributes; what a template's many variables push out would be its model and its tokens."""

_REQUEST = Table(
    {
        "temperature": (semconv.REQUEST_TEMPERATURE, number),
        "top_p": (semconv.REQUEST_TOP_P, number),
        "max_output_tokens": (semconv.REQUEST_MAX_TOKENS, whole),
        "stream": (semconv.REQUEST_STREAM, flag),
        "reasoning.effort": (semconv.REQUEST_REASONING_LEVEL, text),
        "previous_response_id": (semconv.REQUEST_PREVIOUS_RESPONSE_ID, text),
        "conversation": (semconv.CONVERSATION_ID, _conversation),
        "prompt.id": (semconv.PROMPT_NAME, text),
        "prompt.version": (semconv.PROMPT_VERSION, _word),
        "text.format.type": (semconv.OUTPUT_TYPE, lambda value: _FORMATS.get(str(value))),
        "service_tier": (semconv.OPENAI_REQUEST_SERVICE_TIER, lambda value: text(value) if value != "auto" else None),
    }
)
_RESPONSE = Table(
    {
        "id": (semconv.RESPONSE_ID, text),
        "model": (semconv.RESPONSE_MODEL, text),
        "service_tier": (semconv.OPENAI_RESPONSE_SERVICE_TIER, text),
        "conversation": (semconv.CONVERSATION_ID, _conversation),
        "prompt.version": (semconv.PROMPT_VERSION, _word),
    }
)
_FETCH = Table(
    {
        "response_id": (semconv.RESPONSE_ID, text),
        "stream": (semconv.REQUEST_STREAM, lambda value: True if str(value).lower() == "true" else None),
        "starting_after": (semconv.REQUEST_STREAM_CURSOR, _word),
    }
)
_FETCHED = Table(
    {
        "model": (semconv.RESPONSE_MODEL, text),
        "status": (semconv.RESPONSE_STATUS, lambda value: value if value in _STATUSES else None),
    }
)
_ELSEWHERE = frozenset({
    *("model", "input", "instructions", "tools", "prompt", "temperature", "top_p", "max_output_tokens", "stream"),
    *("previous_response_id", "conversation"),
})  # fmt: skip


def request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what is about to be sent."""
    return _sent(body) | {semconv.OPENAI_API_TYPE: "responses"}


def _sent(body: Mapping[str, Json]) -> Attributes:
    return pick(_REQUEST, body) | {semconv.CONVERSATION_COMPACTED: is_compacted(body.get("input"))}


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give what was said to the model."""
    variables = fields(dig(body, "prompt.variables"))
    named = dict([(key, value) for key, value in variables.items() if _word(value) is not None][:_MOST_VARIABLES])
    rest = {key: plain(value) for key, value in variables.items() if key not in named}
    parameters = others(body, _ELSEWHERE)
    return {
        semconv.SYSTEM_INSTRUCTIONS: instructions(body.get("instructions")) or None,
        semconv.INPUT_MESSAGES: messages(body.get("input")) or None,
        semconv.TOOL_DEFINITIONS: tools(body.get("tools")) or None,
        semconv.REQUEST_PARAMETERS: parameters | ({"prompt_variables": rest} if rest else {}) or None,
        **{f"{semconv.PROMPT_VARIABLE}{key}": _word(value) for key, value in named.items()},
    }


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back, whole or joined from events; a failure may come as an answer, too."""
    failed = body.get("error") or body.get("status") == "failed"
    return pick(_RESPONSE, body) | tokens(body.get("usage")) | {
        semconv.RESPONSE_FINISH_REASONS: _reasons(body),
        semconv.CONVERSATION_COMPACTED: is_compacted(body.get("output")),
        **(failure_told(body.get("error")) if failed else {}),
    }  # fmt: skip


def answered(body: Mapping[str, Json]) -> Attributes:
    """Give what the model said; instructions that came from a prompt template are told of by the response only."""
    said = instructions(body.get("instructions")) if body.get("prompt") else []
    return {semconv.OUTPUT_MESSAGES: _output(body), semconv.SYSTEM_INSTRUCTIONS: said or None}


def _output(body: Mapping[str, Json]) -> Json:
    parts = output_parts(body.get("output"))
    reasons = _reasons(body)
    return (
        [{"role": "assistant", "parts": parts} | ({"finish_reason": reasons[0]} if reasons else {})] if parts else None
    )


def _reasons(body: Mapping[str, Json]) -> list[str] | None:
    """Say why the model stopped, in the words of chat completions; it may still be at work in the background."""
    status = text(body.get("status"))
    if status in _PENDING:
        return None if body.get("background") else ["error"]  # the stream was left
    if status == "completed" and any(map(is_tool_call, items(body.get("output")))):
        return ["tool_calls"]
    reason = text(dig(body, "incomplete_details.reason")) if status == "incomplete" else None
    stopped = "error" if status in {"failed", "cancelled"} else reason or status
    return [_REASONS.get(stopped, stopped)] if stopped else None


def _fetch(body: Mapping[str, Json]) -> Attributes:
    return pick(_FETCH, body)


def _fetched(body: Mapping[str, Json]) -> Attributes:
    """Give what a fetch tells: that the response had failed is its status; its tokens were told when it was made."""
    reasons = _reasons({**body, "background": True})
    return pick(_FETCHED, body) | {semconv.RESPONSE_FINISH_REASONS: reasons}


def _fetched_content(body: Mapping[str, Json]) -> Attributes:
    return {
        semconv.SYSTEM_INSTRUCTIONS: instructions(body.get("instructions")) or None,
        semconv.OUTPUT_MESSAGES: _output({**body, "background": True}),
        semconv.TOOL_DEFINITIONS: tools(body.get("tools")) or None,
    }


def _counted(body: Mapping[str, Json]) -> Attributes:
    return {semconv.COUNTED_TOKENS: whole(body.get("input_tokens"))}


# The conventions know the first two operations; the others are called by what the client's method is called.
ENDPOINT = Endpoint("chat", request, response, asked, answered, Join)
FETCH = Endpoint("fetch_response", _fetch, _fetched, answered=_fetched_content, join=Join)
CANCEL = Endpoint("cancel_response", _fetch, _fetched, answered=_fetched_content)
COMPACT = Endpoint("compact_response", _sent, response, asked, answered)
COUNT = Endpoint("count_tokens", _sent, _counted, asked)
