"""`spantape cost`: what the calls cost, by whatever; and how many have no price."""

from __future__ import annotations

import click

from ..filter import Record
from ._groups import KEYS, counted, figures, grouped
from ._output import Output, output
from ._query import Query, query


@click.command("cost")
@click.option("--by", "key", type=click.Choice(KEYS), default="day", show_default=True, help="What to group by.")
@query
@output
def command(calls: Query, key: str, output: Output) -> None:
    """Sum up what calls cost, each currency by itself; a call without a known price adds nothing, and is said."""
    found = [group.told(name, key) for name, group in grouped(calls.oldest(), key).items()]
    found = found if key in {"hour", "day", "week", "month"} else sorted(found, key=lambda each: -_amount(each))
    most = max(map(_amount, found), default=0)
    shapes = {60: f"{key},{counted(found)},input_tokens,output_tokens,cost,unpriced,bar", 0: f"{key},cost"}
    output.emit(found, shapes, figures(key, lambda group: (_amount(group), most)))


def _amount(group: Record) -> float:
    """Give the largest amount in one currency: a bar can't add dollars to yuan."""
    return float(max(group["cost"].values(), default=0))
