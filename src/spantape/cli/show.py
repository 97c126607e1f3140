"""`spantape show ID`: one call, whole."""

from __future__ import annotations

import re
from collections.abc import Callable

import click

from .. import jsontext
from ..filter import Record
from ..sinks.files.reader import Recordings
from . import _request
from ._calls import before, find
from ._conversation import lines, rows
from ._output import NothingFound
from ._place import place
from ._progress import say_data

_CODE = re.compile(r"```[^\n]*\n(.*?)```", re.DOTALL)


def _raw(record: Record) -> str:
    return jsontext.pretty(record)


def _sent(record: Record) -> str:
    return jsontext.pretty(_request.body(record))


def _markdown(record: Record) -> str:
    return "\n".join(f"**{row.label}** {row.text}\n" if row.label else row.text for row in rows(record) if row.text)


def _answer(record: Record) -> str:
    return str(record.get("response") or "")


def _code(record: Record) -> str:
    found = _CODE.search(_answer(record))
    if found is None:
        raise NothingFound("the response has no block of code")
    return found[1].rstrip("\n")


def _other(recordings: Recordings, record: Record, name: str | None) -> Record | None:
    """Give the call that this one is compared to."""
    if name is None:
        return None
    return before(recordings, record) if name == "prev" else find(recordings, name)


_FORMS: dict[str, Callable[[Record], str]] = {"curl": _request.curl, "python": _request.python, "md": _markdown}


@click.command("show")
@click.argument("name", metavar="ID", default="last")
@click.option("--raw", "form", flag_value="raw", help="The record as JSON.")
@click.option("--request", "form", flag_value="request", help="The body of the request as JSON.")
@click.option("-r", "--response", "form", flag_value="response", help="The response only.")
@click.option("-x", "--code", "form", flag_value="code", help="The first block of code in the response.")
@click.option("--as", "other", type=click.Choice(list(_FORMS)), help="To send it again, or to paste it.")
@click.option("--diff", metavar="ID", help="Fold what that call had, too; `prev` is the one before in the session.")
@place
def command(recordings: Recordings, name: str, form: str | None, other: str | None, diff: str | None) -> None:
    """Show one call: what was sent, what came back, what it cost, why it failed."""
    record = find(recordings, name)
    simple = {"raw": _raw, "request": _sent, "response": _answer, "code": _code, **_FORMS}.get(other or form or "")
    if simple is not None:
        say_data(simple(record))
        return
    for label, text, colour in lines(rows(record, _other(recordings, record, diff))):
        click.echo(click.style(label, fg=colour or None, bold=bool(colour)) + text)
