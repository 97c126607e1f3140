"""How many there were over time: counted in bounded memory, without knowing the time before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from . import _format as form
from ._columns import Column

_MOST, _PARTS = 512, 8


class Trend:
    """Numbers over time, by the second; by two, four, eight seconds, … where that would be too many."""

    def __init__(self) -> None:
        self._width = 1.0
        self._counts: defaultdict[int, float] = defaultdict(float)

    def add(self, moment: datetime, number: float = 1) -> None:
        """Count something."""
        self._counts[int(moment.timestamp() // self._width)] += number
        while len(self._counts) > _MOST:
            self._width *= 2
            finer, self._counts = self._counts, defaultdict(float)
            for place, counted in finer.items():
                self._counts[place // 2] += counted

    def span(self) -> tuple[float, float] | None:
        """Give from when to when; None where there is nothing."""
        places = self._counts
        return (min(places) * self._width, max(places) * self._width) if places else None

    def parts(self, first: float, last: float) -> list[float]:
        """Give how many there were in each part of a time."""
        counts = [0.0] * _PARTS
        for place, counted in self._counts.items():
            share = (place * self._width - first) / (last - first) if last > first else 1
            counts[min(_PARTS - 1, max(0, round(share * (_PARTS - 1))))] += counted
        return [round(counted, 6) for counted in counts]


TREND = Column(lambda record: record["trend"], lambda record: form.spark(record["trend"]))


def compared(trends: Iterable[Trend]) -> list[list[float]]:
    """Give the parts of several, over the time of all, so that they can be compared."""
    every = list(trends)
    spans = [span for trend in every if (span := trend.span())]
    first, last = min((one for one, _ in spans), default=0), max((one for _, one in spans), default=0)
    return [trend.parts(first, last) for trend in every]
