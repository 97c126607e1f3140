"""Detectors of numbers: phones, identity cards, bank cards; told from order numbers and times by their checksums."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from itertools import chain, repeat

from .detector import Detector, Find, compiled, glance, has

_SHAPES = b"".join((b"x" * 32, b"-xxxxxxx--xxx-.x", b"0" * 10, b"x" * 7, b"f" * 6, b"x" * 26, b"f" * 6, b"x" * 153))
"""Digits are 0, what divides them is -, a full stop is itself, the letters of a UUID are f, and all else is x."""
_IN_A_ROW, _FRACTION = b"0" * 11, b"0." + b"0" * 11
_IN_PARTS = rb"000-000(?:000|-0000|0-0000)[0-]*"
"""From the end of the first part of a number of ten digits and more, in the ways in which people divide them."""
_IN_BRACKETS = rb"\)(?:(?<=0[12][0-9]\))|(?<=0[3-9][0-9]{2}\)))[ -]?[1-9][0-9]{2,3}[ -]?[0-9]{4}"
_TIMES = (b"16", b"17", b"18")
"""How times in ms since 1970 begin, from 2020 to 2033: logs are full of them."""
_BEGINS = (
    rb"(?<![0-9A-Fa-f])(?<![0-9]\.)(?:1[3-9](?:[0-9]{9}(?![0-9])|[0-9][ -])|(?:00)?86[ -]?1[3-9]"
    rb"|0(?:10|2[0-9])[2-8][0-9]{7}(?![0-9])|0(?:10|2[0-9]|[3-9][0-9]{2})[ -][1-9]"
    rb"|[1-9][0-9]{5}[ -]?(?:19|20)[0-9]{6}[ -]?[0-9]{3}[0-9Xx]|(4|5[1-5]|2[2-7]|3[04-9]|6[0245]))"
)
"""How such a number begins; a bank card's has a group: there the checksum can tell."""
_MOST = 28
_ABROAD = rb"\+[1-9](?:[ .()-]{0,2}[0-9]){7}"
_ROW = r"[0-9+(][0-9 .()-]{6,}"
_BEFORE = r"(?<![A-Za-z0-9_])(?<![A-Za-z0-9]-)(?<![0-9]\.)"
_AFTER = r"(?![A-Za-z0-9_])(?!-[A-Za-z0-9])(?!\.[0-9])"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_DOUBLED = str.maketrans("0123456789", "0246813579")
_BRANDS = (  # how a card's number begins, and how long it is
    (r"4", {13, 16, 19}),
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", {16}),
    (r"3[47]", {15}),
    (r"30[0-5]|3[689]", {14}),
    (r"35(?:2[89]|[3-8])|6011|64[4-9]|65", {16}),
    (r"62", {16, 17, 18, 19}),
)


def _has_number(data: bytes) -> bool:
    """Say whether there may be a number that is looked for: by the shape of all, then of each, then by checksum."""
    if b"+" in data and glance(_ABROAD).search(data):
        return True
    if b")" in data and glance(_IN_BRACKETS).search(data):
        return True
    shapes = data.translate(_SHAPES)
    return any(map(_may_be, chain(_rows(data, shapes), _parts(data, shapes))))


def _rows(data: bytes, shapes: bytes) -> Iterable[re.Match[bytes]]:
    """Give what begins where digits stand in a row, but for fractions, and unless all are times, as in most logs."""
    if not has(shapes, _IN_A_ROW) or shapes.count(_IN_A_ROW) == _times(data, shapes.find(_IN_A_ROW)):
        return ()
    whole = shapes.replace(_FRACTION, b"x" * len(_FRACTION))
    places = map(re.Match.start, glance(_IN_A_ROW).finditer(whole))
    return filter(None, map(glance(_BEGINS).match, repeat(data), places))


def _times(data: bytes, first: int) -> int:
    """Give how many rows of digits are times in ms that begin as the first row does."""
    begin = data[first : first + 2]
    return len(glance(begin + rb"(?<![0-9]..)[0-9]{11}").findall(data)) if begin in _TIMES else 0


def _parts(data: bytes, shapes: bytes) -> Iterator[re.Match[bytes]]:
    """Give what begins where digits stand in parts."""
    for part in glance(_IN_PARTS).finditer(shapes) if has(shapes, _IN_PARTS[:7]) else ():
        yield from glance(_BEGINS).finditer(data, max(0, part.start() - 4), part.end() + 1)


