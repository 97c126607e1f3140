"""What statistics are made of: whole numbers, so that any two parts add up to what counting both at once gives.

What was recorded at a rate below 1 is counted by itself, as `calls@0.1`: it is scaled when it is told, not before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from ... import sampling
from ...filter import latency_ms, status
from ...jsontext import Json
from .arrays import Record

Counts: TypeAlias = dict[str, dict[str, int]]
"""By what is counted (`calls`), then for whom (`openai␟gpt-4.1␟success`)."""
Fact: TypeAlias = tuple[str, str, int]

BETWEEN = "\x1f"
TOKENS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "reasoning_output_tokens",
)
COST_UNITS = 10**12
AT_RATE = "@"

_UNSCALED = {"sessions"}  # which of them had been recorded, had they had no call that failed, can't be told
_STEP = math.log(1.05)
_LEAST_MS = 0.001


def facts(record: Record) -> Iterator[Fact]:
    """Give what one record adds."""
    rate = sampling.rate(record)
    for kind, name, number in _facts(record):
        yield (f"{kind}{AT_RATE}{rate}" if rate < 1 and kind not in _UNSCALED else kind), name, number


def _facts(record: Record) -> Iterator[Fact]:
    model = f"{_name(record, 'provider')}{BETWEEN}{_name(record, 'model')}"
    user, outcome = _name(record, "user_id"), status(record)
    yield "calls", f"{model}{BETWEEN}{outcome}", 1
    if record.get("session_id") not in {None, ""}:
        yield "sessions", str(record["session_id"]), 1
    if user:
        yield "user_calls", f"{user}{BETWEEN}{outcome}", 1
    yield from _usage(record.get("usage"), model, user)
    yield from _cost(record.get("cost"), model, user)
    took = _finite(latency_ms(record))
    if took is not None:
        yield "latency", f"{model}{BETWEEN}{bucket(took)}", 1
        yield "microseconds", model, round(took * 1000)


def add(counts: Counts, found: Iterable[Fact], sign: int = 1) -> None:
    """Add facts to counts, or with -1 take them back."""
    for kind, name, number in found:
        kinds = counts.setdefault(kind, {})
        kinds[name] = kinds.get(name, 0) + sign * number
        if sign < 0 and not kinds[name]:
            del kinds[name]


def merge(counts: Counts, more: Counts) -> None:
    """Add counts to counts."""
    for kind, numbers in more.items():
        kinds = counts.setdefault(kind, {})
        for name, number in numbers.items():
            kinds[name] = kinds.get(name, 0) + number


def bucket(milliseconds: float) -> int:
    """Give the step of a scale on which each is 5 % more than the one before."""
    return math.floor(math.log(max(milliseconds, _LEAST_MS)) / _STEP)


def middle(step: int) -> float:
    """Give the milliseconds in the middle of a step: no more than 2.5 % from any in it."""
    return math.exp((step + 0.5) * _STEP)


def _usage(usage: Json, model: str, user: str) -> Iterator[Fact]:
    if isinstance(usage, dict):
        for name in TOKENS:
            number = _finite(usage.get(name))
            if number is not None:
                yield name, model, round(number)
        total = _finite(usage.get("total_tokens"))
        if total is not None and user:
            yield "user_tokens", user, round(total)


def _cost(cost: Json, model: str, user: str) -> Iterator[Fact]:
    total = _finite(cost.get("total")) if isinstance(cost, dict) else None
    if total is not None:
        units, currency = round(total * COST_UNITS), _name(cost, "currency")
        yield "cost", f"{model}{BETWEEN}{currency}", units
        if user:
            yield "user_cost", f"{user}{BETWEEN}{currency}", units


def _finite(value: Json) -> float | None:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if usable else None


def _name(record: Record, key: str) -> str:
    value = record.get(key)
    return "" if value is None else str(value).replace(BETWEEN, " ")
