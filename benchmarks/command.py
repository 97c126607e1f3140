"""What the `spantape` command costs as a process, on a gigabyte of recordings without an index.

    python benchmarks/command.py [--rounds 7] [--write docs/performance.md] [--check]

A start is wall time (of `--help` CPU time), the least of the rounds. A scan is CPU time, beside a process that gives
each line of the same files to `orjson.loads`, the two alternating. Makes 1 GB of files and removes them.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import page
from page import Target
from reading import BYTES, records, write

DAYS, TREE = 4, 1 << 30
STARTS = ("ls", "ls -o table", "tail", "show last", "show err")
SCANS = ("ls -n 0 --status error", "ls -n 0 --user user-7", "ls -n 0 --min-latency 10s", "search no-such-words")
NOTHING_FOUND = 3
BARE = """
import pathlib, sys, orjson
for file in sorted(pathlib.Path(sys.argv[1]).rglob("*.json")):
    with file.open("rb", buffering=1 << 20) as opened:
        for line in opened:
            if line[:1] == b"{":
                orjson.loads(line.rstrip(b",\\n"))
"""


class Run(NamedTuple):
    wall: float
    cpu: float
    megabytes: float


def ran(folder: Path, *words: str) -> Run:
    """Run Python with modules compiled before, as an installed package has them; its output goes to a file."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    given = {"PYTHONPYCACHEPREFIX": str(folder.parent / "compiled"), "SPANTAPE_BASE_DIR": str(folder)}
    with (folder.parent / "output").open("wb") as output:
        began = time.perf_counter()
        child = subprocess.Popen([sys.executable, *words], stdout=output, stderr=output, env=environment | given)
        _, status, used = os.wait4(child.pid, 0)
        took = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode in {0, NOTHING_FOUND}, (folder.parent / "output").read_text()
    return Run(took, used.ru_utime + used.ru_stime, used.ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20))


def command(folder: Path, words: str) -> Run:
    return ran(folder, "-c", "from spantape.cli import main; main()", *words.split())


def starts(folder: Path, rounds: int) -> Iterator[Target]:
    for words in STARTS:
        command(folder, words)  # compiles what it imports
    bare, ours = [], []
    for _ in range(rounds * 5):
        bare.append(ran(folder, "-c", "pass").cpu)
        ours.append(command(folder, "--help").cpu)
    more = min(ours) - min(bare)
    yield Target("`spantape --help`, CPU time above that of `python -c pass`", more * 1000, 60, "ms")
    for words in STARTS:
        least = min(command(folder, words).wall for _ in range(rounds))
        yield Target(f"`spantape {words}` on 1 GB", least, 0.3, "s")


def scans(folder: Path, rounds: int) -> Iterator[Target]:
    most = 0.0
    for words in SCANS:
        found = []
        for _ in range(rounds):
            bare, ours = ran(folder, "-c", BARE, str(folder)), command(folder, words)
            found.append(ours.cpu / bare.cpu)
            most = max(most, ours.megabytes)
        yield Target(f"`spantape {words}` on 1 GB, against the bare loop", statistics.median(found), 1 / 0.6, "×")
    for words in ("stats --by user", "errors --group"):
        most = max(most, command(folder, words).megabytes)
    yield Target("Memory at the most, of all these, `stats` and `errors --group`", most, 100, "MB")


def measured(rounds: int) -> list[Target]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "records")
        for day in range(DAYS):
            file = folder / "by_date" / f"2026-11-{18 + day}_all_interactions.json"
            write(file, records(TREE // DAYS // BYTES, BYTES, seed=day))
        return [*starts(folder, rounds), *scans(folder, rounds)]


def main() -> int:
    asked = page.options(__doc__, rounds=7).parse_args()
    found = measured(asked.rounds)
    note = f"Medians of {asked.rounds} rounds, and for starts the least of them; {page.MACHINE}."
    return page.tell("command", asked, found, note)


if __name__ == "__main__":
    sys.exit(main())
