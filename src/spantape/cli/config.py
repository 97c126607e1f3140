"""`spantape config`: every setting, its value and where that came from."""

from __future__ import annotations

from enum import Flag

import click

from ..settings import found
from ._columns import plain
from ._output import Output, output


@click.command("config")
@output
def command(output: Output) -> None:
    """List the settings that a program started here would record with, and where each came from."""
    rows = ({"setting": name, "value": _plain(value), "from": source or "default"} for name, value, source in found({}))
    output.emit(rows, {0: "setting,value,from"}, {"value": plain("value")._replace(flexible=True)})


def _plain(value: object) -> object:
    """Give what a person would write for a value."""
    return value if value is None or isinstance(value, (bool, int, float)) else _written(value)


def _written(value: object) -> str:
    if isinstance(value, (tuple, list, frozenset, set)):
        return ", ".join(map(str, value))
    return str(value.name if isinstance(value, Flag) else value)
