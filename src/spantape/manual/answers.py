"""What a client that nobody instruments was told and has answered, in the form of OpenAI's chat; pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..content import Attributes
from ..instrumentors._endpoint import Endpoint
from ..instrumentors._mapping import fields, items, plain, text, whole
from ..instrumentors.openai import chat
from ..jsontext import Json
from ..jsontext import text as dumped

_ROLES = {"human": "user", "ai": "assistant"}  # LangChain's words
_REASONS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls"}
_CACHED = {"cached_tokens": "cache_read_input_tokens", "cache_write_tokens": "cache_creation_input_tokens"}


def endpoint(operation: str) -> Endpoint:
    """Give the readers of calls by hand."""
    return Endpoint(operation, _request, chat.response, chat.asked, chat.answered)


def _request(body: Mapping[str, Json]) -> Attributes:
    return {name: value for name, value in chat.request(body).items() if not name.startswith("openai.")}


def asked(model: str | None, messages: object, parameters: Mapping[str, Any]) -> dict[str, Json]:
    """Give the body of a request: messages as text, as mappings, as LangChain's, or as pairs of role and text."""
    given = {name: plain(value) for name, value in parameters.items()}
    system = [{"role": "system", "content": given.pop("system")}] if given.get("system") else []
    listed = messages if isinstance(messages, (list, tuple)) else [] if messages is None else [messages]
    return given | {"model": model, "messages": [*system, *map(_message, listed)]}


def answered(response: object, usage: object, more: Mapping[str, Any]) -> dict[str, Json]:
    """Give the body of a response: text, a message, or what OpenAI, Anthropic and Ollama answer."""
    view = fields(response)
    body = plain(response) if "choices" in view else _alone(response, view, more)
    named = {name: body.get(name) or plain(view.get(name)) for name in ("id", "model")}
    told = plain(usage) if usage is not None else plain(view.get("usage") or view.get("usage_metadata"))
    return body | named | {"usage": _whole_usage(fields(told))} | {name: plain(value) for name, value in more.items()}


def told(response: object, usage: object) -> dict[str, Json]:
    """Give the body of a response of which nothing is told but what was said: JSON is said as its text."""
    body, said = answered(response, usage, {}), plain(response)
    return answered(dumped(said), usage, {}) if "choices" not in body and said is not None else body


def named(given: object) -> dict[str, Any]:
    """Give what has a name in a mapping or an object; what has none costs nothing but itself."""
    found = fields(given) or getattr(given, "__dict__", {})
    return {str(name): value for name, value in found.items()}


def _message(message: object) -> Json:
    if isinstance(message, str):
        return {"role": "user", "content": message}
    if isinstance(message, (list, tuple)) and len(message) == 2:
        return {"role": _ROLES.get(str(message[0]), str(message[0])), "content": plain(message[1])}
    view = fields(message)
    kind = str(view.get("role") or view.get("type") or "user")
    return {**fields(plain(message)), "role": _ROLES.get(kind, kind)}


def _alone(response: object, view: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Json]:
    """Give a body of one choice."""
    reason = text(more.get("finish_reason")) or text(view.get("stop_reason")) or text(view.get("done_reason"))
    message = _said(response, view)
    if message is None:
        return {}
    usual = "tool_calls" if message.get("tool_calls") else "stop"
    return {"choices": [{"message": message, "finish_reason": _REASONS.get(reason or usual, reason or usual)}]}


def _said(response: object, view: Mapping[str, Any]) -> dict[str, Json] | None:
    message = view.get("message") or response
    inner = fields(message)
    content = message if isinstance(message, str) else inner.get("content", getattr(message, "content", None))
    blocks = items(content)
    used = [block for block in blocks if block.get("type") == "tool_use"]
    calls = [_tool_call(one) for one in used or items(inner.get("tool_calls"))]
    if content is None and not calls:
        return None
    said = [block for block in blocks if block not in used] if used else content
    return {"content": plain(said), **({"tool_calls": calls} if calls else {})}


def _tool_call(call: Mapping[str, Any]) -> dict[str, Json]:
    """Read a call as OpenAI, Anthropic, LangChain or Ollama word it."""
    function = fields(call.get("function")) or call
    given = (function.get(name) for name in ("arguments", "input", "args"))
    arguments = next((one for one in given if one is not None), None)
    return {"id": call.get("id"), "function": {"name": function.get("name"), "arguments": plain(arguments)}}


def _whole_usage(usage: Mapping[str, Json]) -> dict[str, Json]:
    """Count what came from the cache or went into it as input, too: Anthropic counts it beside."""
    beside = {name: count for name, key in _CACHED.items() if (count := whole(usage.get(key))) is not None}
    if not beside:
        return dict(usage)
    sent = (whole(usage.get("input_tokens")) or 0) + sum(beside.values())
    return {**usage, "input_tokens": sent, "input_tokens_details": beside}
