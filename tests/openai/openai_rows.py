"""One row an endpoint: how it is called, and a valid answer; a new endpoint is one more row."""

from __future__ import annotations

import functools
import inspect
import io
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openai_ways import BODY, MESSAGES, Answer

import openai

_HEAD = {"id": "1", "created": 1, "model": "gpt-4o-mini", "service_tier": "default", "system_fingerprint": "fp"}
_CHAT_USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 5,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
}
_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
_ANSWER = {**_CALL, "function": {"name": "Answer", "arguments": '{"text": "Hi"}'}}
_USAGE = {
    "input_tokens": 9,
    "output_tokens": 5,
    "total_tokens": 14,
    "input_tokens_details": {"cached_tokens": 4, "text_tokens": 5, "image_tokens": 0, "audio_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 2},
}


@dataclass(frozen=True)
class Row:
    """An endpoint: `client.<resource>.<method>(**given)`, posted to `path`, and what may come back."""

    path: str
    resource: str
    given: Mapping[str, Any]
    body: Any
    chunks: Sequence[Any] = ()
    method: str = "create"
    streaming: Mapping[str, Any] = field(default_factory=lambda: {"stream": True})

    @property
    def name(self) -> str:
        return f"{self.resource}.{self.method}"

    def resource_of(self, client: Any) -> Any:
        """Give the client's resource; None where this version of openai lacks it."""
        try:
            found = operator.attrgetter(self.resource)(client)
        except AttributeError:
            return None
        return found if hasattr(found, self.method) else None

    def streams_with(self, client: Any) -> bool:
        """Say whether this version of openai can stream the answer."""
        return (
            not self.streaming
            or "stream" in inspect.signature(getattr(self.resource_of(client), self.method)).parameters
        )

    def call(self, client: Any, prefix: str = "", *, stream: bool) -> Any:
        """Make a call, by way of `with_raw_response` or the like; a file is opened anew for each."""
        resource = operator.attrgetter(prefix)(self.resource_of(client)) if prefix else self.resource_of(client)
        given = {key: value() if key == "file" else value for key, value in self.given.items()}
        return getattr(resource, self.method)(**given, **(self.streaming if stream else {}))


def _choice(**delta: Any) -> dict[str, Any]:
    return {**_HEAD, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}], "usage": None}


