"""Errors by their kind: what many failed calls have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .. import moments
from ..filter import Record
from . import _format as form
from ._columns import Column, dig, number, plain

# What differs between two errors of one kind: ids, addresses, numbers.
_VARIES = re.compile(r"0x[0-9a-f]+|\b(?=[\w-]*\d)[\w-]{12,}\b|\d+(?:\.\d+)?")
_LONGEST = 160
_MOST_KINDS = 1000
_BARS = 8


@dataclass
class Kind:
    """Failed calls of one kind, the newest of them as the sample."""

    sample: Record
    count: int = 0
    moments: list[datetime] = field(default_factory=list)
    models: dict[str, None] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Count a call."""
        self.count += 1
        self.models[str(record.get("model"))] = None
        moment = moments.read(record.get("timestamp"))
        if moment is not None:
            self.moments.append(moment)

    def told(self, good: Record | None) -> dict[str, Any]:
        """Give the kind as a record; `good` is the nearest call that went well."""
        return {
            "count": self.count,
            "trend": trend(self.moments),
            "first": min(self.moments).isoformat() if self.moments else None,
            "last": max(self.moments).isoformat() if self.moments else None,
            "sample": self.sample.get("id"),
            "good": None if good is None else good.get("id"),
            "models": ", ".join(self.models),
            "error": name(self.sample),
        }


COLUMNS: dict[str, Column] = {
    "count": number("count", form.count),
    "trend": plain("trend")._replace(shown=lambda record: str(record["trend"])),
    "first": plain("first")._replace(shown=lambda record: form.clock(record.get("first"), day=True)),
    "last": plain("last")._replace(shown=lambda record: form.clock(record.get("last"), day=True)),
    "sample": plain("sample")._replace(shown=lambda record: str(record.get("sample"))[:8]),
    "good": plain("good")._replace(shown=lambda record: str(record.get("good") or "–")[:8]),
    "models": plain("models"),
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


def name(record: Record) -> str:
    """Give what errors of one kind have in common."""
    error = [dig(record, f"error.{key}") for key in ("type", "status_code", "code")]
    message = _VARIES.sub("…", form.line(record.get("error_message") or ""))[:_LONGEST]
    return " ".join(str(each) for each in [*error, message] if each)


def trend(moments: list[datetime]) -> str:
    """Give how many there were over time, from the first to the last."""
    if not moments:
        return ""
    first, span = min(moments), (max(moments) - min(moments)).total_seconds()
    counts = [0] * _BARS
    for moment in moments:
        place = (moment - first).total_seconds() / span * (_BARS - 1) if span else _BARS - 1
        counts[round(place)] += 1
    return form.spark(counts)
