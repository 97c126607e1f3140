"""The labelled set, and how well each detector does on it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from spantape.masking import DETECTORS, Masking

_MARKED = re.compile("⟦([a-z0-9_]+):(.*?)⟧")


class Case(NamedTuple):
    """A text, and what is to be found in it: (kind, start, end)."""

    text: str
    wanted: frozenset[tuple[str, int, int]]
    hard: bool = False
    """It is known that the detectors get it wrong."""


class Score(NamedTuple):
    """How many were right, found but wrong, and missed."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed)


def cases() -> list[Case]:
    lines = (Path(__file__).parent / "cases.txt").read_text(encoding="utf-8").splitlines()
    hard, found = False, []
    for line in lines:
        if line.startswith("# "):
            hard = line.startswith("# too hard")
        elif line:
            found.append(_case(line.replace("¦", ""), hard))
    return found


def _case(line: str, hard: bool) -> Case:
    text, end, wanted = "", 0, []
    for match in _MARKED.finditer(line):
        text += line[end : match.start()]
        wanted.append((match[1], len(text), len(text) + len(match[2])))
        text, end = text + match[2], match.end()
    return Case(text + line[end:], frozenset(wanted), hard)


def found(text: str) -> frozenset[tuple[str, int, int]]:
    return frozenset((one.kind, one.start, one.end) for one in Masking().findings(text))


def scores() -> dict[str, Score]:
    """Give the score of each detector, all of them working together, on all cases."""
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    for case in cases():
        got = found(case.text)
        right.update(kind for kind, *_ in got & case.wanted)
        wrong.update(kind for kind, *_ in got - case.wanted)
        missed.update(kind for kind, *_ in case.wanted - got)
    return {name: Score(right[name], wrong[name], missed[name]) for name in DETECTORS}
