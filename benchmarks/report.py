"""What the benchmark found, as Markdown: the tables, the targets, the machine."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from page import Target, put, table
from processes import spread
from suite import Suite

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Unit:
    """What is measured, and in what."""

    says: str = "CPU"
    sign: str = "µs"


@dataclass
class Found:
    """All that was measured; what was left out is missing."""

    suite: Suite
    rounds: int
    chunks: int
    unit: Unit = Unit()
    bare: dict[str, list[float]] = field(default_factory=dict)
    added: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    imports: list[float] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def add(self, name: str, what: str, took: Mapping[str, float]) -> None:
        """Take what a bare call took, and what a watched one took more."""
        per = self.chunks if what == "stream" else 1
        self.bare.setdefault(what, []).append(took["bare"] / per)
        self.added.setdefault((name, what), []).append(took["added"] / per)

    def median(self, name: str, what: str) -> float | None:
        values = self.added.get((name, what))
        return spread(values)[0] if values else None


OURS = [  # who, what is said of it, the most allowed when the case has no say
    ("spantape", "{} added, against the official package's", None),
    ("essential", "{} added by essential spans only, against the official package's", None),
    ("recording", "recorded to files, against the official package's span alone", 1.0),
]
IDLE = [
    ("A call, unsampled with recording off", "unsampled"),
    ("A call inside `suppress_instrumentation`", "suppressed"),
]


def targets(found: Found) -> list[Target]:
    return [*ratios(found), *least(found), *idle(found), *others(found)]


def holds(found: Found) -> bool:
    """Tell whether all targets hold, by figures that mean something."""
    return not found.doubts and all(target.holds for target in targets(found))


def ratios(found: Found) -> Iterator[Target]:
    for name, says, most in OURS:
        for what, case in found.suite.cases.items():
            ours, theirs = found.median(name, what), found.median("official", what)
            if ours is not None and theirs is not None:
                said = says.format(found.unit.says)
                yield Target(f"{capital(case.title)}: {said}", ours / theirs, most or case.most)


def least(found: Found) -> Iterator[Target]:
    what, case = next(iter(found.suite.cases.items()))
    ours = found.median("spantape", what)
    theirs = [value for peer in found.suite.peers if (value := found.median(peer, what)) is not None]
    if ours is not None and theirs:
        said = f"{capital(case.title)}: {found.unit.says} added, against the cheapest peer's"
        yield Target(said, ours / min(theirs), 1.0)


def capital(title: str) -> str:
    return title[:1].upper() + title[1:]


def idle(found: Found) -> Iterator[Target]:
    for says, name in IDLE:
        added = found.median(name, "short")
        if added is not None:
            yield Target(says, added, 10.0, "µs")


def others(found: Found) -> Iterator[Target]:
    if found.imports:
        yield Target("`import spantape`, after the OTel SDK", spread(found.imports)[0], 40.0, "ms")
    if found.memory:
        (early, before), (late, after) = found.memory.items()
        yield Target(f"Memory gained from call {early} to call {late}", (after - before) / MEGABYTE, 5.0, "MB")


def tell(name: str, asked: argparse.Namespace, found: Found) -> int:
    """Print everything, put it where it is asked for, and give the exit code."""
    text = page(found)
    print(text)
    if asked.write:
        put(asked.write, name, text)
    return int(asked.check and not holds(found))


def page(found: Found) -> str:
    """Give everything as one text: tables, targets, machine."""
    parts = [main_table(found), idle_table(found), table(targets(found)), *found.doubts, machine(found)]
    return "\n\n".join(part for part in parts if part)


def main_table(found: Found) -> str:
    cases = found.suite.cases
    unit = found.unit
    titles = " | ".join(f"{case.title}: {unit.says} added, {unit.sign} | × official" for case in cases.values())
    lines = [f"| | {titles} |", f"| --- |{' ---: | ---: |' * len(cases)}"]
    for name, contender in found.suite.contenders.items():
        if all((name, what) in found.added for what in cases):
            cells = [f"{amount(found, name, what)} | {ratio(found, name, what)}" for what in cases]
            version = found.versions[name][contender.distribution]
            lines.append(f"| {contender.title} {version} | {' | '.join(cells)} |")
    if len(lines) == 2:
        return ""
    took = ", ".join(f"{spread(found.bare[what])[0]:,.0f} {unit.sign} for {case.title}" for what, case in cases.items())
    return "\n".join([*lines, "", f"Bare, it takes {took}. In brackets: the quartiles of the rounds."])


def amount(found: Found, name: str, what: str) -> str:
    middle, low, high = spread(found.added[name, what])
    return f"{middle:.1f} ({low:.1f} – {high:.1f})"


def ratio(found: Found, name: str, what: str) -> str:
    ours, theirs = found.median(name, what), found.median("official", what)
    return "" if ours is None or not theirs else f"{ours / theirs:.2f}"


def idle_table(found: Found) -> str:
    lines = [
        f"| {contender.title} | {amount(found, name, 'short')} |"
        for name, contender in found.suite.contenders.items()
        if (name, "short") in found.added
    ]
    if not lines:
        return ""
    took = spread(found.bare["short"])[0]
    head = f"| spantape that has nothing to do | a call of one short message (takes {took:.0f}): CPU added, µs |"
    return "\n".join([head, "| --- | ---: |", *lines])


def machine(found: Found) -> str:
    every = [f"{key} {value}" for versions in found.versions.values() for key, value in versions.items()]
    parts = [cpu(), f"{os.cpu_count()} cores", f"{platform.system()} {platform.machine()}", *dict.fromkeys(every)]
    return f"Measured on: {', '.join(parts)}. {found.rounds} rounds, streams of {found.chunks} chunks."


def cpu() -> str:
    """Give the processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        return names[0] if names else platform.machine()
    if platform.system() == "Darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], check=False, capture_output=True, text=True
        )
        return asked.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()