def _may_be(found: re.Match[bytes]) -> bool:
    begin = found.string[found.start() : found.start() + _MOST]  # may end within a character
    return found[1] is None or bool(BANK_CARD.spans(begin.decode("ascii", "replace")))


def _among_numbers(pattern: str) -> Find:
    """Give what looks for a pattern where digits stand in a row, and nowhere else."""

    def find(text: str) -> Iterator[tuple[int, int]]:
        number = compiled(pattern)
        for row in compiled(_ROW).finditer(text):
            for match in number.finditer(text, row.start(), row.end() + 3):
                yield match.span()

    return find


def digits(text: str) -> str:
    """Give only the digits (and a resident id's X)."""
    return "".join(character for character in text if character.isdigit() or character in "Xx").upper()


def hidden(text: str, head: int, tail: int) -> str:
    """Put stars for all digits but the first and the last ones; what stands between them stays."""
    count, seen, shown = len(digits(text)), 0, []
    for character in text:
        is_digit = character.isdigit() or character in "Xx"
        seen += is_digit
        shown.append("*" if is_digit and head < seen <= count - tail else character)
    return "".join(shown)


def _is_international(found: str) -> bool:
    return 8 <= len(digits(found)) <= 15 and re.fullmatch(r"\+\d+\.\d+", found) is None


def _phone(found: str) -> str:
    return hidden(found, max(0, len(digits(found)) - 8), 4)


def _subscriber(found: str) -> str:
    """Give a number as it is dialled at home, so that it is the same with and without the country's code."""
    number = digits(found).removeprefix("00")
    return number.removeprefix("86") if len(number) > 10 and number.startswith("86") else number.lstrip("0")


def _is_resident(found: str) -> bool:
    number = digits(found)
    with suppress(ValueError):
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
        total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
        return born <= date.today() and "10X98765432"[total % 11] == number[-1]
    return False


def _is_card(found: str) -> bool:
    number = found.replace(" ", "").replace("-", "")
    adds_up = sum(map(int, number[-1::-2] + number[-2::-2].translate(_DOUBLED))) % 10 == 0
    issued = adds_up and any(len(number) in lengths and re.match(start, number) for start, lengths in _BRANDS)
    return issued and len(set(number)) > 1


BANK_CARD = Detector(
    "bank_card",
    _among_numbers(
        rf"{_BEFORE}(?:[2-6][0-9]{{12,18}}|[2-6][0-9]{{3}}(?:[ -][0-9]{{4}}){{3}}(?:[ -][0-9]{{1,3}})?"
        rf"|3[47][0-9]{{2}}[ -][0-9]{{6}}[ -][0-9]{{5}}|3[068][0-9]{{2}}[ -][0-9]{{6}}[ -][0-9]{{4}}){_AFTER}"
    ),
    check=_is_card,
    shape=lambda found: hidden(found, 0, 4),
    same=digits,
    gate=_has_number,
)
NUMBERS = (
    Detector(
        "phone",
        # Written internationally; China's mobile numbers; China's landlines.
        _among_numbers(
            r"(?<![A-Za-z0-9_+])\+[1-9](?:[ .()-]{0,2}[0-9]){7,14}(?![A-Za-z0-9_])(?!\.[0-9])"
            rf"|{_BEFORE}(?:(?:0086|86)[ -]?)?1(?:3[0-9]|4[014-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])"
            rf"(?:[0-9]{{8}}|[ -][0-9]{{4}}[ -][0-9]{{4}}){_AFTER}"
            rf"|{_BEFORE}\(?0(?:10|2[0-9]|[3-9][0-9]{{2}})(?:\)[ -]?|[ -])[1-9][0-9]{{2,3}}[ -]?[0-9]{{4}}"
            r"(?![A-Za-z0-9_])"
            rf"|{_BEFORE}0(?:10|2[0-9])[2-8][0-9]{{7}}{_AFTER}"
        ),
        check=lambda found: not found.startswith("+") or _is_international(found),
        shape=_phone,
        same=_subscriber,
        gate=_has_number,
    ),
    Detector(
        "resident_id",  # no province's begin as times do: the first look passes those over
        _among_numbers(rf"{_BEFORE}(?!1[678])[1-9][0-9]{{5}}[ -]?(?:19|20)[0-9]{{6}}[ -]?[0-9]{{3}}[0-9Xx]{_AFTER}"),
        check=_is_resident,
        shape=lambda found: hidden(found, 3, 4),
        same=digits,
        gate=_has_number,
    ),
    BANK_CARD,
)
