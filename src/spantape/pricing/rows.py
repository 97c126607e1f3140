"""`Row`: one line of a price table, read from plain JSON or YAML values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..errors import SettingError
from .columns import PRICES, values
from .rates import Rates

_MOST_TOLD = 10


@dataclass(frozen=True)
class Row:
    """What a model costs at a provider from one moment to another, in epoch seconds."""

    number: int
    model: str
    provider: str | None
    server: str | None
    tier: str | None
    start: float
    end: float
    rates: Rates

    @property
    def entry(self) -> tuple[str | None, ...]:
        """What the row is a price of: a later row with the same one closes this."""
        return (self.model, self.provider, self.server, self.tier)


def read(found: object, where: str) -> list[Row]:
    """Read a price table, given as a list of rows or an object with such a list in `prices`.

    Raises:
        SettingError: Something in it can't be used; the message tells which rows, and why.
    """
    listed = found.get("prices") if isinstance(found, Mapping) else found
    if not isinstance(listed, Sequence) or isinstance(listed, (str, bytes)):
        raise SettingError(f"{where} has no list of prices: give a list of rows, or an object with one in `prices`")
    checked = [_checked(given, number, where) for number, given in enumerate(listed, 1)]
    rows = [row for row in checked if isinstance(row, Row)]
    wrong = [*(error for error in checked if isinstance(error, str)), *_twice(rows)]
    if wrong:
        more = [f"and {len(wrong) - _MOST_TOLD} more"] if len(wrong) > _MOST_TOLD else []
        raise SettingError(f"{where} can't be used: {'; '.join(wrong[:_MOST_TOLD] + more)}")
    return rows


def _checked(given: object, number: int, where: str) -> Row | str:
    if not isinstance(given, Mapping):
        return f"row {number} is {given!r}: give an object with columns such as model and input_price_per_1k"
    try:
        return _row(values(given), number, where)
    except ValueError as error:
        return f"row {number}: {error}"


def _row(row: Mapping[str, Any], number: int, where: str) -> Row:
    if "model" not in row:
        raise ValueError("it has no model")
    start = row["valid_from"].timestamp() if "valid_from" in row else float("-inf")
    end = row.get("valid_to", float("inf"))
    if start >= end:
        raise ValueError("its valid_to is before its valid_from")
    return Row(
        number, row["model"], row.get("provider"), row.get("server"), row.get("tier"), start, end, _rates(row, where)
    )


def _rates(row: Mapping[str, Any], where: str) -> Rates:
    tokens = _tokens(row)
    if not tokens and "price_per_request" not in row:
        raise ValueError("it has no price: give input_price_per_1k and output_price_per_1k")
    dated = row.get("source_date") or row.get("valid_from")
    return Rates(
        tokens=tokens,
        source=row.get("source", where),
        currency=row.get("currency", "USD"),
        request=row.get("price_per_request", Decimal()),
        date=dated.date().isoformat() if dated else None,
        above=row.get("above_input_tokens", 0),
        up_to=row.get("up_to_input_tokens"),
        thinking=row.get("thinking"),
        output_above=row.get("above_output_tokens", 0),
        output_up_to=row.get("up_to_output_tokens"),
    )


def _tokens(row: Mapping[str, Any]) -> dict[str, Decimal]:
    tokens: dict[str, Decimal] = {}
    for column in (name for name in row if name in PRICES):
        kind, power = PRICES[column]
        if kind in tokens:
            raise ValueError(f"{column} gives a price for the second time")
        tokens[kind] = row[column].scaleb(power)
    return tokens


def _twice(rows: Sequence[Row]) -> Iterator[str]:
    seen: dict[object, int] = {}
    for row in rows:
        rates = row.rates
        sizes = (rates.above, rates.output_above, rates.thinking)
        first = seen.setdefault((row.entry, row.start, sizes), row.number)
        if first != row.number:
            yield f"row {row.number} is a price of the same as row {first}: give each a valid_from of its own"
