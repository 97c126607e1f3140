"""Detectors of personal data: who somebody is, and how to reach them."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from datetime import date

from .detector import Detector

_NUMBERS = bytes(0x30 if 48 <= i <= 57 else 0x78 for i in range(256))
_BETWEEN = b" .-()"
_SEVEN = b"0" * 7
_FULL_WIDTH = re.compile(rb"\xef\xbc[\x90-\x99]")
_V4 = re.compile(rb"\.[0-9]{1,3}\.[0-9]")
_V6 = re.compile(rb":[0-9A-Fa-f]{0,4}:")

_BEFORE = r"(?<![A-Za-z0-9_])(?<![A-Za-z0-9][-.])"
_AFTER = r"(?![A-Za-z0-9_])(?!-[A-Za-z0-9])(?!\.[0-9])"
_FILES = frozenset("png jpg jpeg gif svg webp ico js mjs ts css tgz gz zip py html".split())
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_BRANDS = (  # how a card's number begins, and how long it is
    (re.compile(r"4"), {13, 16, 19}),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), {16}),
    (re.compile(r"3[47]"), {15}),
    (re.compile(r"30[0-5]|3[689]"), {14}),
    (re.compile(r"35(?:2[89]|[3-8])|6011|64[4-9]|65"), {16}),
    (re.compile(r"62"), {16, 17, 18, 19}),
)

_NO_HOSTS = frozenset({"255.255.255.255", "255.255.255.0", "255.255.0.0", "255.0.0.0"})


def _has_number(data: bytes) -> object:
    """Say whether seven digits follow on each other with nothing but what stands between digits: a few ns a character."""
    return _SEVEN in data.translate(_NUMBERS, _BETWEEN) or _FULL_WIDTH.search(data)


def _has_address(data: bytes) -> object:
    return _V4.search(data) or _FULL_WIDTH.search(data)


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


def _is_address(found: str) -> bool:
    local, _, domain = found.replace("%40", "@").rpartition("@")
    return local != "git" and domain.rpartition(".")[2].lower() not in _FILES


def _address(found: str) -> str:
    local, at, domain = found.replace("%40", "@").rpartition("@")
    return f"{local[:1]}***{at}{domain}"


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
    number = digits(found)
    issued = any(start.match(number) and len(number) in lengths for start, lengths in _BRANDS)
    doubled = sum(sum(divmod(int(digit) * 2, 10)) for digit in number[-2::-2])
    return issued and (doubled + sum(map(int, number[-1::-2]))) % 10 == 0 and len(set(number)) > 1


def _is_ip(found: str) -> bool:
    """Take addresses that tell of somebody: not those of the machine itself, nor what only looks like one."""
    with suppress(ValueError):
        address = ipaddress.ip_address(found)
        return not (address.is_loopback or address.is_unspecified or address.is_multicast) and found not in _NO_HOSTS
    return False


def _is_ipv6(found: str) -> bool:
    """Take no `a::b`, which is code more often."""
    groups = [group for group in found.split(":") if group]
    is_long = len(groups) > 2 or len(found.partition(":")[0]) == 4
    return is_long and any(character.isdigit() for character in found) and _is_ip(found)


def _ip(found: str) -> str:
    return ".".join(found.split(".")[:2]) + ".*.*" if ":" not in found else ":".join(found.split(":")[:2]) + ":***"


PERSONAL = (
    Detector(
        "email",
        r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_][A-Za-z0-9._%+-]{0,63}(?:@|%40)(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"
        r"(?![A-Za-z0-9_@-])",
        check=_is_address,
        shape=_address,
        marks=("@", "%40", "\uff20"),
    ),
    Detector(
        "resident_id",
        rf"{_BEFORE}[1-9][0-9]{{5}}[ -]?(?:19|20)[0-9]{{6}}[ -]?[0-9]{{3}}[0-9Xx]{_AFTER}",
        check=_is_resident,
        shape=lambda found: hidden(found, 3, 4),
        same=digits,
        gate=_has_number,
    ),
    Detector(
        "bank_card",
        rf"{_BEFORE}(?:[2-6][0-9]{{12,18}}|[2-6][0-9]{{3}}(?:[ -][0-9]{{4}}){{3}}(?:[ -][0-9]{{1,3}})?"
        rf"|3[47][0-9]{{2}}[ -][0-9]{{6}}[ -][0-9]{{5}}|3[068][0-9]{{2}}[ -][0-9]{{6}}[ -][0-9]{{4}}){_AFTER}",
        check=_is_card,
        shape=lambda found: hidden(found, 0, 4),
        same=digits,
        gate=_has_number,
    ),
    Detector(
        "phone",
        # Written internationally; China's mobile numbers; China's landlines.
        r"(?<![A-Za-z0-9_+])\+[1-9](?:[ .()-]{0,2}[0-9]){7,14}(?![A-Za-z0-9_])(?!\.[0-9])"
        rf"|{_BEFORE}(?:0086[ -]?|86[ -])?1(?:3[0-9]|4[014-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])"
        rf"(?:[0-9]{{8}}|[ -][0-9]{{4}}[ -][0-9]{{4}}){_AFTER}"
        rf"|{_BEFORE}\(?0(?:10|2[0-9]|[3-9][0-9]{{2}})(?:\)[ -]?|[ -])[2-8][0-9]{{2,3}}[ -]?[0-9]{{4}}(?![A-Za-z0-9_])"
        rf"|{_BEFORE}0(?:10|2[0-9])[2-8][0-9]{{7}}{_AFTER}",
        check=lambda found: not found.startswith("+") or _is_international(found),
        shape=_phone,
        same=_subscriber,
        gate=_has_number,
    ),
    Detector(
        "ip",
        r"(?<![A-Za-z0-9_.-])(?<![A-Za-z0-9]/)(?<![Vv]ersion )(?<!版本 )(?<!版本)(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
        r"(?![A-Za-z0-9_])(?!-[A-Za-z])(?!\.[0-9])",
        check=_is_ip,
        shape=_ip,
        gate=_has_address,
    ),
    Detector(
        "ipv6",
        r"(?<![A-Za-z0-9_:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:(?:\.[0-9]{1,3}){3})?(?![A-Za-z0-9_:])",
        check=_is_ipv6,
        shape=_ip,
        gate=_V6.search,
    ),
)
