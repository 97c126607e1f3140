"""Errors by their kind: what many failed calls have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..filter import Record, began
from . import _format as form
from ._columns import Column, dig, named, number, plain
from ._trend import TREND, Trend

# What differs between two errors of one kind: ids, addresses, numbers.
_VARIES = re.compile(r"0x[0-9a-f]+|\b(?=[\w-]*\d)[\w-]{12,}\b|\d+(?:\.\d+)?")
_LONGEST = 160
_MOST_KINDS = 1000


@dataclass
class Kind:
    """Failed calls of one kind, the newest of them as the sample."""

    sample: Record
    good: Record | None = None
    """The nearest call of the same model before the sample that went well."""
    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    trend: Trend = field(default_factory=Trend)
    models: dict[str, None] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Count a call."""
        self.count += 1
        self.models[str(record.get("model"))] = None
        moment = began(record)
        if moment is not None:
            self.first, self.last = min(self.first or moment, moment), max(self.last or moment, moment)
            self.trend.add(moment)

    def compares_to(self, good: Record) -> bool:
        """Say whether a call that went well is one of the same model before the sample."""
        failed, ended = began(self.sample), began(good)
        return good.get("model") == self.sample.get("model") and bool(failed and ended and ended < failed)

    def told(self, trend: list[float]) -> dict[str, Any]:
        """Give the kind as a record."""
        return {
            "count": self.count,
            "trend": trend,
            "first": self.first and self.first.isoformat(),
            "last": self.last and self.last.isoformat(),
            "sample": self.sample.get("id"),
            "good": self.good and self.good.get("id"),
            "models": ", ".join(self.models),
            "error": name(self.sample),
        }


COLUMNS: dict[str, Column] = {
    "count": number("count", form.count),
    "trend": TREND,
    "first": plain("first")._replace(shown=lambda record: form.clock(record.get("first"), day=True)),
    "last": plain("last")._replace(shown=lambda record: form.clock(record.get("last"), day=True)),
    "sample": plain("sample")._replace(shown=lambda record: str(record.get("sample"))[:8]),
    "good": plain("good")._replace(shown=lambda record: str(record.get("good") or "–")[:8]),
    "models": named("models"),
    "error": plain("error")._replace(flexible=True),
}


def kinds(records: Iterable[Record]) -> list[Kind]:
    """Put failed calls, the newest first, in kinds, the one with the most first."""
    found: dict[str, Kind] = {}
    for record in records:
        label = name(record)
        if label in found or len(found) < _MOST_KINDS:
            found.setdefault(label, Kind(record)).add(record)
    return sorted(found.values(), key=lambda kind: -kind.count)


def find_good(found: Iterable[Kind], calls: Iterable[Record]) -> None:
    """Look for each kind's nearest good call among those that went well, the newest first, no longer than needed."""
    sought = [kind for kind in found if kind.sample.get("model")]
    for call in calls if sought else ():
        for kind in [kind for kind in sought if kind.compares_to(call)]:
            kind.good = call
            sought.remove(kind)
        if not sought:
            break


def name(record: Record) -> str:
    """Give what errors of one kind have in common."""
    error = [dig(record, f"error.{key}") for key in ("type", "status_code", "code")]
    message = _VARIES.sub("…", form.line(record.get("error_message") or ""))[:_LONGEST]
    return " ".join(str(each) for each in [*error, message] if each)
