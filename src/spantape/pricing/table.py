"""`Table`: rows of prices, found by model, provider, server, tier and time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .asked import Asked
from .rates import Rates
from .rows import Row


class Table:
    """A price list. A row is closed by the next one of the same model, provider, server and tier."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._exact: dict[str, list[Row]] = defaultdict(list)
        self._prefixes: dict[str, list[Row]] = defaultdict(list)
        self.rows: Sequence[Row] = _closed(rows)
        for row in self.rows:
            homes = self._prefixes if row.model.endswith("*") else self._exact
            homes[row.model.rstrip("*")].append(row)

    def lists(self, asked: Asked) -> bool:
        """Say whether the table has a price of the model there, whenever and in whatever tier it holds."""
        return any(_fits(row, asked) for row in self._of(asked.model))

    def find(self, asked: Asked) -> tuple[Rates, ...]:
        """Give the prices that hold: those of the row that says most exactly whose they are."""
        rows = [row for row in self._of(asked.model) if _fits(row, asked) and _holds(row, asked)]
        best = max(rows, key=_exactness).entry if rows else None
        return tuple(row.rates for row in rows if row.entry == best)

    def _of(self, name: str) -> Sequence[Row]:
        model = name.lower()
        starting = [row for start, rows in self._prefixes.items() if model.startswith(start) for row in rows]
        return [*self._exact.get(model, ()), *starting]


def _closed(rows: Iterable[Row]) -> list[Row]:
    """Let each price end where the next one of the same thing begins."""
    rows = list(rows)
    starts: dict[object, list[float]] = defaultdict(list)
    for row in rows:
        starts[row.entry].append(row.start)
    return [
        replace(row, end=min([row.end, *(start for start in starts[row.entry] if start > row.start)])) for row in rows
    ]


def _fits(row: Row, asked: Asked) -> bool:
    if row.provider is not None and row.provider != asked.provider.lower():
        return False
    return row.server is None or f".{asked.server.lower()}".endswith(f".{row.server}")


def _holds(row: Row, asked: Asked) -> bool:
    return row.tier == asked.tier and row.start <= asked.at < row.end


def _exactness(row: Row) -> tuple[int, int, int, float]:
    """Rank a row: a whole name before its beginning, a longer beginning before a shorter, whose it is, the newest."""
    names_all = not row.model.endswith("*")
    return (names_all, len(row.model), len(row.server or "") + bool(row.provider), row.start)
