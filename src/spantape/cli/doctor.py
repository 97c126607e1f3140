"""`spantape doctor`: whether this environment would record, and what to do if not."""

from __future__ import annotations

import sys

import click

from ..settings import Settings
from ._checks import BAD, GOOD, POOR, findings, self_test

_UNHEALTHY, _NOT_RECORDING = 4, 6
_COLOURS = {GOOD: "green", POOR: "yellow", BAD: "red"}


@click.command("doctor")
@click.option(
    "--self-test", "tests", is_flag=True, help="Make a call through the built-in server, and look for its record."
)
def command(*, tests: bool) -> None:
    """Say whether this environment would record: libraries, settings, folder, OTLP endpoint, neighbours."""
    settings = Settings.load()
    worst = GOOD
    for each in [*findings(settings), *(self_test() if tests else ())]:
        click.echo(f"{click.style(each.state.ljust(5), fg=_COLOURS[each.state])}{each.about:<12} {each.found}")
        if each.advice:
            click.echo(f"{'':17} → {each.advice}")
        worst = BAD if BAD in {worst, each.state} else POOR if POOR in {worst, each.state} else GOOD
    off = not settings.enabled or (tests and each.state == BAD)
    sys.exit(_NOT_RECORDING if off else _UNHEALTHY if worst == BAD else 0)
