"""What a suite is: cases that are measured together, who takes part in them, and what has to hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from contenders import Contender

Calls = Mapping[str, Callable[[], object]]


@dataclass(frozen=True)
class Case:
    """One column of the table."""

    title: str
    most: float  # the target: at most so many times what the official package adds
    turn: str = "Turn 19"  # found in what was asked: the last turn of the conversation
    chunked: bool = False  # measured by the chunk


@dataclass(frozen=True)
class Suite:
    """One section of the page, and one run of the benchmark."""

    subject: str  # whose work is watched
    packages: tuple[str, ...]  # in whose modules and classes a contender may exchange something
    distributions: tuple[str, ...]  # whose versions are told
    contenders: Mapping[str, Contender]
    cases: Mapping[str, Case]
    calls: Callable[[ExitStack, int], Calls]  # everything that is measured, streams in so many chunks
    memory: str  # the call that is repeated
    repeated: int  # and how often
    imports: bool = False  # measure `import spantape`, too

    @property
    def peers(self) -> list[str]:
        return [name for name, contender in self.contenders.items() if contender.environment != "spantape"]
