"""`spantape diff A B`: what is different between two calls."""

from __future__ import annotations

import click

from ..sinks.files.reader import Recordings
from ._calls import find
from ._difference import changes
from ._format import harmless
from ._place import place
from ._progress import bar

_MARKS = {"-": ("[-", "-]", "red"), "+": ("{+", "+}", "green")}


@click.command("diff")
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@place
def command(recordings: Recordings, one: str, other: str) -> None:
    """Compare two calls: parameters, the words of each message, tokens, cost, latency."""
    first, second = find(recordings, one), find(recordings, other)
    with bar("comparing"):
        found = list(changes(first, second))
    for change in found:
        told = "".join(_marked(piece.sign, harmless(piece.text)) for piece in change.pieces)
        click.echo(f"{change.label:<9} {told}".replace("\n", "\n" + " " * 10))
    if not found:
        click.echo("the calls are the same")


def _marked(sign: str, text: str) -> str:
    """Mark what changed as `git diff --word-diff` does, so that it can be read without colours, too."""
    if sign not in _MARKS:
        return text
    before, after, colour = _MARKS[sign]
    return click.style(f"{before}{text}{after}", fg=colour)
