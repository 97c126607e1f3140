"""One contender in a process of its own: reads a JSON command a line, and answers with a JSON line.

Started by `overhead.py`, in the contender's environment. Watched and bare blocks are measured in the same process: two
processes may differ in memory layout, hash seeds and the moment, and what is to be measured is small.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import wire
from contenders import CONTENDERS, Flush, Switch
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

WARM_UP = 3
COMMON = ["openai", "opentelemetry-sdk"]


class NoExporter(SpanExporter):
    """Export nothing; on request, remember what would have been exported."""

    def __init__(self) -> None:
        self.seen: list[Any] | None = None

    def export(self, spans: Any) -> SpanExportResult:
        if self.seen is not None:
            self.seen.extend(spans)
        return SpanExportResult.SUCCESS


@contextlib.contextmanager
def bare() -> Iterator[Flush]:
    yield lambda: None


class Bench:
    """The commands."""

    def __init__(self, client: Any, name: str) -> None:
        self.exporter = NoExporter()
        self.contender = CONTENDERS[name]
        self.switch = self.contender.prepare(self.exporter)
        self.client = client
        self.messages: Any = wire.prompt(wire.MESSAGES, wire.MESSAGE_BYTES)
        self.message: Any = wire.prompt(1, 1)

    def chat(self) -> object:
        return self.client.chat.completions.create(model="gpt-4o-mini", messages=self.messages)

    def stream(self) -> object:
        """Read a stream to its end; the header tells the wire, whose look at a body would cost."""
        chunks = self.client.chat.completions.create(
            model="gpt-4o-mini", messages=self.messages, stream=True, extra_headers={"x-streamed": "1"}
        )
        return sum(1 for _ in chunks)

    def short(self) -> object:
        return self.client.chat.completions.create(model="gpt-4o-mini", messages=self.message)

    def run(self, what: str, times: int, *, bare_first: bool) -> dict[str, float]:
        """Give CPU µs a call, of all threads, without and with the contender."""
        call = getattr(self, what)
        blocks: dict[str, Switch] = {"bare": bare, "watched": self.switch}
        order = list(blocks) if bare_first else list(blocks)[::-1]
        return {name: cpu_microseconds(call, times, blocks[name]) for name in order}

    def check(self) -> dict[str, Any]:
        """Tell what of a call and of a stream was exported, and what by the bare client."""
        return {
            "chat": self.exported(self.switch, self.chat),
            "stream": self.exported(self.switch, self.stream),
            "bare": self.exported(bare, self.chat),
        }

    def exported(self, switch: Switch, call: Callable[[], object]) -> list[str]:
        seen: list[Any] = []
        self.exporter.seen = seen
        with switch() as flush:
            call()
            flush()
        self.exporter.seen = None
        text = " ".join(str(value) for span in seen for value in (span.attributes or {}).values())
        found = {"span": bool(seen), "prompt": f"Turn {wire.MESSAGES - 1}" in text, "answer": wire.ANSWER in text}
        return [name for name, there in found.items() if there]

    def memory(self, calls: int) -> dict[str, int]:
        """Give the resident bytes after a tenth of so many calls in a row, and after all of them."""
        with self.switch() as flush:
            found = {}
            for number in range(1, calls + 1):
                self.short()
                if number in {calls // 10, calls}:
                    flush()
                    found[str(number)] = resident_bytes()
        return found

    def versions(self) -> dict[str, str]:
        names = [*COMMON, self.contender.distribution]
        return {"Python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def resident_bytes() -> int:
    """Give the memory in use now; where the system doesn't tell, the most there was."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def cpu_microseconds(call: Callable[[], object], times: int, switch: Switch) -> float:
    with switch() as flush:
        for _ in range(WARM_UP):
            call()
        flush()
        gc.collect()
        start = time.process_time()
        for _ in range(times):
            call()
        flush()
        return (time.process_time() - start) / times * 1e6


def main() -> int:
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a contender prints is not an answer
    name, chunks = sys.argv[1], int(sys.argv[2])
    with wire.client(chunks) as client:
        bench = Bench(client, name)
        for line in sys.stdin:
            command = json.loads(line)
            print(json.dumps(getattr(bench, command.pop("do"))(**command)), file=replies, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
