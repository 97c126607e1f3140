"""`spantape stats`: how many calls, how many failed, tokens, cost and latency, by whatever."""

from __future__ import annotations

import click

from ._groups import KEYS, counted, drawn, figures, grouped, told
from ._output import Output, output
from ._query import Query, query


@click.command("stats")
@click.option("--by", "key", type=click.Choice(KEYS), default="model", show_default=True, help="What to group by.")
@query
@output
def command(calls: Query, key: str, output: Output) -> None:
    """Count calls, errors, tokens, cost and latency."""
    found = told(grouped(calls.oldest(), key), key, lambda _: "calls")
    most = max((each["calls"] for each in found), default=0)
    shapes = {
        115: f"{key},{counted(found)},failed,input_tokens,output_tokens,cost,p50_ms,p95_ms,p99_ms,{drawn(key)}",
        60: f"{key},{counted(found)},failed,cost,p95_ms,{drawn(key)}",
        0: f"{key},{counted(found)},cost",
    }
    output.emit(found, shapes, figures(key, lambda group: (group["calls"], most)))
