"""What spantape adds to a chat call and to a streamed chunk: CPU time against the bare client, in one run.

The client is the real one; its HTTP transport answers from memory, so that what is left is the client's work and ours.
Rounds of all modes alternate, and the median of the per-round differences is shown: that holds on a noisy machine.

    python benchmarks/overhead.py [--rounds 9] [--calls 200] [--chunks 200]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import spantape

MESSAGES: Any = [
    {"role": "system", "content": "You are a kind assistant. " * 10},
    *({"role": "user" if turn % 2 == 0 else "assistant", "content": f"Turn {turn}: 你好 " * 20} for turn in range(19)),
]
USAGE = {"prompt_tokens": 900, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 512}}
HEAD = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-4o-mini-2024-07-18"}

MODES: dict[str, dict[str, Any] | None] = {
    "bare client": None,
    "spans, no files": {"files": False},
    "spans, no content": {"capture_content": False},
    "recording": {},
}


def whole_body() -> bytes:
    message = {"role": "assistant", "content": "An answer of some length. " * 8}
    return json.dumps(
        {**HEAD, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}
    ).encode()


def stream_body(chunks: int) -> bytes:
    def event(delta: dict[str, str], reason: str | None = None, **more: object) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return (
            b"data: "
            + json.dumps({**HEAD, "object": "chat.completion.chunk", "choices": choices, **more}).encode()
            + b"\n\n"
        )

    middle = b"".join(event({"content": f"word{number} "}) for number in range(chunks - 2))
    return event({"role": "assistant", "content": ""}) + middle + event({}, "stop", usage=USAGE) + b"data: [DONE]\n\n"


@contextlib.contextmanager
def client(chunks: int) -> Iterator[openai.OpenAI]:
    http = importlib.import_module("httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx")
    whole, streamed = whole_body(), stream_body(chunks)

    def answer(request: Any) -> Any:
        if b'"stream":true' in request.content.replace(b" ", b""):
            return http.Response(200, headers={"content-type": "text/event-stream"}, stream=Bytes(streamed))
        return http.Response(200, headers={"content-type": "application/json", "x-request-id": "req_1"}, content=whole)

    class Bytes(http.SyncByteStream):  # type: ignore[misc,name-defined]
        def __init__(self, data: bytes) -> None:
            self.data = data

        def __iter__(self) -> Iterator[bytes]:
            for start in range(0, len(self.data), 4096):
                yield self.data[start : start + 4096]

    with openai.OpenAI(
        base_url="https://api.openai.com/v1",
        api_key="none",
        http_client=http.Client(transport=http.MockTransport(answer)),
    ) as made:
        yield made


def cpu_microseconds(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Give CPU µs a time: of the whole process, background threads included, and of the calling thread alone."""
    process, thread = time.process_time(), time.thread_time()
    for _ in range(times):
        work()
    spantape.flush()
    return (time.process_time() - process) / times * 1e6, (time.thread_time() - thread) / times * 1e6


def one_round(mode: str, work: Callable[[], object], times: int) -> tuple[float, float]:
    settings = MODES[mode]
    with tempfile.TemporaryDirectory() as folder:
        if settings is not None:
            spantape.instrument(base_dir=folder, **settings)
        try:
            for _ in range(5):
                work()
            spantape.flush()
            return cpu_microseconds(work, times)
        finally:
            spantape.uninstrument()


def measure(work: Callable[[], object], rounds: int, times: int) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {mode: [] for mode in MODES}
    for _ in range(rounds):
        for mode in MODES:
            found[mode].append(one_round(mode, work, times))
    return found


def report(title: str, found: dict[str, list[tuple[float, float]]], per: int) -> None:
    bare = found["bare client"]
    print(f"\n{title}")
    print(f"  {'':20}{'CPU µs':>10}{'added':>10}{'in the caller':>16}{'ratio':>8}")
    for mode, rounds in found.items():
        whole = statistics.median(process for process, _ in rounds) / per
        added = statistics.median(ours[0] - base[0] for ours, base in zip(rounds, bare, strict=True)) / per
        caller = statistics.median(ours[1] - base[1] for ours, base in zip(rounds, bare, strict=True)) / per
        ratio = statistics.median(ours[0] / base[0] for ours, base in zip(rounds, bare, strict=True))
        print(f"  {mode:20}{whole:10.1f}{added:10.1f}{caller:16.1f}{ratio:8.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--chunks", type=int, default=200)
    options = parser.parse_args()
    print(f"openai {openai.__version__}, Python {sys.version.split()[0]}, {options.rounds} rounds")
    with client(options.chunks) as made:
        create = made.chat.completions.create

        def call() -> object:
            return create(model="gpt-4o-mini", messages=MESSAGES)

        def stream() -> object:
            return sum(1 for _ in create(model="gpt-4o-mini", messages=MESSAGES, stream=True))

        report("A chat call with 20 messages", measure(call, options.rounds, options.calls), 1)
        found = measure(stream, options.rounds, max(1, options.calls // 10))
        report(f"A chunk, in streams of {options.chunks}", found, options.chunks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
