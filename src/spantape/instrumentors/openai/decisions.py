"""Decisions: questions about an input, and their answers → attributes. The conventions have no operation for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._mapping import Table, items, nothing, pick, text, whole
from .._messages import (
    Message,
    Part,
    generic_part,
    refusal_part,
    text_part,
    tool_call_part,
    tool_response_part,
    uri_part,
)

_RESPONSE: Table = {
    "id": (semconv.RESPONSE_ID, text),
    "model": (semconv.RESPONSE_MODEL, text),
    "usage.input_tokens": (semconv.INPUT_TOKENS, whole),
    "usage.output_tokens": (semconv.OUTPUT_TOKENS, whole),
    "usage.input_tokens_details.cached_tokens": (semconv.CACHE_READ_TOKENS, whole),
    "usage.input_tokens_details.cache_write_tokens": (semconv.CACHE_WRITE_TOKENS, whole),
    "usage.output_tokens_details.reasoning_tokens": (semconv.REASONING_TOKENS, whole),
}
_ELSEWHERE = frozenset({"model", "input"})
_CALLS = frozenset({"function_call", "custom_tool_call"})
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give what the questions are about, and with the parameters the questions."""
    said = body.get("input")
    messages = (
        [_message("user", [text_part(said)])] if isinstance(said, str) else [_input(item) for item in items(said)]
    )
    return {
        semconv.INPUT_MESSAGES: messages or None,
        semconv.REQUEST_PARAMETERS: {key: value for key, value in body.items() if key not in _ELSEWHERE} or None,
    }


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back."""
    return pick(_RESPONSE, body)


def answered(body: Mapping[str, Json]) -> Attributes:
    """Give the answers, in the order of the questions."""
    answers = [generic_part(str(answer.get("type")), answer) for answer in items(body.get("answers"))]
    return {semconv.OUTPUT_MESSAGES: [_message("assistant", answers)] if answers else None}


def _message(role: str, parts: list[Part]) -> Message:
    return {"role": role, "parts": parts}


def _input(item: Mapping[str, Json]) -> Message:
    kind, call_id = item.get("type"), item.get("call_id")
    if kind in _CALLS:
        said = item.get("arguments") or item.get("input")
        return _message("assistant", [tool_call_part(call_id, item.get("name"), said)])
    if kind in _RESULTS:
        return _message("tool", [tool_response_part(call_id, item.get("output"))])
    return _message(str(item.get("role") or "user"), list(_parts(item.get("content"))))


def _parts(content: Json) -> Iterable[Part]:
    if isinstance(content, str):
        yield text_part(content)
    for item in items(content):
        if text(item.get("text")):
            yield text_part(item["text"])
        elif text(item.get("refusal")):
            yield refusal_part(item["refusal"])
        elif text(item.get("image_url")):
            yield uri_part("image", item["image_url"])
        else:
            yield {**item, "type": str(item.get("type") or "generic")}


ENDPOINT = Endpoint("decision", nothing, response, asked, answered)
