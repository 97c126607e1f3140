"""A text as its reader would read it: escape sequences of JSON decoded, full-width digits and letters as usual ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .detector import compiled, searching

_ESCAPE = r"\\{1,16}(?:u([0-9A-Fa-f]{4})|([\"/bfnrt]))"
"""Of JSON in JSON in JSON, too, where the backslashes double each time."""
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HIDES = rb"\\(?:u00|u[fF]{2}|u[0-9A-Fa-f]{4}[0-9+(-]|/)"
_HIDES_WIDE = rb"\xef\xbc(?:\xa0|[\x90-\x99](?:[ -]?\xef\xbc[\x90-\x99]){2})"
"""A full-width @, or some digits."""
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


def hides(data: bytes) -> bool:
    """Say whether a text, given as UTF-8, is read otherwise than it is written, and so may hide what is looked for."""
    if b"\\" in data and searching(_HIDES)(data):
        return True
    return not data.isascii() and searching(_HIDES_WIDE)(data) is not None


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
