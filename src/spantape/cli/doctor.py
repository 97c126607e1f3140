"""`spantape doctor`: whether this environment would record, and what to do if not."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

import click

from ..settings import Settings
from . import _place
from ._checks import BAD, GOOD, POOR, SELF_TEST, Finding, findings, self_test
from ._output import Output, output

_UNHEALTHY, _NOT_RECORDING = 4, 6
_COLOURS = {GOOD: "green", POOR: "yellow", BAD: "red"}


@click.command("doctor")
@click.option(
    "--self-test",
    "tests",
    is_flag=True,
    help="Make a call with each client library, without a network, and look for its record.",
)
@_place.folder
@output
def command(output: Output, folder: Path | None, *, tests: bool) -> None:
    """Say whether this environment would record: libraries, settings, folder, OTLP endpoint, neighbours."""
    settings = Settings.load(base_dir=folder)
    found = []
    for each in chain(findings(settings), self_test() if tests and settings.enabled else ()):
        found.append(each)
        if not output.is_asked_for:
            _tell(each)
    if output.is_asked_for:
        output.emit([each._asdict() for each in found], {0: ",".join(Finding._fields)})
    bad = {each.about for each in found if each.state == BAD}
    silent = not settings.enabled or SELF_TEST in bad
    sys.exit(_NOT_RECORDING if silent else _UNHEALTHY if bad else 0)


def _tell(each: Finding) -> None:
    click.echo(f"{click.style(each.state.ljust(5), fg=_COLOURS[each.state])}{each.about:<18} {each.found}")
    if each.advice:
        click.echo(f"{'':23} → {each.advice}")