def _chat(message: Mapping[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "logprobs": None, "finish_reason": "stop"}
    return {**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE}


_CHAT_CHUNKS = (
    _choice(role="assistant", content=""),
    _choice(content="你好"),
    _choice(reasoning_content="hm"),
    _choice(refusal="no"),
    *(_choice(content=f"word{number} ") for number in range(8)),
    _choice(tool_calls=[{"index": 0, **_CALL, "function": {"name": "f", "arguments": ""}}]),
    _choice(tool_calls=[{"index": 0, "function": {"arguments": '{"a": 1}'}}]),
    {**_choice(), "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    {**_choice(), "choices": [], "usage": _CHAT_USAGE},
)
_TEXT = {"type": "output_text", "text": "Hello", "annotations": [{"type": "file_path", "file_id": "f", "index": 0}]}
_SAID = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [_TEXT]}
_THOUGHT = {"id": "r", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "content": []}
_FUNCTION = {"id": "f", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"}
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-4o-mini",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "output": [_THOUGHT, _SAID, _FUNCTION],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "usage": _USAGE,
    "metadata": {"a": "b"},
}
_PLACE = {"item_id": "m", "output_index": 0, "content_index": 0}
_RESPONSE_EVENTS = (
    {"type": "response.created", "response": {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}},
    {"type": "response.output_item.added", "output_index": 0, "item": {**_SAID, "content": []}},
    {"type": "response.content_part.added", **_PLACE, "part": {**_TEXT, "text": ""}},
    {"type": "response.output_text.delta", **_PLACE, "delta": "Hel", "logprobs": []},
    {"type": "response.output_text.delta", **_PLACE, "delta": "lo", "logprobs": []},
    {"type": "response.output_text.done", **_PLACE, "text": "Hello", "logprobs": []},
    {"type": "response.content_part.done", **_PLACE, "part": _TEXT},
    {"type": "response.output_item.done", "output_index": 0, "item": _SAID},
    {"type": "response.output_item.added", "output_index": 1, "item": {**_FUNCTION, "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "item_id": "f", "output_index": 1, "delta": "{}"},
    {"type": "response.output_item.done", "output_index": 1, "item": _FUNCTION},
    {"type": "response.completed", "response": {**_RESPONSE, "output": [_SAID, _FUNCTION]}},
)
_TEXT_CHOICE = {"index": 0, "text": "Hello", "logprobs": None, "finish_reason": "stop"}
_IMAGE = {"b64_json": "aGVsbG8=", "url": None, "revised_prompt": "a cat"}
_IMAGE_KIND = {"b64_json": "aGVsbG8=", "created_at": 1, "size": "1024x1024", "quality": "low", "background": "opaque"}
_MODERATION = {
    "flagged": True,
    "categories": {"hate": True, "violence": False},
    "category_scores": {"hate": 0.9, "violence": 0.1},
    "category_applied_input_types": {"hate": ["text"], "violence": []},
}

ROWS = [
    Row("/chat/completions", "chat.completions", BODY, _chat({"content": "Hi"}), _CHAT_CHUNKS),
    Row(
        "/chat/completions",
        "chat.completions",
        {**BODY, "response_format": Answer, "tools": [openai.pydantic_function_tool(Answer)]},
        _chat({"content": '{"text": "Hi"}', "reasoning_content": "hm", "refusal": None, "tool_calls": [_ANSWER]}),
        method="parse",
    ),
    Row(
        "/chat/completions",
        "chat.completions",
        {**BODY, "response_format": Answer},
        None,
        (_choice(role="assistant", content='{"text":'), _choice(content=' "Hi"}'), *_CHAT_CHUNKS[-2:]),
        method="stream",
        streaming={},
    ),
    Row("/responses", "responses", {"model": "gpt-4o-mini", "input": MESSAGES}, _RESPONSE, _RESPONSE_EVENTS),
    Row(
        "/responses",
        "responses",
        {"model": "gpt-4o-mini", "input": "hi"},
        None,
        _RESPONSE_EVENTS,
        method="stream",
        streaming={},
    ),
    Row(
        "/embeddings",
        "embeddings",
        {"model": "text-embedding-3-small", "input": ["a", "b"], "encoding_format": "float"},
        {
            "object": "list",
            "model": "text-embedding-3-small",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
            "usage": {"prompt_tokens": 2, "total_tokens": 2},
        },
    ),
    Row(
        "/completions",
        "completions",
        {"model": "gpt-3.5-turbo-instruct", "prompt": "hi"},
        {**_HEAD, "object": "text_completion", "choices": [_TEXT_CHOICE], "usage": _CHAT_USAGE},
        (
            {**_HEAD, "object": "text_completion", "choices": [{**_TEXT_CHOICE, "finish_reason": None}]},
            {**_HEAD, "object": "text_completion", "choices": [_TEXT_CHOICE], "usage": _CHAT_USAGE},
        ),
    ),
    Row(
        "/images/generations",
        "images",
        {"model": "gpt-image-1", "prompt": "a cat"},
        {"created": 1, "data": [_IMAGE], "usage": _USAGE, "size": "1024x1024"},
        (
            {"type": "image_generation.partial_image", **_IMAGE_KIND, "partial_image_index": 0},
            {"type": "image_generation.completed", **_IMAGE_KIND, "usage": _USAGE},
        ),
        method="generate",
    ),
    Row(
        "/audio/transcriptions",
        "audio.transcriptions",
        {"model": "gpt-4o-transcribe", "file": functools.partial(io.BytesIO, b"RIFF")},
        {"text": "Hello", "usage": {**_USAGE, "type": "tokens"}, "logprobs": None},
        (
            {"type": "transcript.text.delta", "delta": "Hel"},
            {"type": "transcript.text.delta", "delta": "lo"},
            {"type": "transcript.text.done", "text": "Hello", "usage": {**_USAGE, "type": "tokens"}},
        ),
    ),
    Row(
        "/moderations",
        "moderations",
        {"model": "omni-moderation-latest", "input": "hi"},
        {"id": "modr_1", "model": "omni-moderation-latest", "results": [_MODERATION]},
    ),
]

_RUN = {
    "id": "run_1",
    "object": "thread.run",
    "status": "requires_action",
    "assistant_id": "a",
    "thread_id": "t",
    "model": "m",
    "created_at": 1,
    "instructions": "",
    "tools": [],
    "usage": _CHAT_USAGE,
    "last_error": {"code": "x", "message": "no"},
    "required_action": {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [_CALL]}},
}
_WRITTEN = {"index": 0, "type": "text", "text": {"value": "Hello", "annotations": []}}
_MESSAGE = {"id": "msg_1", "object": "thread.message", "role": "assistant", "content": [_WRITTEN]}
_BATCH = {
    "id": "batch_1",
    "object": "batch",
    "status": "failed",
    "endpoint": "/v1/responses",
    "input_file_id": "f",
    "completion_window": "24h",
    "created_at": 1,
    "usage": _USAGE,
    "errors": {"data": [{"code": "x", "message": "no"}]},
    "request_counts": {"total": 3, "completed": 2, "failed": 1},
}
MORE = [
    Row(
        "/threads/runs",
        "beta.threads",
        {"assistant_id": "a", "thread": {"messages": [{"role": "user", "content": "hi"}]}},
        _RUN,
        (
            _RUN,
            {**_MESSAGE, "content": []},
            {"id": "msg_1", "object": "thread.message.delta", "delta": _MESSAGE},
            _MESSAGE,
        ),
        method="create_and_run",
    ),
    Row(
        "/batches",
        "batches",
        {"completion_window": "24h", "endpoint": "/v1/responses", "input_file_id": "f"},
        _BATCH,
    ),
    Row(
        "/decisions",
        "decisions",
        {"model": "m", "input": "hi", "questions": [{"type": "predicate", "instructions": "rude?"}]},
        {"id": "d", "model": "m", "answers": [{"type": "predicate", "probability": 0.5}], "usage": _USAGE},
    ),
    Row(
        "/responses/compact",
        "responses",
        {"model": "m", "input": "hi"},
        {**_RESPONSE, "output": [_SAID, {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"}]},
        method="compact",
    ),
]  # fmt: skip
"""Endpoints whose answers are fuzzed, too."""
