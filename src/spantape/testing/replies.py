"""What the scripted server can be told to answer, and makers of the usual answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

MODEL = "gpt-4o-mini-2024-07-18"
CREATED = 1_700_000_000
# The server replaces this id by "chatcmpl-<number of the request>", so that scripted replies get distinct ids too.
AUTO_ID = "chatcmpl-auto"


@dataclass(frozen=True)
class Reply:
    """One scripted answer: a JSON body, `raw` bytes, or `chunks` sent as server-sent events (bytes go out as is)."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Sequence[Any] | None = None
    done: bool = True
    raw: bytes | None = None
    content_type: str | None = None
    hold: threading.Event | None = None
    hold_after: int | None = None
    cut: bool = False
    delay: float = 0.0

    def but(self, **changes: Any) -> Reply:
        """Return a copy with the given fields changed, as in `completion("Hi").but(hold=event)`."""
        return replace(self, **changes)


def completion(  # noqa: PLR0913 - keyword-only
    text: str | None = "Hello",
    *,
    model: str = MODEL,
    tool_calls: Sequence[Any] | None = None,
    finish_reason: str | None = None,
    n: int = 1,
    reasoning: str | None = None,
    refusal: str | None = None,
    usage: bool | Mapping[str, Any] | None = True,
    **extra: Any,
) -> Reply:
    """Build a chat completion; a tool call is `(name, arguments)` or the full dict, `extra` are top-level keys."""
    calls = [_full_call(number, call) for number, call in enumerate(tool_calls or (), 1)]
    # A model which calls tools or refuses says nothing else, unless the test asks for a text of its own.
    content = None if text == "Hello" and (calls or refusal) else text
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": refusal}
    message |= {"tool_calls": calls} if calls else {}
    message |= {"reasoning_content": reasoning} if reasoning is not None else {}
    choice = {"message": message, "logprobs": None, "finish_reason": finish_reason or _finish(calls)}
    body = _head("chat.completion", model) | {"choices": [{"index": index, **choice} for index in range(n)]}
    if usage:
        body["usage"] = _usage(usage, content or refusal, calls, n, reasoning)
    return Reply(body | extra)


def stream(  # noqa: PLR0913 - keyword-only
    text_or_pieces: str | Sequence[str] = "",
    *,
    tool_calls: Sequence[Any] | None = None,
    usage: bool | Mapping[str, Any] | None = None,
    model: str = MODEL,
    finish_reason: str | None = None,
    n: int = 1,
    reasoning: str | None = None,
    refusal: str | None = None,
    **extra: Any,
) -> Reply:
    """Build a streamed completion, in the given pieces or in pieces of a few characters; `extra` goes in each chunk."""
    calls = [_full_call(number, call) for number, call in enumerate(tool_calls or (), 1)]
    pieces = in_pieces(text_or_pieces) if isinstance(text_or_pieces, str) else list(text_or_pieces)
    deltas = [*_text_deltas(pieces, reasoning, refusal, bool(calls)), *_call_deltas(calls)]
    choices: list[dict[str, Any]] = [{"delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas]
    choices.append({"delta": {}, "logprobs": None, "finish_reason": finish_reason or _finish(calls)})
    # As at OpenAI, each chunk has a usage when one is asked for, and it is null in all but the last.
    head = _head("chat.completion.chunk", model) | ({"usage": None} if usage else {}) | extra
    chunks = [head | {"choices": [{"index": index, **choice}]} for choice in choices for index in range(n)]
    if usage:
        total = _usage(usage, "".join(pieces) or refusal, calls, n, reasoning)
        chunks.append(head | {"choices": [], "usage": total})
    return Reply(chunks=chunks)


def error(
    status: int,
    message: str,
    *,
    type: str = "invalid_request_error",  # noqa: A002 - the name of the field in the API
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Build an error answer in OpenAI's format."""
    body = {"error": {"message": message, "type": type, "param": None, "code": code}}
    return Reply(body, status=status, headers=headers or {})


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": AUTO_ID, "object": kind, "created": CREATED, "model": model}


def _finish(calls: Sequence[Any]) -> str:
    return "tool_calls" if calls else "stop"


def dumps(value: Any) -> str:
    """Give JSON text, Chinese as it is."""
    return json.dumps(value, ensure_ascii=False)


def in_pieces(text: str, size: int = 4) -> list[str]:
    """Cut a text into pieces of a few characters, as a stream brings it."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def _full_call(number: int, call: Any) -> dict[str, Any]:
    if isinstance(call, Mapping):
        return dict(call)
    name, arguments = call
    text = arguments if isinstance(arguments, str) else dumps(arguments)
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": text}}


def tokens(text: str) -> int:
    """Count tokens in the simplest deterministic way."""
    return len(text) // 4 + 1


def _usage(asked: bool | Mapping[str, Any], text: str | None, calls: Sequence[Any], n: int, thought: str | None) -> Any:
    if not isinstance(asked, bool):
        return dict(asked)
    return count(10, (text or "") + "".join(call["function"]["arguments"] for call in calls), n, thought)


def count(prompt_tokens: int, text: str, n: int, reasoning: str | None = None) -> dict[str, Any]:
    """Give a usage as OpenAI words it."""
    thought = tokens(reasoning) * n if reasoning else 0
    written = tokens(text) * n + thought
    usage: dict[str, Any] = {"prompt_tokens": prompt_tokens, "completion_tokens": written}
    usage |= {"total_tokens": prompt_tokens + written, "prompt_tokens_details": {"cached_tokens": 0}}
    return usage | {"completion_tokens_details": {"reasoning_tokens": thought}}


def _text_deltas(pieces: list[str], reasoning: str | None, refusal: str | None, calls: bool) -> Iterator[Any]:
    yield {"role": "assistant", "content": None if calls and not pieces else "", "refusal": None}
    yield from ({"reasoning_content": piece} for piece in in_pieces(reasoning or ""))
    yield from ({"content": piece} for piece in pieces)
    yield from ({"refusal": piece} for piece in in_pieces(refusal or ""))


def _call_deltas(calls: list[dict[str, Any]]) -> Iterator[Any]:
    for index, call in enumerate(calls):
        # The first delta of a call names it; the arguments follow in pieces which only carry the index.
        yield {"tool_calls": [{"index": index, **call, "function": {**call["function"], "arguments": ""}}]}
        for piece in in_pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
