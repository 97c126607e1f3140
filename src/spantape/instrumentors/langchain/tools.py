"""Tool runs → attributes; pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import SpanKind

from ... import semconv
from ...content import Attributes
from ...jsontext import Json, loads_or
from .._endpoint import Endpoint
from .._failure import FAILED
from .._mapping import fields, plain, text
from .messages import is_message


def where(name: str | None, call_id: object, agent: str | None) -> Attributes:
    """Give what is known of a tool run when it begins."""
    found = {
        semconv.TOOL_NAME: name,
        semconv.TOOL_TYPE: "function",
        semconv.TOOL_CALL_ID: text(call_id),
        semconv.AGENT_NAME: agent,
    }
    return {key: value for key, value in found.items() if value is not None}


def _request(body: Mapping[str, Any]) -> Attributes:
    return {semconv.TOOL_DESCRIPTION: text(body["serialized"].get("description"))}


def _asked(body: Mapping[str, Any]) -> Attributes:
    given = body["inputs"] if isinstance(body["inputs"], dict) else loads_or(body["input"], body["input"])
    return {semconv.TOOL_ARGUMENTS: plain(given)}


def _response(body: Mapping[str, Any]) -> Attributes:
    output = _message(body["output"])
    found: Attributes = {semconv.TOOL_CALL_ID: text(output.get("tool_call_id"))}
    if output.get("status") == "error":  # handled: the model reads it, and the application never sees an exception
        found |= {semconv.STATUS: FAILED, semconv.ERROR_TYPE: "tool_error"}
    return found


def _answered(body: Mapping[str, Any]) -> Attributes:
    return {semconv.TOOL_RESULT: _result(body["output"])}


def _result(output: Any) -> Json:
    said = _message(output)
    return plain(said["content"] if said else output)


def _message(output: Any) -> Mapping[str, Any]:
    """Give the message that a tool answers with; what else it gives may have fields of the same names."""
    return fields(output) if is_message(output) else {}


TOOL = Endpoint(
    semconv.EXECUTE_TOOL, _request, _response, _asked, _answered, named_by=semconv.TOOL_NAME, kind=SpanKind.INTERNAL
)
