"""What a call cost: usage × price, from the price list that is bundled with genai-prices; never over the network."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from importlib import metadata
from typing import Any, NamedTuple

from .. import semconv
from ..content import Attributes
from ..guard import guard

# Our provider names → those of genai-prices, where they differ.
_THEIRS = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "moonshot_ai": "moonshotai",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "zhipu": "zhipuai",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
}
# Who has prices of his own for models that others sell too, or none at all because people run him themselves.
_NOT_BY_NAME = frozenset({
    *("ollama", "vllm", "sglang", "lmstudio"),
    *("dashscope", "siliconflow", "volcengine", "qianfan", "hunyuan", "zhipu", "moonshot_ai", "minimax"),
    *("nvidia", "huggingface", "deepinfra", "sambanova", "github"),
})  # fmt: skip
# A model's name with a size or a tag in it (mistral-7b, deepseek-r1:14b) is that of weights that anyone may run.
_WEIGHTS = re.compile(r":|\d+b\b", re.IGNORECASE)
_TIERS = frozenset({"flex", "priority"})
# Operations whose tokens are partly a picture's or a sound's, which are not always listed, nor always told apart.
_MIXED = frozenset({
    *(semconv.IMAGE_GENERATION, semconv.IMAGE_EDIT, semconv.IMAGE_VARIATION),
    *(semconv.SPEECH, semconv.TRANSCRIPTION, semconv.TRANSLATION),
})  # fmt: skip
_OUTPUTLESS = frozenset({"embeddings"})
_MILLION = 1_000_000


@dataclass(frozen=True)
class Side:
    """The tokens of one direction and their price; subsets of them may have prices of their own.

    `within` are the subsets that lie in two others: what was read from the cache may have been audio, too.
    """

    tokens: str
    price: str
    subsets: Mapping[str, str]
    within: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_INPUT = Side(
    semconv.INPUT_TOKENS,
    "input_mtok",
    {
        semconv.CACHE_READ_TOKENS: "cache_read_mtok",
        semconv.CACHE_WRITE_TOKENS: "cache_write_mtok",
        semconv.AUDIO_INPUT_TOKENS: "input_audio_mtok",
        semconv.IMAGE_INPUT_TOKENS: "input_image_mtok",
        semconv.AUDIO_CACHE_READ_TOKENS: "cache_audio_read_mtok",
        semconv.IMAGE_CACHE_READ_TOKENS: "cache_image_read_mtok",
    },
    {
        semconv.AUDIO_CACHE_READ_TOKENS: (semconv.CACHE_READ_TOKENS, semconv.AUDIO_INPUT_TOKENS),
        semconv.IMAGE_CACHE_READ_TOKENS: (semconv.CACHE_READ_TOKENS, semconv.IMAGE_INPUT_TOKENS),
    },
)
_OUTPUT = Side(
    semconv.OUTPUT_TOKENS,
    "output_mtok",
    {semconv.AUDIO_OUTPUT_TOKENS: "output_audio_mtok", semconv.IMAGE_OUTPUT_TOKENS: "output_image_mtok"},
)
_CACHED = (semconv.CACHE_READ_TOKENS, semconv.AUDIO_CACHE_READ_TOKENS, semconv.IMAGE_CACHE_READ_TOKENS)
_KINDS = {
    semconv.AUDIO_CACHE_READ_TOKENS: (semconv.AUDIO_INPUT_TOKENS, semconv.AUDIO_OUTPUT_TOKENS),
    semconv.IMAGE_CACHE_READ_TOKENS: (semconv.IMAGE_INPUT_TOKENS, semconv.IMAGE_OUTPUT_TOKENS),
}


_RARE = frozenset({*_INPUT.subsets, *_OUTPUT.subsets} - {semconv.CACHE_READ_TOKENS})


class Cost(NamedTuple):
    """What a call cost; `cached` is the part of `input` that was paid for tokens read from the cache."""

    input: Decimal
    output: Decimal
    total: Decimal
    cached: Decimal | None
    source: str
    currency: str = "USD"


@dataclass(frozen=True)
class PriceBook:
    """Prices calls; a call whose model or usage is unknown has no cost, rather than one of 0."""

    enabled: bool = True

    def warm(self) -> None:
        """Load the price list now: it takes a tenth of a second, which no call should wait for.

        Not in a thread: it imports httpx2, and openai 2 looks into that module wherever it finds it, half-made too.
        """
        if self.enabled:
            with guard:
                _prices("openai", "gpt-4o-mini", None, 0)

    def attributes(self, found: Mapping[str, Any], at: float) -> Attributes:
        """Give the cost attributes of a call with the attributes `found` that was made at epoch second `at`."""
        if not self.enabled or not _is_counted(found):
            return {}
        tier = found.get(semconv.OPENAI_RESPONSE_SERVICE_TIER)
        for model in filter(None, (found.get(semconv.RESPONSE_MODEL), found.get(semconv.REQUEST_MODEL))):
            key = (str(found.get(semconv.PROVIDER)), model, tier if tier in _TIERS else None, int(at // 60))
            cost = None if any(map(found.get, _RARE)) else _usual(_flat(*key), found)
            prices = _prices(*key) if cost is None else None
            if prices is not None and _is_split(prices, found):
                cost = price(prices, found)
            if cost is not None:
                return _attributes(cost, "estimated usage × " if found.get(semconv.USAGE_ESTIMATED) else "")
        return {}


class Flat(NamedTuple):
    """What one token costs that was sent, read from a cache or received, and each request; and who says so."""

    sent: Decimal
    cached: Decimal
    received: Decimal
    request: Decimal
    source: str


@functools.lru_cache(maxsize=512)
def _flat(provider: str, model: str, tier: str | None, minute: int) -> Flat | None:
    """Give the prices of a model if each is the same for every token, as most are."""
    prices = _prices(provider, model, tier, minute)
    rates: list[Any] = [getattr(prices, f"{name}_mtok", None) for name in ("input", "cache_read", "output")]
    sent, cached, received = rates
    request = getattr(prices, "requests_kcount", None) or Decimal()
    cached = sent if cached is None else cached
    if not all(isinstance(each, Decimal) for each in (sent, cached, received, request)):
        return None
    return Flat(sent / _MILLION, cached / _MILLION, received / _MILLION, request / 1000, _source())


def _usual(flat: Flat | None, found: Mapping[str, Any]) -> Cost | None:
    """Price a call that had no tokens of a rare kind: the same as `price` in a fraction of its time."""
    sent, received = found[semconv.INPUT_TOKENS], found.get(semconv.OUTPUT_TOKENS) or 0
    cached = found.get(semconv.CACHE_READ_TOKENS) or 0
    if flat is None or not 0 <= cached <= sent or received < 0 or found.get(semconv.OPERATION) in _MIXED:
        return None
    for_cached, for_output = cached * flat.cached, received * flat.received
    for_input = (sent - cached) * flat.sent + for_cached
    total = for_input + for_output + flat.request
    return Cost(for_input, for_output, total, for_cached if cached else None, flat.source)


def price(prices: Any, usage: Mapping[str, Any]) -> Cost | None:
    """Price a usage, given by its attributes, with a `ModelPrice` of genai-prices; None when some tokens have no price.

    Cached, audio and image tokens are subsets of all tokens; those without a price of their own cost as the rest.
    Multiplied here: genai-prices checks all its units anew at every call, which takes a hundred times as long.
    """
    rate = functools.partial(_rate, prices, usage.get(semconv.INPUT_TOKENS) or 0)
    sent, received = _paid(_INPUT, usage, rate), _paid(_OUTPUT, usage, rate)
    if sent is None or received is None:
        return None
    cached = [sent[kind] for kind in _CACHED if kind in sent]
    for_input, for_output = sum(sent.values(), Decimal()), sum(received.values(), Decimal())
    return Cost(
        input=for_input,
        output=for_output,
        total=for_input + for_output + (rate("requests_kcount") or Decimal()) / 1000,
        cached=sum(cached, Decimal()) if cached else None,
        source=_source(),
    )


def _paid(side: Side, usage: Mapping[str, Any], rate: Callable[[str], Decimal | None]) -> dict[str, Decimal] | None:
    """Give what was paid for each kind of token; None when one has no price, or a subset is larger than the whole."""
    counts = {kind: usage[kind] for kind in side.subsets if usage.get(kind)}
    for kind in counts.keys() & side.within.keys():
        for larger in side.within[kind]:
            counts[larger] = counts.get(larger, 0) - counts[kind]
    counts[side.tokens] = (usage.get(side.tokens) or 0) - sum(counts.values())
    paid = {}
    for kind, count in counts.items():
        names = [side.subsets[one] for one in (kind, *side.within.get(kind, ())) if one in side.subsets]
        each = next((found for found in map(rate, [*names, side.price]) if found is not None), None)
        if count < 0 or (count and each is None):
            return None
        if each is not None and count:
            paid[kind] = each * count / _MILLION
    return paid


def _is_split(prices: Any, found: Mapping[str, Any]) -> bool:
    """Say whether the usage and the prices tell apart what does not cost the same.

    A kind with a price of its own has to be counted, and how many of it were cached. A model that has prices for text
    only may do more than the list knows.
    """
    if found.get(semconv.OPERATION) not in _MIXED:
        return True
    names = {**_INPUT.subsets, **_OUTPUT.subsets}
    for cached, kinds in _KINDS.items():
        priced = [kind for kind in kinds if getattr(prices, names[kind], None) is not None]
        is_cached = found.get(semconv.CACHE_READ_TOKENS) and cached not in found
        used = any(found.get(kind) for kind in kinds)
        if not all(kind in found for kind in priced) or (used and (is_cached or not priced)):
            return False
    return True


def _rate(prices: Any, size: int, name: str) -> Decimal | None:
    """Give a price; one with tiers is that of the highest tier that the size of the input reaches, for all tokens."""
    rate = getattr(prices, name, None)
    if rate is None or isinstance(rate, Decimal):
        return rate
    reached = [tier.price for tier in rate.tiers if size > tier.start]
    return Decimal(reached[-1] if reached else rate.base)


@functools.lru_cache(maxsize=512)
def _prices(provider: str, model: str, tier: str | None, minute: int) -> Any:
    """Give the prices that hold for a model in a minute (some differ by the time of day); None when not known.

    A provider that has no list of its own (a gateway, a proxy) is priced by the model's name.
    """
    from genai_prices import Usage, calc_price

    theirs = _THEIRS.get(provider, provider)
    listed = theirs in _providers()
    if not listed and (provider in _NOT_BY_NAME or _WEIGHTS.search(model)):
        return None
    priced = functools.partial(
        calc_price,
        Usage(input_tokens=1),
        model,
        provider_id=theirs if listed else None,
        genai_request_timestamp=datetime.fromtimestamp(minute * 60, tz=timezone.utc),
    )
    try:
        usual = priced().model_price
        if tier is None:
            return usual
        special = priced(price_context={"service_tier": tier}).model_price
    except (LookupError, ValueError, TypeError):  # an unknown model; an older genai-prices, that knows no tiers
        return None
    return special if special != usual else None  # the usual price is what a tier that is not listed gets


@functools.cache
def _providers() -> frozenset[str]:
    from genai_prices.data_snapshot import get_snapshot

    return frozenset(provider.id for provider in get_snapshot().providers)


@functools.cache
def _source() -> str:
    return f"genai-prices@{metadata.version('genai-prices')}"


def _is_counted(found: Mapping[str, Any]) -> bool:
    without_output = found.get(semconv.OPERATION) in _OUTPUTLESS
    if semconv.SVG_OUTPUT_TOKENS in found:  # tokens of a second model, which is not the one that is priced here
        return False
    return semconv.INPUT_TOKENS in found and (semconv.OUTPUT_TOKENS in found or without_output)


def _attributes(cost: Cost, about: str) -> Attributes:
    return {
        semconv.COST_INPUT: float(cost.input),
        semconv.COST_OUTPUT: float(cost.output),
        semconv.COST_CACHED: None if cost.cached is None else float(cost.cached),
        semconv.COST_TOTAL: float(cost.total),
        semconv.COST_CURRENCY: cost.currency,
        semconv.COST_SOURCE: about + cost.source,
    }
