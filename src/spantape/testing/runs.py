"""Runs of assistants as the server makes them up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .replies import CREATED, Reply, count, dumps, error, in_pieces, tokens
from .request import Request

MODEL = "gpt-4o-mini"


def run(request: Request) -> Reply:
    """Answer with a run that is queued, or with the events of one that is watched to its end."""
    body = request.body if isinstance(request.body, dict) else {}
    if not body.get("assistant_id") and "tool_outputs" not in body:
        return error(400, "Missing required parameter: 'assistant_id'.", code="missing_required_parameter")
    thread = request.path.partition("/threads/")[2].partition("/runs")
    head = _head(body, thread[0] if thread[1] else "thread_1")
    if not body.get("stream"):
        return Reply(_run(head, "queued"))
    return Reply(chunks=[_event(*one) for one in _events(head, body)])


def _head(body: Mapping[str, Any], thread: str) -> dict[str, Any]:
    names = {"id": "run_1", "thread_id": thread, "assistant_id": body.get("assistant_id") or "asst_1"}
    settings = {"model": body.get("model") or MODEL, "instructions": body.get("instructions") or ""}
    return {**names, **settings, "object": "thread.run", "created_at": CREATED, "tools": body.get("tools") or []}


def _events(head: dict[str, Any], body: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "thread.run.created", _run(head, "queued")
    yield "thread.run.in_progress", _run(head, "in_progress")
    functions = [tool["function"] for tool in body.get("tools") or () if "function" in tool]
    if functions:
        function = {"name": functions[0]["name"], "arguments": "{}"}
        calls = {"tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
        action = {"type": "submit_tool_outputs", "submit_tool_outputs": calls}
        yield "thread.run.requires_action", _run(head, "requires_action", required_action=action)
        return
    said = _said(body)
    yield from _written(head, said)
    usage = count(tokens(said), said, 1)
    usage = {key: usage[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")}
    yield "thread.run.completed", _run(head, "completed", usage=usage)


def _written(head: Mapping[str, Any], said: str) -> Iterator[tuple[str, dict[str, Any]]]:
    message = {"id": "msg_1", "object": "thread.message", "role": "assistant", "thread_id": head["thread_id"]}
    message |= {"created_at": CREATED, "run_id": head["id"], "assistant_id": head["assistant_id"]}
    yield "thread.message.created", message | {"content": [], "status": "in_progress"}
    for piece in in_pieces(said):
        content = [{"index": 0, "type": "text", "text": {"value": piece, "annotations": []}}]
        yield "thread.message.delta", {"id": "msg_1", "object": "thread.message.delta", "delta": {"content": content}}
    content = [{"type": "text", "text": {"value": said, "annotations": []}}]
    yield "thread.message.completed", message | {"content": content, "status": "completed"}


def _run(head: Mapping[str, Any], status: str, **more: Any) -> dict[str, Any]:
    return {**head, "status": status, "usage": None, "required_action": None, "last_error": None, **more}


def _said(body: Mapping[str, Any]) -> str:
    messages = (body.get("thread") or {}).get("messages") or body.get("additional_messages") or ()
    if not messages:
        return "Done." if "tool_outputs" in body else "Hello"
    content = messages[-1].get("content")
    return f"You said: {content if isinstance(content, str) else dumps(content)}"


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {dumps(data)}\n\n".encode()
