"""A table of targets, and its place in docs/performance.md: between two marks that bear its name."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MACHINE = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


@dataclass(frozen=True)
class Target:
    """What has to hold, what was measured, and the most that is allowed."""

    says: str
    measured: float
    most: float
    unit: str = "×"

    @property
    def holds(self) -> bool:
        return self.measured <= self.most

    def line(self) -> str:
        measured, most = (f"{value:.3g} {self.unit}".rstrip() for value in (self.measured, self.most))
        return f"| {self.says} | {measured} | {most} | {'yes' if self.holds else '**no**'} |"


def table(targets: Sequence[Target]) -> str:
    return "\n".join(
        ["| target | measured | at most | holds |", "| --- | ---: | ---: | --- |", *(one.line() for one in targets)]
    )


def options(about: str | None, rounds: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--write", type=Path, help="put the table into this page, between its two marks")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    return parser


def tell(name: str, asked: argparse.Namespace, found: Sequence[Target], note: str) -> int:
    """Print the targets and the note, put them where it is asked for, and give the exit code."""
    text = f"{table(found)}\n\n{note}"
    print(text)
    if asked.write:
        put(asked.write, name, text)
    return int(asked.check and not all(one.holds for one in found))


def put(path: Path, name: str, text: str) -> None:
    begin, end = (f"<!-- {name}: {edge} -->" for edge in ("begin", "end"))
    before, mark, rest = path.read_text(encoding="utf-8").partition(begin)
    _, close, after = rest.partition(end)
    if not (mark and close):
        raise SystemExit(f"{path} has no {begin} … {end}: put both in, where the table is to be")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8", newline="\n")
