"""What `get_statistics()` gives: counts of calls, tokens, money and time, made readable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import TypeAlias

from ...jsontext import Json
from . import tally
from .tally import AT_RATE, BETWEEN, COST_UNITS, TOKENS, Counts

Amounts: TypeAlias = Mapping[str, Mapping[str, float]]
"""Counts, scaled to all the calls that those recorded stand for."""

_PERCENTILES = (50, 90, 95, 99)
_UNKNOWN = "unknown"
_DAILY = ("calls", "cost", *TOKENS)
_OF_MODELS = ("calls", "cost", "latency", "microseconds", *TOKENS)
_OF_USERS = {"user_calls": "calls", "user_tokens": "total_tokens", "user_cost": "cost"}


def report(days: Iterable[tuple[str, Counts]]) -> dict[str, Json]:
    """Give the statistics of some days; where a part of the calls was recorded, as many as that stands for."""
    counted: Counts = {}
    by_date = {}
    for date, counts in days:
        tally.merge(counted, counts)
        by_date[date] = _figures(_only(_DAILY, _scaled(counts)))
    whole = _scaled(counted)
    figures = _figures(whole)
    return {
        "total_interactions": figures["calls"],
        "successful_interactions": round(_sums(whole, "calls", -1).get("success", 0)),
        "failed_interactions": figures["failed"],
        "total_sessions": len(whole.get("sessions", ())),
        "by_status": {status: round(calls) for status, calls in _sums(whole, "calls", -1).items()},
        **_sampled(counted),
        **{name: value for name, value in figures.items() if name not in {"calls", "failed"}},
        "by_model": _by(_only(_OF_MODELS, whole), 1),
        "by_provider": _by(_only(_OF_MODELS, whole), 0),
        "by_user": _by({name: whole.get(kind, {}) for kind, name in _OF_USERS.items()}, 0),
        "by_date": by_date,
    }


def _scaled(counts: Counts) -> Amounts:
    found: dict[str, dict[str, float]] = {}
    for kind, numbers in counts.items():
        of, _, rate = kind.partition(AT_RATE)
        amounts = found.setdefault(of, {})
        for name, number in numbers.items():
            amounts[name] = amounts.get(name, 0) + (number / float(rate) if rate else number)
    return found


def _sampled(counts: Counts) -> dict[str, Json]:
    """Say so where numbers are scaled, and what they are scaled from."""
    recorded = {kind: sum(numbers.values()) for kind, numbers in counts.items() if kind.split(AT_RATE)[0] == "calls"}
    rates = sorted(float(kind.partition(AT_RATE)[2]) for kind in recorded if AT_RATE in kind)
    return {"sampled": {"recorded_interactions": sum(recorded.values()), "rates": rates}} if rates else {}


def _only(kinds: Iterable[str], counts: Amounts) -> Amounts:
    return {kind: counts[kind] for kind in kinds if kind in counts}


def _by(counts: Amounts, place: int) -> dict[str, Json]:
    """Give the figures of each model (1), provider (0) or user (0), the one with the most calls first."""
    parts: dict[str, dict[str, dict[str, float]]] = {}
    for kind, numbers in counts.items():
        for name, number in numbers.items():
            of = name.split(BETWEEN)[place] or _UNKNOWN
            parts.setdefault(of, {}).setdefault(kind, {})[name] = number
    found = {of: _figures(part) for of, part in parts.items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1]["calls"], item[0])))


def _figures(counts: Amounts) -> dict[str, Json]:
    calls = _sums(counts, "calls", -1)
    figures = {
        "calls": round(sum(calls.values())),
        "failed": round(sum(calls.values()) - calls.get("success", 0) - calls.get("running", 0)),
        "usage": {name: round(sum(counts[name].values())) for name in TOKENS if counts.get(name)},
        "cost": {currency: units / COST_UNITS for currency, units in _sums(counts, "cost", -1).items()},
        "latency_ms": _latency(counts),
    }
    return {name: value for name, value in figures.items() if value != {}}


def _latency(counts: Amounts) -> dict[str, float]:
    """Give the mean, and percentiles to 2.5 %."""
    steps = sorted((int(step), number) for step, number in _sums(counts, "latency", -1).items())
    total = sum(number for _, number in steps)
    if not total:
        return {}
    mean = sum(counts.get("microseconds", {}).values()) / total / 1000
    return {"mean": round(mean, 3), **{f"p{rank}": _at(steps, total * rank / 100) for rank in _PERCENTILES}}


def _at(steps: list[tuple[int, float]], rank: float) -> float:
    below = accumulate(number for _, number in steps)
    step = next(step for (step, _), sum_ in zip(steps, below, strict=True) if sum_ >= rank)
    return round(tally.middle(step), 3)


def _sums(counts: Amounts, kind: str, place: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, number in counts.get(kind, {}).items():
        part = name.split(BETWEEN)[place] or _UNKNOWN
        found[part] = found.get(part, 0) + number
    return found
