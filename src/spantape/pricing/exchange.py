"""`Exchange`: another currency, at rates that the user has stated and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from .rates import Rates


@dataclass(frozen=True)
class Exchange:
    """Converts prices by `rates`, which has how much of a currency one unit of another buys: `{"USD/CNY": 7.1}`."""

    rates: Mapping[str, Decimal]

    def convert(self, prices: Rates) -> Rates:
        """Give prices in the currency that a rate leads to from theirs; as they are, where none does."""
        for pair, rate in self.rates.items():
            base, _, quote = pair.partition("/")
            if base == prices.currency:
                return prices.times(rate, quote, f"{prices.source} at {rate} {quote}/{base}")
        return prices

    def in_usd(self, amount: float, currency: str) -> float | None:
        """Give an amount in USD, at the rate that made another currency of it; None where no rate says so."""
        rate = 1 if currency == "USD" else self.rates.get(f"USD/{currency}")
        return None if rate is None else amount / float(rate)
