"""Calls in groups: how many, how many failed, tokens, cost, latency; for each model, user, day, …

Where a part of the calls was recorded, the figures are those of all that it stands for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .. import moments, sampling
from ..filter import Record, began, latency_ms, status
from ..sinks.files.tally import bucket, middle
from . import _format as form
from ._columns import Column, dig, figure, named, number
from ._trend import TREND, Trend, compared

_NOBODY = "–"
_PARTS = (50, 95, 99)
CLOCKS = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
_PATHS = {
    "model": "model",
    "provider": "provider",
    "user": "user_id",
    "session": "session_id",
    "agent": "agent_key",
    "operation": "operation",
}
KEYS = (*_PATHS, "status", *CLOCKS)


@dataclass
class Group:
    """What the calls of one group come to; latencies in steps of 5 %, so that a group takes little room."""

    recorded: int = 0
    calls: float = 0
    failed: float = 0
    sent: float = 0
    received: float = 0
    unpriced: float = 0
    costs: defaultdict[str, float] = field(default_factory=partial(defaultdict, float))
    steps: defaultdict[int, float] = field(default_factory=partial(defaultdict, float))
    trends: defaultdict[str, Trend] = field(default_factory=partial(defaultdict, Trend))
    """Over time: calls, and the cost in each currency."""

    def add(self, record: Record) -> None:
        """Count a record, as many times as it stands for a call."""
        times = 1 / sampling.rate(record)
        self.recorded += 1
        self._count("calls", times, record)
        self.calls += times
        self.failed += times * (status(record) not in {"success", "running"})
        self.sent += times * (figure(record, "usage.input_tokens") or 0)
        self.received += times * (figure(record, "usage.output_tokens") or 0)
        cost, currency = figure(record, "cost.total"), str(dig(record, "cost.currency"))
        if cost is not None:
            self.costs[currency] += times * cost
            self._count(currency, times * cost, record)
        elif record.get("usage"):
            self.unpriced += times
        took = latency_ms(record)
        if took is not None:
            self.steps[bucket(took)] += times

    def _count(self, what: str, number: float, record: Record) -> None:
        moment = began(record)
        if moment is not None:
            self.trends[what].add(moment, number)

    def latency(self, part: float) -> float | None:
        """Give the latency in ms that `part` of the calls did not exceed; None when none is known."""
        left = part * sum(self.steps.values())
        for step in sorted(self.steps):
            left -= self.steps[step]
            if left <= 0:
                return round(middle(step), 1)
        return None

    def told(self, name: str, key: str) -> dict[str, Any]:
        """Give the figures as a record."""
        return {
            key: name,
            "calls": round(self.calls),
            "recorded": self.recorded,
            "failed": round(self.failed),
            "input_tokens": round(self.sent),
            "output_tokens": round(self.received),
            "cost": dict(self.costs),
            "unpriced": round(self.unpriced),
            **{f"p{part}_ms": self.latency(part / 100) for part in _PARTS},
        }


def grouped(records: Iterable[Record], key: str) -> dict[str, Group]:
    """Put calls in groups, those of a time in its order, the others by their number."""
    of = _key(key)
    groups: dict[str, Group] = {}
    for record in records:
        groups.setdefault(of(record), Group()).add(record)
    ordered = sorted(groups.items()) if key in CLOCKS else sorted(groups.items(), key=lambda item: -item[1].calls)
    return dict(ordered)


def told(groups: Mapping[str, Group], key: str, what: Callable[[Group], str]) -> list[dict[str, Any]]:
    """Give groups as records, with the trend of `calls` or of the cost in a currency."""
    trends = compared(group.trends[what(group)] for group in groups.values())
    every = zip(groups.items(), trends, strict=True)
    return [group.told(name, key) | {"trend": trend} for (name, group), trend in every]


def counted(found: Iterable[Mapping[str, Any]]) -> str:
    """Give the columns that say how many calls there were: two, where a part of them was recorded."""
    return "calls,recorded" if any(each["recorded"] != each["calls"] for each in found) else "calls"


def drawn(key: str) -> str:
    """Give the columns with pictures: rows that are times are a trend themselves."""
    return "bar" if key in CLOCKS else "trend,bar"


def amounts(found: Iterable[Mapping[str, Any]]) -> str:
    """Give the columns that have what was spent, as numbers: one for each currency."""
    return ",".join(dict.fromkeys(f"cost.{currency}" for each in found for currency in each["cost"])) or "cost"


def money(costs: Mapping[str, float]) -> str:
    """Give amounts of several currencies."""
    return " + ".join(form.money(amount, currency) for currency, amount in costs.items()) or _NOBODY


def figures(key: str, most: Callable[[Record], tuple[float, float]]) -> dict[str, Column]:
    """Give the columns of groups; `most` gives what a group's bar shows, and the most of any."""
    return {
        key: named(key),
        "calls": number("calls", form.count),
        "recorded": number("recorded", form.count),
        "failed": number("failed", lambda count: str(count or "")),
        "input_tokens": number("input_tokens", form.count),
        "output_tokens": number("output_tokens", form.count),
        "cost": number("cost", money),
        "unpriced": number("unpriced", lambda count: str(count or "")),
        **{f"p{part}_ms": number(f"p{part}_ms", form.duration) for part in _PARTS},
        "trend": TREND,
        "bar": Column(lambda record: most(record)[0], lambda record: form.bar(*most(record))),
    }


def _key(key: str) -> Callable[[Record], str]:
    if key in CLOCKS:
        return lambda record: _time(record, CLOCKS[key])
    if key == "status":
        return status
    path = _PATHS[key]
    return lambda record: form.line(record.get(path)) or _NOBODY


def _time(record: Record, clock: str) -> str:
    moment = moments.read(record.get("timestamp"))
    return _NOBODY if moment is None else moment.astimezone().strftime(clock)
