"""`spantape prices`: what tokens cost, and what recorded calls would cost now."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from ..filter import Record
from . import _format as form
from ._columns import Column, number, plain
from ._groups import money
from ._output import PIPED, Output, output
from ._query import Query, query

if TYPE_CHECKING:
    from ..pricing.book import PriceBook
    from ..pricing.rates import Rates

_MILLION = 1_000_000
_SHAPES = {
    PIPED: "model,provider,server,tier,from,to,when,input,output,cached,currency,source",
    100: "model,provider,server,tier,from,to,when,input,output,cached,source",
    60: "model,provider,when,input,output,source",
    0: "model,input,output",
}
_RECALCULATED = {80: "id,date,model,before,after,difference", 0: "id,before,after"}


@click.group("prices")
def command() -> None:
    """Look up prices, and price recorded calls anew. Amounts are for a million tokens."""


@command.command("list")
@click.option("-q", "text", help="Only models with this in their name.")
@output
def listed(text: str | None, output: Output) -> None:
    """List the prices of your own table (`prices=`, SPANTAPE_PRICES) and those that spantape brings along."""
    rows = (row for row in _book().rows() if not text or text.lower() in row.model)
    output.emit(
        (
            _told(row.rates)
            | {"model": row.model, "provider": row.provider, "server": row.server, "tier": row.tier}
            | {"from": _day(row.start), "to": _day(row.end)}
            for row in rows
        ),
        _SHAPES,
        _columns(),
    )


@command.command("find")
@click.argument("model")
@click.option("--provider", default="openai", show_default=True, help="Who runs the model.")
@click.option("--server", default="", metavar="HOST", help="Where it runs, for those who charge by the region.")
@output
def find(model: str, provider: str, server: str, output: Output) -> None:
    """Say what a call of MODEL is priced with now: your own table, what spantape brings along, or genai-prices."""
    rates = _book().rates(provider, model, time.time(), server)
    output.emit((_told(one) | {"model": model, "provider": provider} for one in rates), _SHAPES, _columns())


@command.command("recalc")
@query
@output
def recalc(calls: Query, output: Output) -> None:
    """Price recorded calls anew, each at its own time, and list those that cost something else now."""
    priced = calls.recordings.reprice(calls.oldest())
    if priced.changed:
        output.emit(map(_difference, priced.changed), _RECALCULATED, _amounts())
    totals = (money({one: float(amount) for one, amount in part.items()}) for part in (priced.before, priced.after))
    click.echo(f"{len(priced.changed)} of {len(priced.calls)} calls: {' → '.join(totals)}", err=True)


def _book() -> PriceBook:
    from ..pricing.book import PriceBook
    from ..settings import Settings

    return PriceBook.of(Settings.load(cost=True))


def _told(rates: Rates) -> dict[str, Any]:
    from .. import semconv

    kinds = {"input": semconv.INPUT_TOKENS, "output": semconv.OUTPUT_TOKENS, "cached": semconv.CACHE_READ_TOKENS}
    told = {name: float(rates.tokens[kind] * _MILLION) for name, kind in kinds.items() if kind in rates.tokens}
    return {**told, "currency": rates.currency, "when": " ".join(_conditions(rates)), "source": rates.source}


def _conditions(rates: Rates) -> Iterable[str]:
    if rates.above:
        yield f"> {form.count(rates.above)}"
    if rates.up_to is not None:
        yield f"≤ {form.count(rates.up_to)}"
    if rates.output_above:
        yield f"answer > {form.count(rates.output_above)}"
    if rates.output_up_to is not None:
        yield f"answer ≤ {form.count(rates.output_up_to)}"
    if rates.thinking is not None:
        yield "thinking" if rates.thinking else "not thinking"


def _day(moment: float) -> str | None:
    """Give the day of a moment; None where a price has always held, or holds for good."""
    bounded = 0 < moment < float("inf")
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d") if bounded else None


def _columns() -> dict[str, Column]:
    amounts = {name: number(name, str)._replace(shown=_amount(name)) for name in ("input", "output", "cached")}
    others = {name: plain(name) for name in ("model", "provider", "server", "tier", "from", "to", "when", "currency")}
    return {**others, **amounts, "source": plain("source")._replace(flexible=True)}


def _amount(name: str) -> Any:
    return lambda record: form.money(record.get(name), record.get("currency"))


def _difference(call: Any) -> Record:
    difference = None if call.difference is None else float(call.difference)
    about = {"id": call.id, "timestamp": call.timestamp, "model": call.model}
    return {**about, "before": call.before, "after": call.after, "difference": difference}


def _amounts() -> dict[str, Column]:
    from ._columns import COLUMNS

    def cost(name: str) -> Column:
        return number(f"{name}.total", str)._replace(
            shown=lambda record: form.money(*((record[name] or {}).get(key) for key in ("total", "currency")))
        )

    return {**COLUMNS, "before": cost("before"), "after": cost("after"), "difference": number("difference", form.money)}
