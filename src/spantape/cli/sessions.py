"""`spantape sessions`: the sessions, the one with the latest call first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import click

from ..filter import Record, status
from . import _format as form
from ._columns import Column, dig, figure, named, number, plain
from ._groups import money
from ._output import Output, output
from ._query import Query, most, query

_SHAPES = {
    100: "session,user,calls,failed,tokens,cost,first,last,said",
    76: "session,calls,failed,cost,last,said",
    0: "session,calls",
}
_COLUMNS: dict[str, Column] = {
    "session": named("session"),
    "user": named("user"),
    "calls": number("calls", form.count),
    "failed": number("failed", lambda count: str(count or "")),
    "tokens": number("tokens", form.count),
    "cost": number("cost", money),
    "first": plain("first")._replace(shown=lambda record: form.clock(record["first"], day=True)),
    "last": plain("last")._replace(shown=lambda record: form.clock(record["last"], day=True)),
    "said": plain("said")._replace(flexible=True),
}


@click.command("sessions")
@most(20)
@query
@output
def command(calls: Query, number: int, output: Output) -> None:
    """List sessions: calls, errors, tokens, cost, and what was asked last."""
    output.emit(islice(_sessions(calls.latest()), number or None), _SHAPES, _COLUMNS)


def _sessions(records: Iterable[Record]) -> Iterable[Record]:
    """Sum up calls, the newest first, by their session."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        if record.get("session_id") is not None:
            name = str(record["session_id"])
            _add(found.setdefault(name, _new(name, record)), record)
    return found.values()


def _new(name: str, latest: Record) -> dict[str, Any]:
    said, when = form.line(latest.get("prompt") or "")[-200:], latest.get("timestamp")
    return {"session": name, "user": None, "calls": 0, "failed": 0, "tokens": 0, "cost": {}, "last": when, "said": said}


def _add(session: dict[str, Any], record: Record) -> None:
    session["user"] = session["user"] or record.get("user_id")
    session["calls"] += 1
    session["failed"] += status(record) not in {"success", "running"}
    session["tokens"] += figure(record, "usage.total_tokens") or 0
    session["first"] = record.get("timestamp")
    cost, currency = figure(record, "cost.total"), str(dig(record, "cost.currency"))
    if cost is not None:
        session["cost"][currency] = session["cost"].get(currency, 0) + cost
