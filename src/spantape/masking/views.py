"""A text as its reader would read it: escape sequences of JSON decoded, full-width digits and letters as usual ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .detector import compiled, glance, has

_ESCAPE = r"\\{1,16}(?:u([0-9A-Fa-f]{4})|([\"/bfnrt]))"
"""Of JSON in JSON in JSON, too, where the backslashes double each time."""
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HIDES = rb"\\(?:u00|u[fF]{2}|u[0-9A-Fa-f]{4}[0-9+(-]|[bf][0-9+(]|/)"
_UNUSUAL = rb"\\[ubf/]"
"""Prose in JSON has escape sequences for quotes and line ends alone: to see that takes a third of the time."""
_WIDE_DIGITS = "０１２３４５６７８９"
_MORE_DIGITS = "(?:[ -]?[０-９]){2}"
_FULL_WIDTH = "[\uff0b-\uff5a]"
_USUAL = {
    0xFEE0 + code: code for code in map(ord, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz@+-.")
}


@dataclass(frozen=True)
class View:
    """What is read, and where each of its characters is in the text as it was written (None: at the same place)."""

    text: str
    places: Sequence[int] | None

    def place(self, at: int) -> int:
        """Give where a character of the view is in the text that was written."""
        return at if self.places is None else self.places[at]


def has_escapes(data: bytes) -> bool:
    """Say whether a text, as it is seen, has escape sequences that may hide what is looked for."""
    return glance(_UNUSUAL).search(data) is not None and glance(_HIDES).search(data) is not None


def has_ascii_escapes(data: bytes) -> bool:
    """Say whether a text, as it is seen, has escape sequences for ASCII that needs none: all that may hide a key."""
    return b"0" in data and has(data, b"\\u00")


def is_wide(text: str) -> bool:
    """Say whether a text has a full-width @, or some full-width digits in a row."""
    if text.isascii():
        return False
    # A pattern that begins with a class of characters would take ten times as long.
    return "＠" in text or any(digit in text and compiled(digit + _MORE_DIGITS).search(text) for digit in _WIDE_DIGITS)


def view(written: str) -> View:
    """Give a text as it is read."""
    text, places = _decoded(written) if "\\" in written else (written, None)
    if not text.isascii() and compiled(_FULL_WIDTH).search(text):
        text = text.translate(_USUAL)
    return View(text, places)


def _decoded(written: str) -> tuple[str, Sequence[int] | None]:
    said: list[str] = []
    places: list[int] = []
    end = 0
    for match in compiled(_ESCAPE).finditer(written):
        said += written[end : match.start()], _character(match)
        places += range(end, match.start() + 1)
        end = match.end()
    said.append(written[end:])
    places += range(end, len(written) + 1)
    return "".join(said), places


def _character(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    return _LETTERS.get(match[2], match[2])
