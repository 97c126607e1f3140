"""One contender in a process of its own: reads a JSON command a line, and answers with a JSON line.

Started by `overhead.py`, in the contender's environment. Watched and bare calls alternate in one process, a few of each
at a time: two processes differ in memory layout and hash seeds, and a second later the machine is another one, while
what is to be measured is small.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import patches
import wire
from contenders import CONTENDERS
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

TURN, COLD = 24, 4  # calls between two flips; the first ones find the caches of the interpreter cold, and do not count
COMMON = ["openai", "opentelemetry-sdk"]


class NoExporter(SpanExporter):
    """Export nothing; on request, remember what would have been exported."""

    def __init__(self) -> None:
        self.seen: list[Any] | None = None

    def export(self, spans: Any) -> SpanExportResult:
        if self.seen is not None:
            self.seen.extend(spans)
        return SpanExportResult.SUCCESS


class Bench:
    """The commands."""

    def __init__(self, client: Any, name: str, stack: contextlib.ExitStack) -> None:
        self.exporter = NoExporter()
        self.contender = CONTENDERS[name]
        self.client = client
        self.messages: Any = wire.prompt(wire.MESSAGES, wire.MESSAGE_BYTES)
        self.message: Any = wire.prompt(1, 1)
        self.stream()  # loads what the client loads late
        switch = self.contender.prepare(self.exporter)
        before = patches.attributes()
        self.flush = stack.enter_context(switch())
        self.patch = patches.Patch(before, patches.attributes())

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

    def run(self, what: str, times: int) -> dict[str, float]:
        """Give CPU µs: a bare call, what a watched one adds in its thread, and in the threads behind it."""
        call = getattr(self, what)
        gc.collect()
        took: dict[bool, list[float]] = {False: [], True: []}
        process, thread = time.process_time(), time.thread_time()
        for turn in range(2 * max(1, times // (TURN - COLD))):
            self.patch.flip(on=turn % 2 == 1)
            took[turn % 2 == 1] += [cpu_microseconds(call) for _ in range(TURN)][COLD:]
        watched = turn // 2 * TURN + TURN
        self.flush()
        behind = (time.process_time() - process) - (time.thread_time() - thread)
        bare = statistics.median(took[False])
        added = statistics.median(took[True]) - bare
        return {"bare": bare, "added": added + behind / watched * 1e6}

    def check(self) -> dict[str, Any]:
        """Tell what of a call and of a stream was exported, and what by the bare client."""
        found = {}
        for name, on, call in (("chat", True, self.chat), ("stream", True, self.stream), ("bare", False, self.chat)):
            self.patch.flip(on=on)
            found[name] = self.exported(call)
        return found

    def exported(self, call: Callable[[], object]) -> list[str]:
        seen: list[Any] = []
        self.exporter.seen = seen
        call()
        self.flush()
        self.exporter.seen = None
        text = " ".join(str(value) for span in seen for value in (span.attributes or {}).values())
        found = {"span": bool(seen), "prompt": f"Turn {wire.MESSAGES - 1}" in text, "answer": wire.ANSWER in text}
        return [name for name, there in found.items() if there]

    def memory(self, calls: int) -> dict[str, int]:
        """Give the resident bytes after a tenth of so many calls in a row, and after all of them."""
        self.patch.flip(on=True)
        found = {}
        for number in range(1, calls + 1):
            self.short()
            if number in {calls // 10, calls}:
                self.flush()
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


def cpu_microseconds(call: Callable[[], object]) -> float:
    start = time.thread_time()
    call()
    return (time.thread_time() - start) * 1e6


def main() -> int:
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a contender prints is not an answer
    name, chunks = sys.argv[1], int(sys.argv[2])
    with wire.client(chunks) as client, contextlib.ExitStack() as stack:
        bench = Bench(client, name, stack)
        for line in sys.stdin:
            command = json.loads(line)
            print(json.dumps(getattr(bench, command.pop("do"))(**command)), file=replies, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
