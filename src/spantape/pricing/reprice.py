"""`Repricing`: recorded calls at other prices, beside what they cost when they were recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from .. import semconv
from ..content import Attributes
from ..places import COST, USAGE
from .book import PriceBook


@dataclass(frozen=True)
class Repriced:
    """One call: its `cost` as it was recorded and as it is priced now, each None when there is no price."""

    id: str | None
    timestamp: str | None
    model: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def difference(self) -> Decimal | None:
        """How much more the call costs now; None when one of the two is not known, or in another currency."""
        before, after = _amount(self.before), _amount(self.after)
        if before is None or after is None or before[0] != after[0]:
            return None
        return after[1] - before[1]


@dataclass(frozen=True)
class Repricing:
    """Recorded calls priced anew, in the order they were given; totals are by currency, which are never added up."""

    calls: Sequence[Repriced]

    @property
    def before(self) -> dict[str, Decimal]:
        """What all calls cost as they were recorded."""
        return _totals(call.before for call in self.calls)

    @property
    def after(self) -> dict[str, Decimal]:
        """What they cost now."""
        return _totals(call.after for call in self.calls)

    @property
    def difference(self) -> dict[str, Decimal]:
        """How much more they cost now, those without a price on one side included."""
        before, after = self.before, self.after
        return {one: after.get(one, Decimal()) - before.get(one, Decimal()) for one in {**before, **after}}

    @property
    def changed(self) -> list[Repriced]:
        """The calls whose amount or currency is another one now, or known on one side only."""
        return [call for call in self.calls if _amount(call.before) != _amount(call.after)]


def reprice(records: Iterable[Mapping[str, Any]], book: PriceBook) -> Repricing:
    """Price recorded calls, each at the time at which it was made; the records stay as they are."""
    return Repricing([_repriced(record, book) for record in records])


def _repriced(record: Mapping[str, Any], book: PriceBook) -> Repriced:
    found, at = attributes_of(record), _moment(record.get("timestamp"))
    cost = {} if at is None else book.attributes(found, at)
    after = {name: cost[key] for name, key in COST.items() if cost.get(key) is not None}
    return Repriced(record.get("id"), record.get("timestamp"), record.get("model"), record.get("cost"), after or None)


def attributes_of(record: Mapping[str, Any]) -> Attributes:
    """Give those attributes of a recorded call that its price depends on."""
    usage, metadata, server = (_mapping(record.get(name)) for name in ("usage", "metadata", "server"))
    found = {
        semconv.OPERATION: record.get("operation"),
        semconv.PROVIDER: record.get("provider"),
        semconv.REQUEST_MODEL: record.get("model"),
        semconv.RESPONSE_MODEL: metadata.get("model_used"),
        semconv.OPENAI_RESPONSE_SERVICE_TIER: metadata.get("service_tier"),
        semconv.SERVER_ADDRESS: server.get("address"),
        semconv.USAGE_ESTIMATED: usage.get("estimated"),
        **{key: usage.get(name) for name, key in USAGE.items()},
    }
    return {key: value for key, value in found.items() if value is not None}


def _totals(costs: Iterable[Mapping[str, Any] | None]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in filter(None, map(_amount, costs)):
        totals[currency] += amount
    return dict(totals)


def _amount(cost: Mapping[str, Any] | None) -> tuple[str, Decimal] | None:
    total = _mapping(cost).get("total")
    is_number = isinstance(total, (int, float, Decimal)) and not isinstance(total, bool)
    return (str(_mapping(cost).get("currency", "USD")), Decimal(str(total))) if is_number else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _moment(timestamp: object) -> float | None:
    try:
        return datetime.fromisoformat(str(timestamp).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
