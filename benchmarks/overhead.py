"""What spantape and its peers add to a chat call and to a streamed chunk: process CPU time against the bare client.

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

import report
from contenders import CONTENDERS
from processes import Worker, import_milliseconds, python_of

WATCHED = ("chat", "stream")
IDLE = ("short",)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--calls", type=int, default=48, help="how many calls in a round")
    parser.add_argument("--streams", type=int, default=4, help="how many streams in a round")
    parser.add_argument("--chunks", type=int, default=200, help="how many chunks in a stream")
    parser.add_argument(
        "--contenders", default=",".join(CONTENDERS), help="who takes part, by commas; bare always does"
    )
    parser.add_argument("--environments", type=Path, default=Path(".bench"), help="the folder of environments")
    parser.add_argument("--here", action="store_true", help="measure in this Python instead of the environments")
    parser.add_argument(
        "--memory",
        type=int,
        nargs="?",
        const=100_000,
        default=0,
        help="measure memory too, over so many calls in a row",
    )
    parser.add_argument("--write", type=Path, help="put the tables into this page, between its two marks")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    asked = parser.parse_args()
    if asked.memory and sys.platform == "win32":
        parser.error("Python cannot tell the memory of a process on Windows; leave --memory out")
    return asked


def chosen(wanted: str, environments: Path | None) -> dict[str, Path]:
    """Give the contenders that can take part, each with its interpreter."""
    found = {}
    for name in filter(None, wanted.split(",")):
        if name != "bare":
            python = python_of(environments, CONTENDERS[name].environment)
            if not python.exists():
                raise SystemExit(f"{name}: there is no {python}; run `make bench`, or leave it out with --contenders")
            found[name] = python
    return found


def measure(workers: list[Worker], times: dict[str, int], found: report.Found) -> None:
    """Run all rounds, each in another order of the contenders."""
    for number in range(found.rounds):
        start = number % len(workers)
        for worker in workers[start:] + workers[:start]:
            for what in IDLE if CONTENDERS[worker.name].idle else WATCHED:
                took = worker.ask("run", what=what, times=times[what])
                per = found.chunks if what == "stream" else 1
                found.bare.setdefault(what, []).append(took["bare"] / per)
                found.added.setdefault((worker.name, what), []).append(took["added"] / per)
        print(f"\rround {number + 1} of {found.rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def main() -> int:
    asked = options()
    environments = None if asked.here else asked.environments
    found = report.Found(asked.rounds, asked.chunks)
    times = {"chat": asked.calls, "stream": asked.streams, "short": asked.calls * 20}
    with ExitStack() as stack:
        pythons = chosen(asked.contenders, environments)
        workers = [stack.enter_context(Worker(name, python, asked.chunks)) for name, python in pythons.items()]
        for worker in workers:
            found.doubts.extend(filter(None, [worker.doubt()]))
            found.versions[worker.name] = worker.ask("versions")
        if workers:
            measure(workers, times, found)
    ours = python_of(environments, "spantape")
    found.imports = import_milliseconds(ours, min(15, asked.rounds))
    if asked.memory:
        with Worker("recording", ours, chunks=3) as worker:
            found.memory = worker.ask("memory", calls=asked.memory)
    text = report.page(found)
    print(text)
    if asked.write:
        report.write(asked.write, text)
    return int(asked.check and not report.holds(found))


if __name__ == "__main__":
    sys.exit(main())
