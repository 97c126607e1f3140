"""`spantape clean`: the plan of what upkeep would delete or compress, and on request that it is done."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..settings import Settings
from . import _format as form
from . import _place
from ._columns import number, plain
from ._output import Output, output
from ._progress import bar

_COLUMNS = {
    "action": plain("action"),
    "path": plain("path"),
    "bytes": number("bytes", lambda size: form.size(float(size))),
    "reason": plain("reason")._replace(flexible=True),
}


@click.command("clean")
@_place.folder
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--force", is_flag=True, help="Do it without asking.")
@output
def command(folder: Path | None, output: Output, *, dry_run: bool, force: bool) -> None:
    """Delete what is older or more than the settings allow, and compress what was archived; the plan comes first."""
    from ..sinks.files.upkeep import cleanup

    settings = Settings.load()
    base_dir = folder or settings.base_dir
    with bar("looking"):
        plan = [step._asdict() for step in cleanup(base_dir, settings, dry_run=True)]
    if not plan:
        click.echo("nothing to do", err=True)
        return
    output.emit(plan, {0: "action,path,bytes,reason"}, _COLUMNS)
    if dry_run or not (force or _agreed(len(plan))):
        return
    with bar("cleaning"):
        done = cleanup(base_dir, settings, force=force)
    click.echo(f"done: {len(done)} files, {form.size(sum(step.bytes for step in done))}", err=True)


def _agreed(number: int) -> bool:
    if not sys.stdin.isatty():
        click.echo("nothing was done: give --force to do it", err=True)
        return False
    return click.confirm(f"Do this to {number} files?", err=True)
