"""The fake wire: the real OpenAI client over an HTTP transport that answers from memory, the same for every contender.

What is left is the client's own work and that of whoever watches it.
"""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import openai

ANSWER = "An answer of some length. "
PROMPT = 'The user said: "Translate 你好, please".\nThe assistant thought about it. '
MESSAGES = 20
MESSAGE_BYTES = 1024

# A header tells the wire what to answer: its look at a body would cost.
STREAMED = {"x-answer": "streamed"}
TOOLED = {"x-answer": "tooled"}

HEAD = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "gpt-4o-mini-2024-07-18"}
USAGE = {
    "prompt_tokens": 900,
    "completion_tokens": 50,
    "total_tokens": 950,
    "prompt_tokens_details": {"cached_tokens": 512},
}


def prompt(messages: int, size: int = MESSAGE_BYTES) -> list[dict[str, str]]:
    """Give a conversation of so many messages of about so many bytes each."""
    text = PROMPT * max(1, size // len(PROMPT.encode()))
    roles = ["system", *(("user", "assistant")[turn % 2] for turn in range(messages - 1))]
    return [{"role": role, "content": f"Turn {turn}: {text}"} for turn, role in enumerate(roles)]


def whole_body(reason: str = "stop", **message: object) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": reason}
    return json.dumps({**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()


def answer_body() -> bytes:
    return whole_body(content=ANSWER * 8)


def tool_body() -> bytes:
    function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    return whole_body("tool_calls", tool_calls=[{"id": "call_1", "type": "function", "function": function}])


def stream_body(chunks: int) -> bytes:
    def event(delta: dict[str, str], reason: str | None = None, **more: object) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        body = {**HEAD, "object": "chat.completion.chunk", "choices": choices, **more}
        return b"data: " + json.dumps(body).encode() + b"\n\n"

    words = [ANSWER, *(f"word{number} " for number in range(chunks - 3))]
    middle = b"".join(event({"content": word}) for word in words)
    return event({"role": "assistant", "content": ""}) + middle + event({}, "stop", usage=USAGE) + b"data: [DONE]\n\n"


def options(stack: ExitStack, chunks: int) -> dict[str, Any]:
    """Give the options of a client whose every call is answered from memory, a streamed one in so many chunks."""
    http = importlib.import_module("httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx")
    client = stack.enter_context(http.Client(transport=http.MockTransport(answers(http, stream_body(chunks)))))
    return {"base_url": "https://api.openai.com/v1", "api_key": "none", "http_client": client}


def answers(http: Any, streamed: bytes) -> Callable[[Any], Any]:
    class Parts(http.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            for start in range(0, len(streamed), 4096):
                yield streamed[start : start + 4096]

    whole = answer_body()
    turns = itertools.cycle([tool_body(), whole])  # the model wants its tool, then answers

    def answer(request: Any) -> Any:
        asked = request.headers.get("x-answer")
        if asked == "streamed":
            return http.Response(200, headers={"content-type": "text/event-stream"}, stream=Parts())
        headers = {"content-type": "application/json", "x-request-id": "req_1"}
        return http.Response(200, headers=headers, content=next(turns) if asked else whole)

    return answer
