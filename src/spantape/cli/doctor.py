"""`spantape doctor`: whether this environment would record, and what to do if not."""

from __future__ import annotations

import sys
from itertools import chain

import click

from ..settings import Settings
from ._checks import BAD, GOOD, POOR, SELF_TEST, findings, self_test

_UNHEALTHY, _NOT_RECORDING = 4, 6
_COLOURS = {GOOD: "green", POOR: "yellow", BAD: "red"}


@click.command("doctor")
@click.option(
    "--self-test",
    "tests",
    is_flag=True,
    help="Make a call with each client library, without a network, and look for its record.",
)
def command(*, tests: bool) -> None:
    """Say whether this environment would record: libraries, settings, folder, OTLP endpoint, neighbours."""
    settings = Settings.load()
    worst, silent = GOOD, not settings.enabled
    for each in chain(findings(settings), self_test() if tests and settings.enabled else ()):
        click.echo(f"{click.style(each.state.ljust(5), fg=_COLOURS[each.state])}{each.about:<18} {each.found}")
        if each.advice:
            click.echo(f"{'':23} → {each.advice}")
        worst = BAD if BAD in {worst, each.state} else POOR if POOR in {worst, each.state} else GOOD
        silent |= each.state == BAD and each.about == SELF_TEST
    sys.exit(_NOT_RECORDING if silent else _UNHEALTHY if worst == BAD else 0)
