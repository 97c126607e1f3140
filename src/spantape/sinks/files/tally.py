"""What statistics are made of: whole numbers, so that any two parts add up to what counting both at once gives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeAlias

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

_STEP = math.log(1.05)
_LEAST_MS = 0.001


def facts(record: Record) -> Iterator[Fact]:
    """Give what one call adds."""
    model = key(record.get("provider"), record.get("model"))
    user, outcome = record.get("user_id"), status(record)
    yield "calls", key(model, outcome), 1
    if record.get("session_id") not in {None, ""}:
        yield "sessions", str(record["session_id"]), 1
    if user is not None:
        yield "user_calls", key(user, outcome), 1
    yield from _usage(record.get("usage"), model, user)
    yield from _cost(record.get("cost"), model, user)
    took = _finite(latency_ms(record))
    if took is not None:
        yield "latency", key(model, bucket(took)), 1
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


def key(*parts: object) -> str:
    """Give one name for several."""
    return BETWEEN.join("" if part is None else str(part).replace(BETWEEN, " ") for part in parts)


def _usage(usage: Json, model: str, user: Json) -> Iterator[Fact]:
    if isinstance(usage, dict):
        for name in TOKENS:
            number = _finite(usage.get(name))
            if number is not None:
                yield name, model, round(number)
        total = _finite(usage.get("total_tokens"))
        if total is not None and user is not None:
            yield "user_tokens", key(user), round(total)


def _cost(cost: Json, model: str, user: Json) -> Iterator[Fact]:
    total = _finite(cost.get("total")) if isinstance(cost, dict) else None
    if total is not None:
        units, currency = round(total * COST_UNITS), cost.get("currency")
        yield "cost", key(model, currency), units
        if user is not None:
            yield "user_cost", key(user, currency), units


def _finite(value: Json) -> float | None:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if usable else None
