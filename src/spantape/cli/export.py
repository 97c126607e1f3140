"""`spantape export FILE`: calls as a file for other programs."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import click

from . import _files
from ._format import size
from ._output import NothingFound
from ._query import Query, most, query


@click.command("export")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("-o", "form", type=click.Choice(_files.FORMS), help="The form; without it the name of FILE says it.")
@click.option("--fields", metavar="A,B", help="Columns, or paths like usage.input_tokens.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@most(0)
@query
def command(  # noqa: PLR0913 - click gives each option by itself
    calls: Query, path: Path, form: str | None, fields: str | None, number: int, *, force: bool
) -> None:
    """Write the calls that match to FILE, every value complete: json, jsonl, csv, xlsx, md or html."""
    chosen = form or path.suffix.lower().lstrip(".")
    if chosen not in _files.FORMS:
        raise click.UsageError(f"{path.name} does not say its form: give -o with one of {', '.join(_files.FORMS)}")
    if chosen == "html" and fields:
        raise click.UsageError("a page shows whole calls: --fields is for the other forms")
    if path.exists() and not force:
        raise click.UsageError(f"{path} is there already: give --force to write over it")
    found = iter(list(calls.latest(number))[::-1]) if number else calls.oldest()
    first = next(found, None)
    if first is None:
        raise NothingFound("nothing found")
    written = _files.write(chain([first], found), path, chosen, fields)
    click.echo(f"{written:,} calls, {size(path.stat().st_size)}: {path}")
