"""The counts of each day, kept beside the files: statistics read only what has been added since.

`.summaries/<date>` is a line of JSON, then 8 bytes for the id of each record, to notice when a new one replaces an old
one. Readers write it, only to be quick: it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import uuid
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ... import jsontext
from . import arrays, layout, tally
from .catalog import Catalog
from .fold import folded, identity
from .lines import NOWHERE, Lines
from .tally import Counts, Fact

_VERSION = f"2 {sys.byteorder}"
_TAIL = 64
_DAY = re.compile(r"\d{4}-\d\d-\d\d")

State: TypeAlias = tuple[str, int, int]
"""What changes whenever a file does: name, size, time."""


class Covered(NamedTuple):
    """How far a file has been counted."""

    state: State
    end: int
    """Where the last record ends that was counted."""
    tail: str
    """What stands just before that."""


@dataclass
class Summary:
    """The counts of one day, and the files that they were counted from, oldest first."""

    covered: list[Covered] = field(default_factory=list)
    counts: Counts = field(default_factory=dict)
    ids: array[int] = field(default_factory=lambda: array("Q"))


class Summaries:
    """The counts of each day below one folder."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._folder = catalog.base_dir / layout.SUMMARIES
        self._known: dict[Path, Summary] = {}

    def days(self) -> Iterator[tuple[str, Counts]]:
        """Give each day and its counts, after counting what is new."""
        paths = self._catalog.dates()
        for path in paths:
            yield path.name[:10], self._current(path).counts
        self._tidy({path.name[:10] for path in paths})
        self._known = {path: self._known[path] for path in paths}

    def _current(self, path: Path) -> Summary:
        states = [_state_of(file) for file in self._catalog.files(path)]
        known = self._known.get(path)
        if known is None or [one.state for one in known.covered] != states:
            known = self._load(path) or known
            if known is None or [one.state for one in known.covered] != states:
                known = self._counted(path, known or Summary())
            self._known[path] = known
        return known

    def _counted(self, path: Path, known: Summary) -> Summary:
        with self._catalog.opened(path) as files:
            states = [_state(lines.path, lines.state()) for lines in files]  # before reading: it may grow meanwhile
            if not _goes_on(known, states, files):
                known = Summary()
            fresh = _extended(known, states, files)
        self._store(path, fresh)
        return fresh

    def _load(self, path: Path) -> Summary | None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            head, _, ids = (self._folder / path.name[:10]).read_bytes().partition(b"\n")
            found = jsontext.loads(head)
            if found["version"] == _VERSION and found["ids"] * 8 == len(ids):
                covered = [Covered(tuple(state), end, tail) for state, end, tail in found["covered"]]
                return Summary(covered, found["counts"], array("Q", ids))
        return None

    def _store(self, path: Path, summary: Summary) -> None:
        head = {"version": _VERSION, "covered": summary.covered, "ids": len(summary.ids), "counts": summary.counts}
        keep(self._folder, path.name[:10], jsontext.dumps(head) + b"\n" + summary.ids.tobytes())

    def _tidy(self, days: set[str]) -> None:
        with suppress(OSError):
            for file in self._folder.iterdir():
                if _DAY.fullmatch(file.name) and file.name not in days:
                    file.unlink(missing_ok=True)


def keep(folder: Path, name: str, data: bytes) -> None:
    """Write a file of ours, at once, if that can be done: what is read may be a read-only copy."""
    fresh = folder / f"{uuid.uuid4()}.tmp"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            fresh.touch(mode=0o600, exist_ok=False)
            fresh.write_bytes(data)
            fresh.replace(folder / name)
        finally:
            fresh.unlink(missing_ok=True)


def _goes_on(known: Summary, states: Sequence[State], files: Sequence[Lines]) -> bool:
    """Say whether files are those that have been counted, with at most something new at the end of the last."""
    last = len(known.covered) - 1
    if last >= len(files):
        return False
    for number, (one, state, lines) in enumerate(zip(known.covered, states, files, strict=False)):
        if one.state == state:
            continue
        if one.end == NOWHERE or one.state[:2] == state[:2]:
            return False
        if lines.piece(max(0, one.end - _TAIL), one.end).hex() != one.tail:
            return False
        if number < last and not arrays.is_frame(lines.piece(one.end, one.end + _TAIL)):
            return False
    return True


def _extended(known: Summary, states: Sequence[State], files: Sequence[Lines]) -> Summary:
    """Count what is new: what stands in the last file behind what was counted, and in the files after it."""
    last = max(0, len(known.covered) - 1)
    starts = [one.end for one in known.covered[last:]] + [0] * (len(files) - len(known.covered))
    counts, ids = deepcopy(known.counts), known.ids[:]
    new = array("Q")
    for line in folded(files[last:], starts):
        tally.add(counts, _facts(line))
        new.extend(_digests(line))
    covered = [one._replace(state=state) for one, state in zip(known.covered[:last], states, strict=False)]
    covered += [_covered(lines, state) for lines, state in zip(files[last:], states[last:], strict=True)]
    again = set(new).intersection(ids) if ids else set()
    for found in _replaced(again, files, known.covered):
        tally.add(counts, found, -1)
    ids.extend(digest for digest in new if digest not in again)
    return Summary(covered, counts, ids)


def _replaced(again: set[int], files: Sequence[Lines], covered: Sequence[Covered]) -> Iterator[list[Fact]]:
    """Give what the records with these ids had added; they are looked for in the newest files first."""
    left = set(again)
    for lines, one in [*zip(files, covered, strict=False)][::-1]:
        if not left:
            return
        before = lines.forwards_to(one.end)
        found = {digest: line for line in before for digest in _digests(line) if digest in left}
        yield from map(_facts, found.values())
        left -= found.keys()


def _facts(line: bytes) -> list[Fact]:
    record = arrays.record(line)
    return [] if record is None else list(tally.facts(record))


def _digests(line: bytes) -> list[int]:
    name = identity(line)
    return [] if name is None else [int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), sys.byteorder)]


def _covered(lines: Lines, state: State) -> Covered:
    end = lines.end
    return Covered(state, end, lines.piece(max(0, end - _TAIL), end).hex() if end != NOWHERE else "")


def _state_of(file: Path) -> State | None:
    with suppress(FileNotFoundError):
        return _state(file, file.stat())
    return None


def _state(path: Path, state: os.stat_result) -> State:
    return path.name, state.st_size, state.st_mtime_ns
