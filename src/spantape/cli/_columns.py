"""The columns of a list: what each takes from a record, as data and as a person reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import click

from ..filter import Record, status
from . import _format as form

COLOURS = {
    "success": "green",
    "failed": "red",
    "timeout": "red",
    "interrupted": "red",
    "cancelled": "yellow",
    "running": "blue",
}


class Column(NamedTuple):
    """One column: `value` is the datum, `shown` its text, `style` its colour in a terminal.

    One that is flexible takes what the others leave; names may be long, and are cut where that would leave nothing.
    """

    value: Callable[[Record], Any]
    shown: Callable[[Record], str]
    right: bool = False
    style: Callable[[Record], str] = lambda _: ""
    flexible: bool = False
    is_name: bool = False


def dig(record: Record, path: str) -> Any:
    """Give what stands at a path like `usage.input_tokens`; None when nothing does."""
    value: Any = record
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def figure(record: Record, path: str) -> float | None:
    """Give the number at a path; None when there is none: a file may be somebody else's."""
    value = dig(record, path)
    return value if isinstance(value, (int, float)) else None


def outcome(record: Record) -> str:
    """Give how a call ended, in the fewest characters: ok, the status code of an error, or a word."""
    word = status(record)
    code = dig(record, "error.status_code")
    retried = f" ↻{record['retries']}" if record.get("retries") else ""
    return ("ok" if word == "success" else str(code) if word == "failed" and code else word) + retried


def got(record: Record) -> str:
    """Give what came back: the response, or the error."""
    return form.line(record.get("response") or record.get("error_message") or "")


def _last_said(record: Record) -> str:
    """Give the last message that was sent: what is new in this call."""
    from ..transcript import text_of

    messages = record.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    return form.line((text_of(last) if isinstance(last, dict) else "") or record.get("prompt") or "")


def _any(value: Any) -> str:
    from .. import jsontext

    return form.line(value if isinstance(value, str) else jsontext.text(value)) if value is not None else ""


def _path(path: str, show: Callable[[Any], str] = form.line) -> Column:
    return Column(lambda record: dig(record, path), lambda record: show(dig(record, path)))


def plain(path: str) -> Column:
    """Give a column of whatever stands at a path."""
    return _path(path, _any)


def named(path: str) -> Column:
    """Give a column of names."""
    return plain(path)._replace(is_name=True)


def number(path: str, show: Callable[[Any], str]) -> Column:
    """Give a column of numbers."""
    return Column(lambda record: dig(record, path), lambda record: show(dig(record, path)), right=True)


def _tokens(record: Record) -> str:
    sent, received = dig(record, "usage.input_tokens"), dig(record, "usage.output_tokens")
    if sent is None and received is None:
        return "–"
    return ("~" if dig(record, "usage.estimated") else "") + f"{form.count(sent)}›{form.count(received)}"


def _cost(record: Record) -> str:
    return form.money(dig(record, "cost.total"), dig(record, "cost.currency") or "USD")


COLUMNS = {
    "id": _path("id", lambda value: str(value or "")[:8]),
    "time": _path("timestamp", form.clock),
    "date": _path("timestamp", lambda value: form.clock(value, day=True)),
    "status": Column(status, outcome, style=lambda record: COLOURS.get(status(record), "")),
    "session": named("session_id"),
    "user": named("user_id"),
    "agent": named("agent_key"),
    "provider": named("provider"),
    "operation": named("operation"),
    "model": named("model"),
    "tokens": Column(lambda record: dig(record, "usage.total_tokens"), _tokens, right=True),
    "cost": Column(lambda record: dig(record, "cost.total"), _cost, right=True),
    "latency": number("timing.duration_ms", form.duration),
    "ttft": number("timing.time_to_first_chunk_ms", form.duration),
    "prompt": Column(lambda record: record.get("prompt"), _last_said, flexible=True),
    "response": Column(lambda record: record.get("response"), got, flexible=True),
    "said": Column(
        lambda record: f"{record.get('prompt') or ''} → {got(record)}",
        lambda record: f"{_last_said(record)} → {got(record)}",
        flexible=True,
    ),
    "error": named("error.type"),
    "trace": named("trace_id"),
}


CALLS = {
    110: "id,time,status,model,session,tokens,cost,latency,prompt,response",
    76: "id,time,status,model,cost,latency,said",
    0: "id,status,said",
}
"""The columns of a list of calls, by the least width of a terminal."""


def columns(names: str, known: Mapping[str, Column]) -> dict[str, Column]:
    """Give the columns that a list of names asks for: those that are known, or any path into the record."""
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    if not chosen:
        raise click.UsageError(f"--fields is empty: give some of {', '.join(known)}, or paths like usage.input_tokens")
    return {name: known.get(name) or plain(name) for name in chosen}
