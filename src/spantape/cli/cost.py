"""`spantape cost`: what the calls cost, by whatever; and how many have no price."""

from __future__ import annotations

import click

from ..filter import Record
from ._groups import CLOCKS, KEYS, Group, amounts, counted, drawn, figures, grouped, told
from ._output import PIPED, Output, output
from ._query import Query, most, query


@click.command("cost")
@click.option("--by", "key", type=click.Choice(KEYS), default="day", show_default=True, help="What to group by.")
@most(0)
@query
@output
def command(calls: Query, key: str, number: int, output: Output) -> None:
    """Sum up what calls cost, each currency by itself; a call without a known price adds nothing, and is said."""
    found = told(grouped(calls.oldest(), key), key, _currency)
    found = found if key in CLOCKS else sorted(found, key=lambda each: -_amount(each))
    top = max(map(_amount, found), default=0)
    shapes = {
        PIPED: f"{key},{counted(found)},input_tokens,output_tokens,{amounts(found)},unpriced,trend",
        100: f"{key},{counted(found)},input_tokens,output_tokens,cost,unpriced,{drawn(key)}",
        60: f"{key},{counted(found)},cost,unpriced,{drawn(key)}",
        0: f"{key},cost",
    }
    output.emit(found[: number or None], shapes, figures(key, lambda group: (_amount(group), top)))


def _amount(group: Record) -> float:
    """Give the largest amount in one currency: a bar can't add dollars to yuan."""
    return float(max(group["cost"].values(), default=0))


def _currency(group: Group) -> str:
    return max(group.costs, key=lambda one: group.costs[one], default="")
