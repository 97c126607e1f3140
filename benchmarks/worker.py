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
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from suite import Suite
from suites import SUITES

TURN, COLD = 24, 4  # calls between two flips; the first ones find the caches of the interpreter cold, and do not count


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

    def __init__(self, suite: Suite, name: str, chunks: int, stack: contextlib.ExitStack) -> None:
        self.suite = suite
        self.exporter = NoExporter()
        self.contender = suite.contenders[name]
        bare = suite.calls(stack, chunks)
        for call in bare.values():
            call()  # loads what is loaded late
        switch = self.contender.prepare(self.exporter)
        before = patches.attributes(suite.packages)
        self.flush = stack.enter_context(switch())
        self.patch = patches.Patch(before, patches.attributes(suite.packages))
        # Two of each, as an agent may be another one when it is made under watch.
        self.calls = {False: bare, True: suite.calls(stack, chunks)}

    def run(self, what: str, times: int) -> dict[str, float]:
        """Give CPU µs: a bare call, what a watched one adds in its thread, and in the threads behind it."""
        gc.collect()
        took: dict[bool, list[float]] = {False: [], True: []}
        process, thread = time.process_time(), time.thread_time()
        for turn in range(2 * max(1, times // (TURN - COLD))):
            on = turn % 2 == 1
            self.patch.flip(on=on)
            took[on] += [cpu_microseconds(self.calls[on][what]) for _ in range(TURN)][COLD:]
        watched = turn // 2 * TURN + TURN
        self.flush()
        behind = (time.process_time() - process) - (time.thread_time() - thread)
        bare = statistics.median(took[False])
        added = statistics.median(took[True]) - bare
        return {"bare": bare, "added": added + behind / watched * 1e6}

    def repeat(self, what: str, times: int, *, on: bool) -> dict[str, Any]:
        """Make so many calls, bare or watched, for somebody else to measure."""
        gc.collect()
        self.patch.flip(on=on)
        for _ in range(times):
            self.calls[on][what]()
        self.flush()
        return {}

    def check(self) -> dict[str, Any]:
        """Tell what of each case was exported, and what by the bare calls."""
        self.patch.flip(on=True)
        found = {name: self.exported(self.calls[True][name], case.turn) for name, case in self.suite.cases.items()}
        self.patch.flip(on=False)
        first, case = next(iter(self.suite.cases.items()))
        return {**found, "bare": self.exported(self.calls[False][first], case.turn)}

    def exported(self, call: Callable[[], object], turn: str) -> list[str]:
        seen: list[Any] = []
        self.exporter.seen = seen
        call()
        self.flush()
        self.exporter.seen = None
        text = " ".join(str(value) for span in seen for value in (span.attributes or {}).values())
        found = {"span": bool(seen), "prompt": turn in text, "answer": wire.ANSWER in text}
        return [name for name, there in found.items() if there]

    def memory(self, calls: int) -> dict[str, int]:
        """Give the resident bytes after a tenth of so many calls in a row, and after all of them."""
        self.patch.flip(on=True)
        found = {}
        for number in range(1, calls + 1):
            self.calls[True][self.suite.memory]()
            if number in {calls // 10, calls}:
                self.flush()
                found[str(number)] = resident_bytes()
        return found

    def versions(self) -> dict[str, str]:
        names = [*self.suite.distributions, self.contender.distribution]
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
    suite, name, chunks = SUITES[sys.argv[1]], sys.argv[2], int(sys.argv[3])
    with contextlib.ExitStack() as stack:
        bench = Bench(suite, name, chunks, stack)
        for line in sys.stdin:
            command = json.loads(line)
            print(json.dumps(getattr(bench, command.pop("do"))(**command)), file=replies, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
