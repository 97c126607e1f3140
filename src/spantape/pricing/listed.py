"""The price list of genai-prices: bundled with it, never fetched."""

from __future__ import annotations

import functools
import re
from datetime import datetime, timezone
from decimal import Decimal
from importlib import metadata
from typing import Any

from .. import semconv
from .asked import Asked
from .rates import Rates

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
# Hosts of a provider whose prices are on a list of their own.
_THEIRS_AT = {"z.ai": "zai", "api.z.ai": "zai"}
# Who has prices of his own for models that others sell too, or none at all because people run him themselves.
_NOT_BY_NAME = frozenset({
    *("ollama", "vllm", "sglang", "lmstudio"),
    *("dashscope", "siliconflow", "volcengine", "qianfan", "hunyuan", "zhipu", "moonshot_ai", "minimax"),
    *("nvidia", "huggingface", "deepinfra", "sambanova", "github"),
})  # fmt: skip
# A model's name with a size or a tag in it (mistral-7b, deepseek-r1:14b) is that of weights that anyone may run.
_WEIGHTS = re.compile(r":|\d+b\b", re.IGNORECASE)
_FIELDS = {
    semconv.INPUT_TOKENS: "input_mtok",
    semconv.CACHE_READ_TOKENS: "cache_read_mtok",
    semconv.CACHE_WRITE_TOKENS: "cache_write_mtok",
    semconv.AUDIO_INPUT_TOKENS: "input_audio_mtok",
    semconv.IMAGE_INPUT_TOKENS: "input_image_mtok",
    semconv.AUDIO_CACHE_READ_TOKENS: "cache_audio_read_mtok",
    semconv.IMAGE_CACHE_READ_TOKENS: "cache_image_read_mtok",
    semconv.OUTPUT_TOKENS: "output_mtok",
    semconv.AUDIO_OUTPUT_TOKENS: "output_audio_mtok",
    semconv.IMAGE_OUTPUT_TOKENS: "output_image_mtok",
}


def listed(asked: Asked) -> tuple[Rates, ...]:
    """Give the prices that hold for a model at that moment (some differ by the time of day); none when not known.

    A provider that has no list of its own (a gateway, a proxy) is priced by the model's name.
    """
    theirs = _THEIRS_AT.get(asked.server) or _THEIRS.get(asked.provider, asked.provider)
    if theirs in _providers():
        return _of(theirs, asked)
    if asked.provider in _NOT_BY_NAME or _WEIGHTS.search(asked.model):
        return ()
    return _of(None, asked)


def ladder(prices: Any, date: str | None = None) -> tuple[Rates, ...]:
    """Give a `ModelPrice` as rates: one for each size of input at which a price changes."""
    sizes = {0}
    for name in _FIELDS.values():
        sizes |= {step.start for step in getattr(getattr(prices, name, None), "tiers", ())}
    request = getattr(prices, "requests_kcount", None) or Decimal()
    return tuple(
        Rates(_tokens(prices, size), _source(), request=request / 1000, date=date, above=size) for size in sorted(sizes)
    )


def _of(provider: str | None, asked: Asked) -> tuple[Rates, ...]:
    from genai_prices.data_snapshot import get_snapshot

    at = datetime.fromtimestamp(asked.at, tz=timezone.utc)
    try:
        _, model = get_snapshot().find_provider_model(asked.model, None, provider, None)
        found = model.get_prices(at)
        if asked.tier is not None:
            usual, found = found, model.get_prices(at, {"service_tier": asked.tier})
            if found == usual:
                return ()  # the usual price is what a tier that is not listed gets
    except (LookupError, TypeError):  # an unknown model; an older genai-prices, that knows no tiers
        return ()
    return ladder(found, _date(model.prices, found))


def _tokens(prices: Any, size: int) -> dict[str, Decimal]:
    rates = {kind: _rate(getattr(prices, name, None), size) for kind, name in _FIELDS.items()}
    return {kind: rate.scaleb(-6) for kind, rate in rates.items() if rate is not None}


def _rate(listed: Any, size: int) -> Decimal | None:
    """Give a price; one with tiers is that of the highest tier that the size of the input reaches, for all tokens."""
    if listed is None or isinstance(listed, Decimal):
        return listed
    reached = [step for step in listed.tiers if size >= step.start]
    return Decimal(max(reached, key=lambda step: int(step.start)).price if reached else listed.base)


def _date(versions: Any, found: Any) -> str | None:
    """Give the day from which a price holds, where the list knows it."""
    versions = versions if isinstance(versions, list) else ()
    starts = [getattr(one.constraint, "start_date", None) for one in versions if one.prices == found]
    return next((start.isoformat() for start in starts if start is not None), None)


@functools.cache
def _providers() -> frozenset[str]:
    from genai_prices.data_snapshot import get_snapshot

    return frozenset(provider.id for provider in get_snapshot().providers)


@functools.cache
def _source() -> str:
    return f"genai-prices@{metadata.version('genai-prices')}"
