"""Detectors of personal data: who somebody is, and how to reach them."""

from __future__ import annotations

from contextlib import suppress

from .detector import Detector, glance
from .numbers import NUMBERS

_AT = rb"@[A-Za-z0-9-]{1,63}\.[A-Za-z0-9]"
_AT_ENCODED = rb"%40[A-Za-z0-9-]{1,63}\.[A-Za-z0-9]"
_V4 = rb"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"
_HEX = rb"[0-9A-Fa-f]"
_BEFORE = rb"(?<=[0-9A-Fa-f]{4}::)|(?<=:[0-9A-Fa-f]::)|(?<=:[0-9A-Fa-f]{2}::)|(?<=:[0-9A-Fa-f]{3}::)"
_V6 = rb":(?::(?:%b{1,4}:|[0-9]{1,3}\.|%b)|%b%b{0,3}:%b)" % (_HEX, _BEFORE, _HEX, _HEX, 5 * (_HEX + b"{1,4}:"))
"""Of an address with ::, what is beside it: `a::b` is code more often; of one without, seven colons."""

_FILES = frozenset(
    ("png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "js", "mjs", "ts", "css", "tgz", "gz", "zip", "py", "html")
)
_NO_HOSTS = frozenset({"255.255.255.255", "255.255.255.0", "255.255.0.0", "255.0.0.0"})


def _has_email(data: bytes) -> object:
    return (b"@" in data and glance(_AT).search(data)) or (b"%" in data and glance(_AT_ENCODED).search(data))


def _has_ip(data: bytes) -> object:
    return b"." in data and glance(_V4).search(data)


def _has_ipv6(data: bytes) -> object:
    return b":" in data and glance(_V6).search(data)


def _is_address(found: str) -> bool:
    local, _, domain = found.replace("%40", "@").rpartition("@")
    return local != "git" and domain.rpartition(".")[2].lower() not in _FILES


def _address(found: str) -> str:
    local, at, domain = found.replace("%40", "@").rpartition("@")
    return f"{local[:1]}***{at}{domain}"


def _is_ip(found: str) -> bool:
    """Take addresses that tell of somebody: not those of the machine itself, nor what only looks like one."""
    import ipaddress

    with suppress(ValueError):
        address = ipaddress.ip_address(found)
        return not (address.is_loopback or address.is_unspecified or address.is_multicast) and found not in _NO_HOSTS
    return False


def _is_ipv6(found: str) -> bool:
    """Take no `a::b`, which is code more often."""
    groups = [group for group in found.split(":") if group]
    is_long = len(groups) > 2 or len(found.partition(":")[0]) == 4 or "." in found
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
        gate=_has_email,
    ),
    *NUMBERS,
    Detector(
        "ipv6",
        r"(?<![A-Za-z0-9_:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:(?:\.[0-9]{1,3}){3})?(?![A-Za-z0-9_:*])",
        check=_is_ipv6,
        shape=_ip,
        gate=_has_ipv6,
    ),
    Detector(
        "ip",
        r"[0-9](?<![A-Za-z0-9_.][0-9])(?<![A-Za-z]-[0-9])(?<![A-Za-z0-9]/[0-9])(?<![Vv]ersion [0-9])(?<!版本 [0-9])"
        r"(?<!版本[0-9])[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![A-Za-z0-9_])(?!-[A-Za-z])(?!\.[0-9])",
        check=_is_ip,
        shape=_ip,
        gate=_has_ip,
    ),
)
