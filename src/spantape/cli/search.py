"""`spantape search TEXT`: the calls in which something was said, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import click

from ..filter import Record, texts
from ..transcript import text_of
from ._columns import COLUMNS, plain
from ._format import line
from ._output import Output, output
from ._query import Query, most, query

_AROUND = 40
_SHAPES = {100: "id,date,status,model,session,where,found", 60: "id,time,where,found", 0: "id,found"}
_PLACES = ("prompt", "response", "error_message")
_MESSAGES = ("messages", "output_messages")


@click.command("search")
@click.argument("text")
@most(20)
@query
@output
def command(calls: Query, text: str, number: int, output: Output) -> None:
    """Find the calls in which TEXT was said: prompts, responses, tools, errors; in upper or lower case."""
    known = COLUMNS | {"where": plain("where"), "found": plain("found")._replace(flexible=True)}
    output.emit(_excerpts(calls.latest(number, text=text), text), _SHAPES, known)


def _excerpts(records: Iterator[Record], text: str) -> Iterator[Record]:
    for record in records:
        yield {**record, **_excerpt(record, text)}


def _excerpt(record: Record, text: str) -> dict[str, Any]:
    """Give the first place that says it, and what is around it there."""
    for name, said in _said(record):
        hit = re.search(re.escape(text), said, re.IGNORECASE)
        if hit:
            start, end = max(0, hit.start() - _AROUND), hit.end() + _AROUND
            return {"where": name, "found": ("…" if start else "") + said[start:end] + ("…" if end < len(said) else "")}
    return {"where": "messages", "found": ""}


def _said(record: Record) -> Iterator[tuple[str, str]]:
    """Give what was said, and where: first as a whole, then by each role, with tools, and what is shown nowhere."""
    yield from ((name, line(record.get(name) or "")) for name in _PLACES)
    for message in chain.from_iterable(record.get(name) or () for name in _MESSAGES):
        if isinstance(message, dict):
            yield from ((str(message.get("role")), line(said)) for said in (text_of(message), *texts(message)))
