"""`Rates`: what each kind of token costs at a model, under one condition; a model's price list is a few of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from .. import semconv
from ..content import Attributes

SUBSETS_IN = (
    semconv.CACHE_READ_TOKENS,
    semconv.CACHE_WRITE_TOKENS,
    semconv.AUDIO_INPUT_TOKENS,
    semconv.IMAGE_INPUT_TOKENS,
    semconv.AUDIO_CACHE_READ_TOKENS,
    semconv.IMAGE_CACHE_READ_TOKENS,
)
SUBSETS_OUT = (semconv.AUDIO_OUTPUT_TOKENS, semconv.IMAGE_OUTPUT_TOKENS, semconv.REASONING_TOKENS)
KINDS = (semconv.INPUT_TOKENS, *SUBSETS_IN, semconv.OUTPUT_TOKENS, *SUBSETS_OUT)
"""Kinds of tokens that may have a price, as the attribute that counts them."""

# Reasoning is told by most calls, and has a price of its own at next to no model.
_RARE = frozenset(KINDS) - {
    *(semconv.INPUT_TOKENS, semconv.CACHE_READ_TOKENS, semconv.OUTPUT_TOKENS, semconv.REASONING_TOKENS)
}


class Flat(NamedTuple):
    """What one token costs that was sent, read from a cache or received, and each request: in parts of one unit."""

    sent: int
    cached: int
    received: int
    request: int
    parts: int
    """How many make one unit of the currency."""


@dataclass(frozen=True)
class Rates:
    """The price of one token of each kind, and of a request, with where it is from and the date that it bears.

    They hold for a call whose input is larger than `above` tokens and not larger than `up_to`, whose answer is larger
    than `output_above` and not larger than `output_up_to`, and that did or did not think before it answered; None is
    for any.
    """

    tokens: Mapping[str, Decimal]
    source: str
    currency: str = "USD"
    request: Decimal = Decimal()
    date: str | None = None
    above: int = 0
    up_to: int | None = None
    thinking: bool | None = None
    output_above: int = 0
    output_up_to: int | None = None

    def holds(self, usage: Mapping[str, Any]) -> bool:
        """Say whether a call with this usage falls under the condition."""
        if self.thinking is not None and self.thinking != bool(usage.get(semconv.REASONING_TOKENS)):
            return False
        return _is_within(usage.get(semconv.INPUT_TOKENS) or 0, self.above, self.up_to) and _is_within(
            usage.get(semconv.OUTPUT_TOKENS) or 0, self.output_above, self.output_up_to
        )

    def times(self, rate: Decimal, currency: str, source: str) -> Rates:
        """Give these prices in another currency."""
        tokens = {kind: each * rate for kind, each in self.tokens.items()}
        return replace(self, tokens=tokens, request=self.request * rate, currency=currency, source=source)

    @cached_property
    def is_unconditional(self) -> bool:
        """Whether they hold for every call."""
        limits = (self.above, self.up_to, self.thinking, self.output_above, self.output_up_to)
        return limits == (0, None, None, 0, None)

    @cached_property
    def origin(self) -> Attributes:
        """What every cost says of its price."""
        return {
            semconv.COST_CURRENCY: self.currency,
            semconv.COST_SOURCE: self.source,
            semconv.COST_PRICE_DATE: self.date,
        }

    @cached_property
    def rare(self) -> frozenset[str]:
        """Kinds of tokens with which a call is no usual one."""
        return _RARE | ({semconv.REASONING_TOKENS} & self.tokens.keys())

    @cached_property
    def flat(self) -> Flat | None:
        """What a usual call is priced with."""
        sent, received = self.tokens.get(semconv.INPUT_TOKENS), self.tokens.get(semconv.OUTPUT_TOKENS)
        if sent is None or received is None:
            return None
        prices = (sent, self.tokens.get(semconv.CACHE_READ_TOKENS, sent), received, self.request)
        ratios = [price.as_integer_ratio() for price in prices]
        parts = math.lcm(*(below for _, below in ratios))
        return Flat._make([*(above * (parts // below) for above, below in ratios), parts])


def _is_within(size: int, above: int, up_to: int | None) -> bool:
    return (not above or size > above) and (up_to is None or size <= up_to)


def that_hold(ladder: Iterable[Rates], usage: Mapping[str, Any]) -> Rates | None:
    """Give the rates that hold for a usage: those for the largest sizes that it reaches, for all its tokens."""
    reached = [rates for rates in ladder if rates.holds(usage)]
    return max(reached, key=lambda rates: (rates.above, rates.output_above, rates.thinking is not None), default=None)
