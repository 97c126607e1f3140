"""What a call cost: usage × price, from the price list that is bundled with genai-prices; never over the network."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from importlib import metadata
from typing import Any

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
_SELF_HOSTED = frozenset({"ollama", "vllm", "sglang", "lmstudio"})
_USAGE = {
    "input_tokens": semconv.INPUT_TOKENS,
    "output_tokens": semconv.OUTPUT_TOKENS,
    "cache_read_tokens": semconv.CACHE_READ_TOKENS,
    "cache_write_tokens": semconv.CACHE_WRITE_TOKENS,
    "input_audio_tokens": semconv.AUDIO_INPUT_TOKENS,
    "output_audio_tokens": semconv.AUDIO_OUTPUT_TOKENS,
}


@dataclass(frozen=True)
class Cost:
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
        """Load the price list in the background: it takes a tenth of a second, which no call should wait for."""
        if self.enabled:
            _load_soon()

    def attributes(self, found: Mapping[str, Any], at: float) -> Attributes:
        """Give the cost attributes of a call with the attributes `found` that was made at epoch second `at`."""
        usage = {name: found[key] for name, key in _USAGE.items() if found.get(key)}
        if not self.enabled or semconv.INPUT_TOKENS not in found or semconv.OUTPUT_TOKENS not in found:
            return {}
        models = dict.fromkeys(filter(None, (found.get(semconv.RESPONSE_MODEL), found.get(semconv.REQUEST_MODEL))))
        for model in models:
            cost = price(str(found.get(semconv.PROVIDER)), model, usage, at)
            if cost is not None:
                return _attributes(cost)
        return {}


def price(provider: str, model: str, usage: Mapping[str, int], at: float) -> Cost | None:
    """Price a usage (genai-prices' names, cached tokens a subset of the input); None when the price is not known.

    A provider that has no list of its own (a gateway, a proxy) is priced by the model's name; a model that somebody
    runs himself has no price.
    """
    if provider in _SELF_HOSTED:
        return None
    moment = datetime.fromtimestamp(at, tz=timezone.utc)
    calculation = _calculate(usage, model, provider, moment)
    if calculation is None:
        return None
    return Cost(
        input=calculation.input_price,
        output=calculation.output_price,
        total=calculation.total_price,
        cached=_cached(calculation, usage, moment),
        source=f"genai-prices@{_version()}",
    )


def _calculate(usage: Mapping[str, int], model: str, provider: str, moment: datetime) -> Any:
    from genai_prices import Usage, calc_price

    theirs = _THEIRS.get(provider, provider)
    try:
        return calc_price(
            Usage(**usage),
            model,
            provider_id=theirs if theirs in _providers() else None,
            genai_request_timestamp=moment,
        )
    except (LookupError, ValueError):  # an unknown model; a usage that can't be, like more cached than all tokens
        return None


def _cached(calculation: Any, usage: Mapping[str, int], moment: datetime) -> Decimal | None:
    """Give what the cached tokens cost: what is paid for the input beyond its uncached part, at the same price step."""
    tokens, cached = usage.get("input_tokens", 0), usage.get("cache_read_tokens", 0)
    if not cached or usage.keys() - {"input_tokens", "output_tokens", "cache_read_tokens"}:
        return None
    from genai_prices import Usage

    full = calculation.model.calc_price(
        Usage(input_tokens=tokens),
        calculation.provider,
        genai_request_timestamp=moment,
        auto_update_timestamp=None,
    )
    return Decimal(calculation.input_price - full.input_price * (tokens - cached) / tokens)


@functools.cache
def _providers() -> frozenset[str]:
    from genai_prices.data_snapshot import get_snapshot

    return frozenset(provider.id for provider in get_snapshot().providers)


def _load_soon() -> None:
    thread = threading.Thread(target=_load, name="spantape-prices", daemon=True)
    thread.start()
    if hasattr(os, "register_at_fork"):
        # A child forked in the middle of an import would inherit its lock, held for ever.
        os.register_at_fork(before=functools.partial(thread.join, 10))


def _load() -> None:
    with guard:
        _providers()


@functools.cache
def _version() -> str:
    return metadata.version("genai-prices")


def _attributes(cost: Cost) -> Attributes:
    return {
        semconv.COST_INPUT: float(cost.input),
        semconv.COST_OUTPUT: float(cost.output),
        semconv.COST_CACHED: None if cost.cached is None else float(cost.cached),
        semconv.COST_TOTAL: float(cost.total),
        semconv.COST_CURRENCY: cost.currency,
        semconv.COST_SOURCE: cost.source,
    }
