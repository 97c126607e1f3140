"""The columns of a price table: what each accepts, and what it is read as."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, NamedTuple

from ..places import USAGE
from .rates import KINDS

_ALIASES = {"model_name": "model", "vendor_name": "provider"}
_DAY = timedelta(days=1).total_seconds()


class Column(NamedTuple):
    """How a value is read: `parse` gives it or raises; `accepts` says in words what it takes."""

    accepts: str
    parse: Callable[[Any], Any]


def values(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Read the values of a row; a column without a value is left out.

    Raises:
        ValueError: A column is unknown or has a value that can't be used.
    """
    named = {_ALIASES.get(str(key), str(key)): value for key, value in given.items() if value is not None}
    for name in (name for name in named if name not in COLUMNS):
        close = get_close_matches(name, COLUMNS, 1)
        raise ValueError(f"there is no column {name}" + (f"; do you mean {close[0]}?" if close else ""))
    return {name: _value(name, value) for name, value in named.items()}


def _value(name: str, value: object) -> Any:
    try:
        return COLUMNS[name].parse(value)
    except (ValueError, TypeError, ArithmeticError):
        raise ValueError(f"{name} is {value!r}: give {COLUMNS[name].accepts}") from None


def _must(condition: bool) -> None:
    if not condition:
        raise ValueError


def _text(value: Any) -> str:
    _must(isinstance(value, str) and bool(value.strip()))
    return str(value).strip()


def _name(value: Any) -> str:
    return _text(value).lower()


def _currency(value: Any) -> str:
    code = _text(value).upper()
    _must(re.fullmatch("[A-Z]{3}", code) is not None)
    return code


def _amount(value: Any) -> Decimal:
    _must(isinstance(value, (int, float, str, Decimal)) and not isinstance(value, bool))
    amount = Decimal(str(value).strip())  # what was written: of a float, its shortest form
    _must(amount.is_finite() and amount >= 0)
    return amount


def _count(value: Any) -> int:
    _must(isinstance(value, int) and not isinstance(value, bool) and value >= 0)
    return int(value)


def _switch(value: Any) -> bool:
    _must(isinstance(value, bool))
    return bool(value)


def _moment(value: Any) -> datetime:
    """Read a moment; without an offset it is one of UTC, a date is its first second."""
    if isinstance(value, str):
        text = value.strip().replace("Z", "+00:00")
        value = date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    moment = value if isinstance(value, datetime) else datetime.combine(value, time.min)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _end(value: Any) -> float:
    """Read a moment, in epoch seconds; a date is its last one."""
    is_date = len(value.strip()) == 10 if isinstance(value, str) else not isinstance(value, datetime)
    return _moment(value).timestamp() + (_DAY if is_date else 0)


_NAME, _TEXT = Column("a name", _name), Column("a text", _text)
_WHEN = "a date (2026-01-31) or a moment (2026-01-31T16:00:00+08:00)"
_COUNT = Column("a whole number of at least 0", _count)
_AMOUNT = Column("a number of at least 0", _amount)
PRICES = {
    f"{name.removesuffix('_tokens')}_price_per_{unit}": (key, shift)
    for name, key in USAGE.items()
    if key in KINDS
    for unit, shift in (("1k", -3), ("1m", -6))
}
"""Columns of prices, named as the tokens are in the record's `usage`: whose price it is, and of how many (10⁻ˣ)."""
COLUMNS = {
    "model": _NAME,
    "provider": _NAME,
    "server": _NAME,
    "tier": _NAME,
    "currency": Column("a code of three letters, such as USD, CNY or EUR", _currency),
    "valid_from": Column(_WHEN, _moment),
    "valid_to": Column(_WHEN, _end),
    "above_input_tokens": _COUNT,
    "up_to_input_tokens": _COUNT,
    "above_output_tokens": _COUNT,
    "up_to_output_tokens": _COUNT,
    "thinking": Column("true or false", _switch),
    **dict.fromkeys(PRICES, _AMOUNT),
    "price_per_request": _AMOUNT,
    "source": _TEXT,
    "source_date": Column(_WHEN, _moment),
    "note": _TEXT,
}
