"""Moments as people write them: `2h` ago, `today`, `2026-11-21`, ISO 8601; and as records have them, in local time."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import date as Date  # noqa: N812 - one `Date` everywhere
from datetime import datetime, time, timedelta, timezone
from functools import lru_cache

from .errors import QueryError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_FRACTION = re.compile(r"\.\d+")
_DAYS = {"today": 0, "yesterday": 1}
_ACCEPTED = "give a time like 15m, 2h, 7d, today, yesterday, 2026-11-21 or 2026-11-21T12:00"


def beginning(text: str, now: datetime | None = None) -> datetime:
    """Give the moment that is meant by `text` as the beginning of something: a day means its first moment."""
    return _moment(text, now or datetime.now().astimezone(), days=0)


def end(text: str, now: datetime | None = None) -> datetime:
    """Give the moment that is meant by `text` as the end of something: a day means the first moment of the next."""
    return _moment(text, now or datetime.now().astimezone(), days=1)


def seconds(text: str) -> float:
    """Give how long `text` is: `1.5`, `5s`, `200ms`, `2m`."""
    with suppress(ValueError, OverflowError):
        if text.strip().endswith("ms"):
            return _finite(text.strip()[:-2]) / 1000
        found = _AGO.fullmatch(text.strip())
        return _length(found).total_seconds() if found else _finite(text)
    raise QueryError(f"{text!r} is no length of time: give seconds, or one like 200ms, 5s, 2m")


def _finite(text: str) -> float:
    if math.isfinite(number := float(text)):
        return number
    raise ValueError


def read(text: object) -> datetime | None:
    """Read ISO 8601, also as Python 3.10 can't: with `Z`, or with any number of digits; None when it is none."""
    if not isinstance(text, str):
        return None
    with suppress(ValueError, OverflowError, OSError):
        return aware(datetime.fromisoformat(text))
    with suppress(ValueError, OverflowError, OSError):
        plain = _FRACTION.sub(lambda found: f"{found[0]:0<7.7}", text.replace("Z", "+00:00").replace("z", "+00:00"))
        return aware(datetime.fromisoformat(plain))
    return None


def aware(moment: datetime) -> datetime:
    """Take a time without an offset for a local one."""
    return moment.astimezone() if moment.tzinfo is None else moment


def local(nanoseconds: int | None) -> str:
    """Give a time of a span, in nanoseconds since 1970, as records have it."""
    minute, rest = divmod((nanoseconds or 0) // 1000, 60_000_000)
    start, offset = _minute(minute)
    return f"{start}{rest / 1_000_000:09.6f}{offset}"


@lru_cache(maxsize=64)
def _minute(number: int) -> tuple[str, str]:
    """Give what all moments of a minute begin and end with: offsets change between minutes only."""
    found = datetime.fromtimestamp(number * 60, timezone.utc).astimezone().isoformat()
    return found[: len("2026-11-21T12:00:")], found[len("2026-11-21T12:00:00") :]


def _moment(text: str, now: datetime, days: int) -> datetime:
    wanted = text.strip()
    with suppress(OverflowError, ValueError, OSError):
        if ago := _AGO.fullmatch(wanted):
            return now - _length(ago)
        if wanted in _DAYS:
            return _midnight(now.date() + timedelta(days=days - _DAYS[wanted]))
        if _DAY.fullmatch(wanted):
            return _midnight(Date.fromisoformat(wanted) + timedelta(days=days))
        if found := read(wanted):
            return found
    raise QueryError(f"{text!r} is no time that can be understood: {_ACCEPTED}")


def _midnight(day: Date) -> datetime:
    return datetime.combine(day, time()).astimezone()


def _length(found: re.Match[str]) -> timedelta:
    return timedelta(**{_UNITS[found[2]]: float(found[1])})
