"""The fake wire: the real OpenAI client over an HTTP transport that answers from memory, the same for every contender.

What is left is the client's own work and that of whoever watches it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import openai

ANSWER = "An answer of some length. "
PROMPT = 'The user said: "Translate 你好, please".\nThe assistant thought about it. '
MESSAGES = 20
MESSAGE_BYTES = 1024

HEAD = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "gpt-4o-mini-2024-07-18"}
USAGE = {
    "prompt_tokens": 900,
    "completion_tokens": 50,
    "total_tokens": 950,
    "prompt_tokens_details": {"cached_tokens": 512},
}


def prompt(messages: int, size: int) -> list[dict[str, str]]:
    """Give a conversation of so many messages of about so many bytes each."""
    text = PROMPT * max(1, size // len(PROMPT.encode()))
    roles = ["system", *(("user", "assistant")[turn % 2] for turn in range(messages - 1))]
    return [{"role": role, "content": f"Turn {turn}: {text}"} for turn, role in enumerate(roles)]


def whole_body() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": ANSWER * 8}, "finish_reason": "stop"}
    return json.dumps({**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()


def stream_body(chunks: int) -> bytes:
    def event(delta: dict[str, str], reason: str | None = None, **more: object) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        body = {**HEAD, "object": "chat.completion.chunk", "choices": choices, **more}
        return b"data: " + json.dumps(body).encode() + b"\n\n"

    words = [ANSWER, *(f"word{number} " for number in range(chunks - 3))]
    middle = b"".join(event({"content": word}) for word in words)
    return event({"role": "assistant", "content": ""}) + middle + event({}, "stop", usage=USAGE) + b"data: [DONE]\n\n"


@contextlib.contextmanager
def client(chunks: int) -> Iterator[openai.OpenAI]:
    """Give a client whose every call is answered from memory, a streamed one in so many chunks."""
    http = importlib.import_module("httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx")
    transport = http.MockTransport(answers(http, whole_body(), stream_body(chunks)))
    with openai.OpenAI(
        base_url="https://api.openai.com/v1", api_key="none", http_client=http.Client(transport=transport)
    ) as made:
        yield made


def answers(http: Any, whole: bytes, streamed: bytes) -> Callable[[Any], Any]:
    class Parts(http.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            for start in range(0, len(streamed), 4096):
                yield streamed[start : start + 4096]

    def answer(request: Any) -> Any:
        if request.headers.get("x-streamed"):
            return http.Response(200, headers={"content-type": "text/event-stream"}, stream=Parts())
        return http.Response(200, headers={"content-type": "application/json", "x-request-id": "req_1"}, content=whole)

    return answer
