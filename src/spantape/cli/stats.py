"""`spantape stats`: how many calls, how many failed, tokens, cost and latency, by whatever."""

from __future__ import annotations

import click

from ._groups import KEYS, amounts, counted, drawn, figures, grouped, told
from ._output import PIPED, Output, output
from ._query import Query, most, query


@click.command("stats")
@click.option("--by", "key", type=click.Choice(KEYS), default="model", show_default=True, help="What to group by.")
@most(0)
@query
@output
def command(calls: Query, key: str, number: int, output: Output) -> None:
    """Count calls, errors, tokens, cost and latency."""
    found = told(grouped(calls.oldest(), key), key, lambda _: "calls")
    top = max((each["calls"] for each in found), default=0)
    latencies = "p50_ms,p95_ms,p99_ms"
    shapes = {
        PIPED: f"{key},{counted(found)},failed,input_tokens,output_tokens,{amounts(found)},unpriced,{latencies},trend",
        115: f"{key},{counted(found)},failed,input_tokens,output_tokens,cost,{latencies},{drawn(key)}",
        80: f"{key},{counted(found)},failed,cost,p95_ms,{drawn(key)}",
        0: f"{key},{counted(found)},cost",
    }
    output.emit(found[: number or None], shapes, figures(key, lambda group: (group["calls"], top)))
