"""What spantape and its peers add to a call, a chunk, a chain, an agent: in instructions, as callgrind counts them.

    make bench                                          # builds the environments; valgrind has to be there
    python benchmarks/instructions.py --write docs/performance.md
    python benchmarks/instructions.py --suite langchain --write docs/performance.md

CPU time on a machine that others use varies by more than what is to be measured; the number of instructions does not.
Who writes in the background takes no part: callgrind is fifty times slower, so each record would be a batch of its own.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import report
from overhead import chosen, parser
from processes import Worker
from suites import SUITES

WARM = 12  # calls before those that are counted, for the interpreter to know the code
THOUSAND = 1000
UNIT = report.Unit("Instructions", "thousands")


class Counted(Worker):
    """A worker whose instructions are counted while it makes the calls that are measured, and at no other time."""

    under = ("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={os.devnull}")

    def count(self, what: str, times: int) -> dict[str, float]:
        """Give what a bare call takes, and what a watched one takes more."""
        bare, watched = (self._count(what, times, on=on) / times / THOUSAND for on in (False, True))
        return {"bare": bare, "added": watched - bare}

    def _count(self, what: str, times: int, *, on: bool) -> int:
        self.ask("repeat", what=what, times=WARM, on=on)
        self._control("--instr=on")
        self._control("--zero")
        self.ask("repeat", what=what, times=times, on=on)
        said = self._control("-e")
        self._control("--instr=off")
        words = map(str.split, said.splitlines())  # a line for each thread: Th 1  9,922,182
        return sum(int(word[2].replace(",", "")) for word in words if word[:1] == ["Th"])

    def _control(self, order: str) -> str:
        command = ["callgrind_control", order, str(self.pid)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def measure(found: report.Found, pythons: Mapping[str, Path], times: Mapping[str, int], suite: str) -> None:
    """Run all rounds, as many processes at a time as there are processors: each is counted by itself."""

    def one(job: tuple[int, str]) -> None:
        seed, name = job
        with Counted(suite, name, pythons[name], found.chunks, PYTHONHASHSEED=str(seed)) as worker:
            if not seed:
                found.doubts.extend(filter(None, [worker.doubt()]))
            found.versions[name] = worker.ask("versions")
            for what in found.suite.cases:
                found.add(name, what, worker.count(what, times[what]))
        print(".", end="", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, itertools.product(range(found.rounds), pythons)))
    print(file=sys.stderr)


def main() -> int:
    asked = parser(__doc__, rounds=5, calls=8, streams=3).parse_args()
    if shutil.which("callgrind_control") is None:
        raise SystemExit("there is no callgrind_control; install valgrind")
    suite = SUITES[asked.suite]
    found = report.Found(suite, asked.rounds, asked.chunks, UNIT)
    wanted = asked.contenders or ",".join(
        name for name, one in suite.contenders.items() if not (one.idle or one.defers)
    )
    times = dict.fromkeys(suite.cases, asked.calls) | {"stream": asked.streams}
    measure(found, chosen(suite, wanted, asked.environments), times, asked.suite)
    return report.tell(f"instructions of {asked.suite}", asked, found)


if __name__ == "__main__":
    sys.exit(main())
