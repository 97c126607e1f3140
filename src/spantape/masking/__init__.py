"""`Masking`: hides secrets and personal data in a text, whatever the text is: prose, JSON, JSON within JSON."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from .. import jsontext
from ..errors import SettingError
from ..jsontext import Json
from .credentials import CREDENTIALS
from .detector import Detector, Gate, has, seen
from .personal import PERSONAL
from .views import has_ascii_escapes, has_escapes, is_wide, view

__all__ = ["DETECTORS", "GROUPS", "MODES", "Detector", "Masking"]

DETECTORS = {detector.name: detector for detector in (*CREDENTIALS, *PERSONAL)}
GROUPS = {
    "secrets": tuple(detector.name for detector in CREDENTIALS),
    "personal": tuple(detector.name for detector in PERSONAL),
    "all": tuple(DETECTORS),
}
MODES = ("mask", "hash", "remove")

_SMALLEST_NUMBER = 10**6
_DEPTH = 8
_JSON_BEGINS = frozenset('{["')
_SEEN = "*"
_OWN_KEY = os.urandom(32)
"""Of this process: what is hashed with it can be joined as long as the process runs."""


class Finding(NamedTuple):
    """Something that is hidden: by which detector, where in the text, and what is shown in its place."""

    kind: str
    start: int
    end: int
    shown: str


@dataclass(frozen=True)
class Masking:
    """Hides what its detectors find: `instrument(mask=Masking(["personal", "-ip"], mode="hash", key="…"))`.

    `detectors` are names (`email`; `secrets`, `personal`, `all` for many; `-ip` takes one away) and `Detector`s. `mode`
    is `mask` (keeps the shape: `138****5678`), `hash` (`[phone:5d41…]`, keyed, so equal values stay equal) or `remove`
    (`[phone]`). Without a `key`, hashes differ from process to process.

    Raises:
        SettingError: A name or the mode is unknown.
    """

    detectors: Sequence[str | Detector] = ("all",)
    mode: str = "mask"
    key: str | bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise SettingError(f"mode={self.mode!r} is no mode of masking; give {', '.join(MODES)}")
        object.__setattr__(self, "detectors", tuple(chosen(self.detectors)))

    def text(self, text: str) -> str:
        """Give a text with what was found hidden; JSON stays JSON."""
        return self._masked(text, _DEPTH)

    def findings(self, text: str) -> list[Finding]:
        """Give what is found in a text, in order."""
        if self.is_clean(text):
            return []
        read = view(text)
        found = self._found(read.text)
        return [one._replace(start=read.place(one.start), end=read.place(one.end)) for one in found]

    def value(self, value: Json) -> Json:
        """Give a text or a number with what was found hidden; every other value as it is."""
        return self._value(value, _DEPTH)

    def json(self, text: str) -> str:
        """Give JSON whose texts and numbers were masked, with what is only found by the key before it hidden, too."""
        return _replaced(text, self.findings(text))

    def is_clean(self, text: str, utf8: bytes | None = None) -> bool:
        """Say quickly that nothing can be found in a text or in JSON; False is no answer. `utf8` is the same text."""
        data = utf8 if utf8 is not None and 8 * len(utf8) <= 9 * len(text) else seen(text)
        for gate, letters, marks in self._marks:
            if (letters and not any(map(data.__contains__, letters))) or not (gate is None or gate(data)):
                continue
            for rarest, mark in marks:  # no generator: most texts are short
                if rarest in data and has(data, mark):
                    return False
        if not self._is_personal:
            return not has_ascii_escapes(data)
        return not (b"\\" in data and has_escapes(data)) and not is_wide(text)

    @cached_property
    def _marks(self) -> Sequence[tuple[Gate | None, bytes, Sequence[tuple[bytes, bytes]]]]:
        """By gate, of what one is in every text that the detectors find anything in: the rarest letters, and all."""
        marks = [(gate, [mark for one in detectors for mark in one.seen_marks]) for gate, detectors in self._gates]
        return [(gate, _letters(rarest for rarest, _ in some), some) for gate, some in marks]

    @cached_property
    def _is_personal(self) -> bool:
        """Whether anything is looked for that people write in full-width digits, too; nobody types keys so."""
        return not frozenset(CREDENTIALS).issuperset(self._detectors)

    @cached_property
    def of_names(self) -> Masking:
        """The same for names, which have to stay apart: what is found is hashed."""
        return replace(self, mode="hash")

    @cached_property
    def _gates(self) -> Sequence[tuple[Gate | None, Sequence[Detector]]]:
        groups: dict[Gate | None, list[Detector]] = {}
        for detector in self._detectors:
            groups.setdefault(detector.gate, []).append(detector)
        return list(groups.items())

    def _asked(self, data: bytes) -> Iterable[Detector]:
        """Give the detectors that may find something."""
        for gate, detectors in self._gates:
            if gate is None or gate(data):
                yield from (detector for detector in detectors if detector.may_find(data))

    @property
    def _detectors(self) -> Sequence[Detector]:
        return self.detectors  # type: ignore[return-value] # names were replaced in __post_init__

    def _masked(self, text: str, depth: int) -> str:
        found = self.findings(text)
        if not found:
            return text
        if depth and text.lstrip()[:1] in _JSON_BEGINS:
            plain = jsontext.loads_or(text)
            with suppress(RecursionError):
                if isinstance(plain, (dict, list, str)):
                    return self.json(jsontext.text(self._value(plain, depth - 1)))
        return _replaced(text, found)

    def _value(self, value: Json, depth: int) -> Json:
        if isinstance(value, str):
            return self._masked(value, depth)
        if isinstance(value, Mapping):
            return keyed((self._value(key, depth), self._value(item, depth)) for key, item in value.items())
        if isinstance(value, list):
            return [self._value(item, depth) for item in value]
        if isinstance(value, int) and abs(value) > _SMALLEST_NUMBER:
            said = self._masked(str(value), 0)
            return value if said == str(value) else said
        return value

    def _found(self, text: str) -> list[Finding]:
        """Give what was found, in order; what one detector has found is no more to be seen by those after it."""
        data = seen(text)
        found: list[Finding] = []
        for detector in self._asked(data):
            new = [
                Finding(detector.name, start, end, self._shown(detector, text[start:end]))
                for start, end in detector.spans(text)
            ]
            text = _replaced(text, [one._replace(shown=_SEEN * (one.end - one.start)) for one in new])
            found += new
        return sorted(found, key=lambda one: one.start)

    def _shown(self, detector: Detector, found: str) -> str:
        if self.mode == "mask":
            return detector.shape(found)
        return f"[{detector.name}]" if self.mode == "remove" else f"[{detector.name}:{self._hash(detector, found)}]"

    def _hash(self, detector: Detector, found: str) -> str:
        said = f"{detector.name}:{detector.same(found)}".encode("utf-8", "replace")
        key = self.key.encode() if isinstance(self.key, str) else self.key
        return hmac.new(key or _OWN_KEY, said, hashlib.sha256).hexdigest()[:16]


def _letters(rarest: Iterable[bytes]) -> bytes:
    """Give each letter once; none if there is a mark that every text has."""
    found = dict.fromkeys(rarest)
    return b"" if b"" in found else b"".join(found)


def keyed(entries: Iterable[tuple[Json, Json]]) -> dict[Json, Json]:
    """Give an object of entries whose keys may have become the same: none of them is lost."""
    made: dict[Json, Json] = {}
    for key, item in entries:
        made[f"{key} ({len(made) + 1})" if key in made else key] = item
    return made


def chosen(names: Iterable[str | Detector]) -> Iterable[Detector]:
    """Give the detectors that are named, in order, each once; a name after `-` takes away."""
    taken: dict[str, Detector] = {}
    for name in names:
        if isinstance(name, Detector):
            taken[name.name] = name.ready()
        elif not isinstance(name, str):
            raise SettingError(f"{name!r} is no detector; give a spantape.Detector, or a name")
        elif name.startswith("-"):
            for one in _named(name[1:]):
                taken.pop(one, None)
        else:
            taken |= {one: DETECTORS[one] for one in _named(name)}
    return taken.values()


def _named(name: str) -> Sequence[str]:
    if name not in GROUPS and name not in DETECTORS:
        known = ", ".join((*GROUPS, *DETECTORS))
        raise SettingError(f"{name!r} is no detector; give a spantape.Detector, or a name: {known}")
    return GROUPS.get(name, (name,))


def _replaced(text: str, found: Sequence[Finding]) -> str:
    parts: list[str] = []
    end = 0
    for finding in found:
        parts += text[end : finding.start], finding.shown
        end = finding.end
    return "".join([*parts, text[end:]])
