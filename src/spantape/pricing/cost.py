"""`Cost`: usage × price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from .. import semconv
from .rates import SUBSETS_IN, SUBSETS_OUT, Flat, Rates, that_hold

# Operations whose tokens are partly a picture's or a sound's, which are not always listed, nor always told apart.
_MIXED = frozenset({
    *(semconv.IMAGE_GENERATION, semconv.IMAGE_EDIT, semconv.IMAGE_VARIATION),
    *(semconv.SPEECH, semconv.TRANSCRIPTION, semconv.TRANSLATION),
})  # fmt: skip


@dataclass(frozen=True)
class Side:
    """The tokens of one direction; subsets of them may have prices of their own.

    `within` are the subsets that lie in two others: what was read from the cache may have been audio, too.
    """

    tokens: str
    subsets: Sequence[str]
    within: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_INPUT = Side(
    semconv.INPUT_TOKENS,
    SUBSETS_IN,
    {
        semconv.AUDIO_CACHE_READ_TOKENS: (semconv.CACHE_READ_TOKENS, semconv.AUDIO_INPUT_TOKENS),
        semconv.IMAGE_CACHE_READ_TOKENS: (semconv.CACHE_READ_TOKENS, semconv.IMAGE_INPUT_TOKENS),
    },
)
_OUTPUT = Side(semconv.OUTPUT_TOKENS, SUBSETS_OUT)
_CACHED = (semconv.CACHE_READ_TOKENS, semconv.AUDIO_CACHE_READ_TOKENS, semconv.IMAGE_CACHE_READ_TOKENS)
_KINDS = {
    semconv.AUDIO_CACHE_READ_TOKENS: (semconv.AUDIO_INPUT_TOKENS, semconv.AUDIO_OUTPUT_TOKENS),
    semconv.IMAGE_CACHE_READ_TOKENS: (semconv.IMAGE_INPUT_TOKENS, semconv.IMAGE_OUTPUT_TOKENS),
}


class Cost(NamedTuple):
    """What a call cost; `cached` is the part of `input` that was paid for tokens read from the cache."""

    input: float
    output: float
    total: float
    cached: float | None
    rates: Rates


def cost_of(ladder: Sequence[Rates], found: Mapping[str, Any]) -> Cost | None:
    """Price a call by its attributes; None when some of its tokens have no price, or are not told apart."""
    rates = ladder[0] if len(ladder) == 1 else that_hold(ladder, found)
    if rates is None or not (rates.is_unconditional or rates.holds(found)):
        return None
    mixed = found.get(semconv.OPERATION) in _MIXED
    if not mixed and rates.flat is not None and (rates.rare.isdisjoint(found) or not any(map(found.get, rates.rare))):
        return usual(rates, rates.flat, found)
    return price(rates, found) if not mixed or _is_split(rates, found) else None


def usual(rates: Rates, flat: Flat, found: Mapping[str, Any]) -> Cost | None:
    """Price a call that had no tokens of a rare kind: the same as `price` in a fraction of its time.

    Whole numbers divide into the float that is nearest, as the decimal number of the same value does.
    """
    sent, received = found[semconv.INPUT_TOKENS], found.get(semconv.OUTPUT_TOKENS) or 0
    cached = found.get(semconv.CACHE_READ_TOKENS) or 0
    if not 0 <= cached <= sent or received < 0:
        return None
    for_cached, for_output = cached * flat.cached, received * flat.received
    for_input = (sent - cached) * flat.sent + for_cached
    parts = flat.parts
    total = for_input + for_output + flat.request
    return Cost(for_input / parts, for_output / parts, total / parts, for_cached / parts if cached else None, rates)


def price(rates: Rates, usage: Mapping[str, Any]) -> Cost | None:
    """Price a usage, given by its attributes; None when some tokens have no price.

    Cached, audio, image and reasoning tokens are subsets of all tokens; those without a price of their own cost as the
    rest. Multiplied here: genai-prices checks all its units anew at every call, which takes a hundred times as long.
    """
    sent, received = _paid(_INPUT, usage, rates.tokens), _paid(_OUTPUT, usage, rates.tokens)
    if sent is None or received is None:
        return None
    cached = [sent[kind] for kind in _CACHED if kind in sent]
    for_input, for_output = sum(sent.values(), Decimal()), sum(received.values(), Decimal())
    return Cost(
        input=float(for_input),
        output=float(for_output),
        total=float(for_input + for_output + rates.request),
        cached=float(sum(cached, Decimal())) if cached else None,
        rates=rates,
    )


def _paid(side: Side, usage: Mapping[str, Any], prices: Mapping[str, Decimal]) -> dict[str, Decimal] | None:
    """Give what was paid for each kind of token; None when one has no price, or a subset is larger than the whole."""
    paid = {}
    for kind, count in _parts(side, usage, prices).items():
        names = (kind, *side.within.get(kind, ()), side.tokens)
        each = next((prices[name] for name in names if name in prices), None)
        if count < 0 or (count and each is None):
            return None
        if each is not None and count:
            paid[kind] = each * count
    return paid


def _parts(side: Side, usage: Mapping[str, Any], prices: Mapping[str, Decimal]) -> dict[str, int]:
    """Divide the tokens of a side into kinds that have none in common; reasoning is one where it has a price only."""
    subsets = [kind for kind in side.subsets if kind != semconv.REASONING_TOKENS or kind in prices]
    counts = {kind: usage[kind] for kind in subsets if usage.get(kind)}
    for kind in counts.keys() & side.within.keys():
        for larger in side.within[kind]:
            counts[larger] = counts.get(larger, 0) - counts[kind]
    counts[side.tokens] = (usage.get(side.tokens) or 0) - sum(counts.values())
    return counts


def _is_split(rates: Rates, found: Mapping[str, Any]) -> bool:
    """Say whether the usage and the prices tell apart what does not cost the same.

    A kind with a price of its own has to be counted, and how many of it were cached. A model that has prices for text
    only may do more than the list knows.
    """
    for cached, kinds in _KINDS.items():
        priced = [kind for kind in kinds if kind in rates.tokens]
        is_cached = found.get(semconv.CACHE_READ_TOKENS) and cached not in found
        used = any(found.get(kind) for kind in kinds)
        if not all(kind in found for kind in priced) or (used and (is_cached or not priced)):
            return False
    return True
