"""What statistics are made of: whole numbers, so that any two parts add up to what counting both at once gives.

What was recorded at a rate below 1 is counted by itself, as `calls@0.1`: it is scaled when it is told, not before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
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
_MOST_COST = 1e6  # of one call: more is a mistake, and would not fit


def facts(record: Record) -> Iterator[Fact]:
    """Give what one record adds."""
    rate = sampling.rate(record)
    return _facts(record) if rate >= 1 else _at_rate(rate, _facts(record))


def _at_rate(rate: float, found: Iterable[Fact]) -> Iterator[Fact]:
    for kind, name, number in found:
        yield kind if kind in _UNSCALED else f"{kind}{AT_RATE}{rate}", name, number


def _facts(record: Record) -> Iterator[Fact]:
    model = _model(_name(record.get("provider")), _name(record.get("model")))
    user, outcome = _name(record.get("user_id")), status(record)
    yield "calls", f"{model}{BETWEEN}{outcome}", 1
    if session := _name(record.get("session_id")):
        yield "sessions", session, 1
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
        kinds = counts.get(kind) or counts.setdefault(kind, {})
        kinds[name] = kinds.get(name, 0) + sign * number
        if not kinds[name]:
            del kinds[name]
        if not kinds:
            del counts[kind]


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
                if user and name == "total_tokens":
                    yield "user_tokens", user, round(number)


def _cost(cost: Json, model: str, user: str) -> Iterator[Fact]:
    total = _finite(cost.get("total")) if isinstance(cost, dict) else None
    if total is not None and abs(total) < _MOST_COST:
        units, currency = round(total * COST_UNITS), _name(cost.get("currency"))
        yield "cost", f"{model}{BETWEEN}{currency}", units
        if user:
            yield "user_cost", f"{user}{BETWEEN}{currency}", units


def _finite(value: Json) -> float | None:
    kind = type(value)  # JSON has no others, and this is asked ten times a record
    return value if kind is int or (kind is float and math.isfinite(value)) else None


@lru_cache(maxsize=256)
def _model(provider: str, model: str) -> str:
    return f"{provider}{BETWEEN}{model}"


def _name(value: Json) -> str:
    if type(value) is not str:
        return "" if value is None else _name(str(value))
    return value.replace(BETWEEN, " ") if BETWEEN in value else value
