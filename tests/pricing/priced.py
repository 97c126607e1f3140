"""What a call with given attributes costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from spantape import semconv
from spantape.pricing import PriceBook
from spantape.settings import Settings

NOW = "2026-11-21T12:00:00+00:00"


def book(*rows: dict[str, Any], **settings: Any) -> PriceBook:
    return PriceBook.of(Settings.load(prices=list(rows), **settings))


def call(
    model: str,
    provider: str = "openai",
    sent: int = 1_000_000,
    received: int = 1_000_000,
    server: str = "",
    **more: int,
) -> dict[str, Any]:
    """Give the attributes of a call; `more` are kinds of tokens: `cache_read=10`."""
    return {
        semconv.OPERATION: "chat",
        semconv.PROVIDER: provider,
        semconv.SERVER_ADDRESS: server,
        semconv.REQUEST_MODEL: model,
        semconv.INPUT_TOKENS: sent,
        semconv.OUTPUT_TOKENS: received,
    } | {getattr(semconv, f"{name.upper()}_TOKENS"): count for name, count in more.items()}


def cost(prices: PriceBook, found: dict[str, Any], at: str = NOW) -> dict[str, Any]:
    """Give the cost attributes without their common beginning."""
    told = prices.attributes(found, datetime.fromisoformat(at).timestamp())
    return {name.removeprefix("spantape.cost."): value for name, value in told.items()}


def row(model: str = "m", sent: Any = 1, received: Any = 2, **more: Any) -> dict[str, Any]:
    """Give a row with prices per 1k of the seed's names; a million of each then costs a thousand times as much."""
    return {"model": model, "input_price_per_1k": sent, "output_price_per_1k": received, **more}


def totals(prices: PriceBook, found: Sequence[dict[str, Any]], at: str = NOW) -> list[float | None]:
    return [cost(prices, one, at).get("total") for one in found]
