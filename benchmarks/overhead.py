"""What spantape and its peers add to a call, a chunk, a chain, an agent: process CPU time against the bare library.

    make bench                                          # builds the environments, runs everything but the memory
    python benchmarks/overhead.py --here --contenders spantape,recording   # only what this Python has, no environments

One process for each contender, in its own environment, takes part in every round; in each round it makes bare and
watched calls in turns. Shown are the medians of the rounds, and their quartiles.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

import page
import report
from processes import Worker, import_milliseconds, python_of
from suite import Suite
from suites import SUITES

IDLE = ("short",)


def parser(about: str | None, rounds: int, calls: int, streams: int) -> argparse.ArgumentParser:
    """Give what reads the options of all that measures suites."""
    made = page.options(about, rounds)
    made.add_argument("--suite", choices=SUITES, default="openai", help="what is watched")
    made.add_argument("--calls", type=int, default=calls, help="how many calls in a round")
    made.add_argument("--streams", type=int, default=streams, help="how many streams in a round")
    made.add_argument("--chunks", type=int, default=200, help="how many chunks in a stream")
    made.add_argument("--contenders", default="", help="who takes part, by commas, instead of all; bare always does")
    made.add_argument("--environments", type=Path, default=Path(".bench"), help="the folder of environments")
    return made


def options() -> argparse.Namespace:
    made = parser(__doc__, rounds=25, calls=48, streams=4)
    made.add_argument("--here", action="store_true", help="measure in this Python instead of the environments")
    made.add_argument(
        "--memory", type=int, nargs="?", const=-1, default=0, help="measure memory too, over so many calls in a row"
    )
    asked = made.parse_args()
    if asked.memory and sys.platform == "win32":
        made.error("Python cannot tell the memory of a process on Windows; leave --memory out")
    return asked


def chosen(suite: Suite, wanted: str, environments: Path | None) -> dict[str, Path]:
    """Give the contenders that can take part, each with its interpreter."""
    found = {}
    for name in filter(None, (wanted or ",".join(suite.contenders)).split(",")):
        if name != "bare":
            if name not in suite.contenders:
                raise SystemExit(f"{name} takes no part; there are {', '.join(suite.contenders)}")
            python = python_of(environments, suite.contenders[name].environment)
            if not python.exists():
                raise SystemExit(f"{name}: there is no {python}; run `make bench`, or leave it out with --contenders")
            found[name] = python
    return found


def measure(workers: list[Worker], times: dict[str, int], found: report.Found) -> None:
    """Run all rounds, each in another order of the contenders."""
    for number in range(found.rounds):
        start = number % len(workers)
        for worker in workers[start:] + workers[:start]:
            for what in IDLE if found.suite.contenders[worker.name].idle else found.suite.cases:
                found.add(worker.name, what, worker.ask("run", what=what, times=times[what]))
        print(f"\rround {number + 1} of {found.rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def main() -> int:
    asked = options()
    suite, environments = SUITES[asked.suite], None if asked.here else asked.environments
    found = report.Found(suite, asked.rounds, asked.chunks)
    times = dict.fromkeys(suite.cases, asked.calls) | {"stream": asked.streams, "short": asked.calls * 20}
    with ExitStack() as stack:
        pythons = chosen(suite, asked.contenders, environments)
        workers = [
            stack.enter_context(Worker(asked.suite, name, python, asked.chunks)) for name, python in pythons.items()
        ]
        for worker in workers:
            found.doubts.extend(filter(None, [worker.doubt()]))
            found.versions[worker.name] = worker.ask("versions")
        if workers:
            measure(workers, times, found)
    ours = python_of(environments, "spantape")
    if suite.imports:
        found.imports = import_milliseconds(ours, min(15, asked.rounds))
    if asked.memory:
        calls = suite.repeated if asked.memory < 0 else asked.memory
        with Worker(asked.suite, "recording", ours, chunks=3) as worker:
            found.memory = worker.ask("memory", calls=calls)
    return report.tell(f"overhead of {asked.suite}", asked, found)


if __name__ == "__main__":
    sys.exit(main())
