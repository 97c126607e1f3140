"""`Detector`: finds one kind of thing in a text, and says what is shown in its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

from ..errors import SettingError

Find: TypeAlias = "Callable[[str], Iterable[tuple[int, int]]]"
"""Gives where in a text something is, as (start, end)."""
Gate: TypeAlias = "Callable[[bytes], Any]"
"""Says whether there may be something in a text, given as `seen` gives it."""
Shape: TypeAlias = "Callable[[str], str]"
"""Gives what is shown of a finding."""


_COMMON = b"-zqjxkvbpgwyfmcuhldrsnioate "
"""What is in most texts, the rarest first; all else is rarer."""


def seen(text: str) -> bytes:
    """Give a text for a first look: in ASCII, with `?` for all else, one byte a character, so that places stay."""
    return text.encode("ascii", "replace")


def has(data: bytes, mark: bytes) -> bool:
    """Say whether a text has a mark: looked for from the end, which takes half as long as `in` where there is none."""
    return data.rfind(mark) >= 0


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """Give a compiled pattern: when first needed, as most applications never meet most kinds of findings."""
    return re.compile(pattern)


@lru_cache(maxsize=256)
def glance(pattern: bytes) -> re.Pattern[bytes]:
    """Give a compiled pattern for a first look."""
    return re.compile(pattern)


def stars(found: str) -> str:  # noqa: ARG001 - that of every kind
    """Show nothing of what was found."""
    return "***"


def anything(found: str) -> bool:  # noqa: ARG001
    """Take whatever was found."""
    return True


@dataclass(frozen=True)
class Detector:
    """Finds one kind of thing, by a regular expression or a function: `Detector("order", r"ORD-\\d{8}")`.

    `find` is a pattern (its first group is what is hidden, if it has one), or a function of a text that gives
    (start, end) of each finding. `check` may say no to a finding, `shape` gives what mode `mask` shows of it, `same`
    what mode `hash` counts as equal. A text without any of the `marks`, or that `gate` says no to, is not searched
    (`gate` is given the text in ASCII, with `?` for all else, maybe within JSON). A pattern has to be linear in time:
    it runs in the caller's thread.
    """

    name: str
    find: str | re.Pattern[str] | Find
    check: Callable[[str], bool] = anything
    shape: Shape = stars
    same: Callable[[str], str] = str.casefold
    marks: tuple[str, ...] = ()
    gate: Gate | None = None

    @cached_property
    def seen_marks(self) -> tuple[tuple[bytes, bytes], ...]:
        """The marks as they are seen, each after its rarest letter, which is searched for ten times as quickly.

        Every text has the empty one, which stands for those beyond ASCII, too.
        """
        marks = [seen(mark) if mark.isascii() else b"" for mark in self.marks or ("",)]
        return tuple((bytes(sorted(mark, key=_COMMON.find)[:1]), mark) for mark in marks)

    def may_find(self, data: bytes) -> bool:
        """Say whether there may be anything in a text, as it is seen, but for its gate."""
        return any(has(data, mark) for _, mark in self.seen_marks)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Give where in the text something was found: in order, and never twice."""
        found: list[tuple[int, int]] = []
        for start, end in sorted(self._find(text)):
            begin = max(start, found[-1][1]) if found else start
            if begin < end and self.check(text[begin:end]):
                found.append((begin, end))
        return found

    def ready(self) -> Detector:
        """Give the detector itself, its pattern compiled; raises `SettingError` when it is none."""
        try:
            _ = self._find
        except re.error as error:
            raise SettingError(f"the pattern of detector {self.name!r} can't be used: {error}") from None
        return self

    @cached_property
    def _find(self) -> Find:
        if callable(self.find):
            return self.find
        pattern = compiled(self.find) if isinstance(self.find, str) else self.find
        group = min(pattern.groups, 1)
        return lambda text: (match.span(group) for match in pattern.finditer(text))
