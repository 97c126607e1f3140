"""The `spantape` command: works on the recorded files alone, without a server or a database."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from .._version import __version__
from ..errors import SpantapeError

# Each command is a file of this folder that is imported when it runs: `--help` has to be there at once.
COMMANDS = {
    "run": "Run a program and record its LLM calls.",
    "ls": "List recorded calls, the newest first.",
    "tail": "Show the latest calls, and with -f each that begins or ends.",
    "show": "Show one call: what was sent, what came back, what it cost, why it failed.",
    "sessions": "List sessions, the one with the latest call first.",
    "session": "Show a session as one conversation.",
    "trace": "Show the calls of one trace, over time.",
    "errors": "List what failed, call by call or by kind.",
    "search": "Find the calls in which something was said.",
    "stats": "Count calls, errors, tokens, cost and latency, by whatever.",
    "cost": "Sum up what calls cost, by whatever.",
    "diff": "Compare two calls: parameters, words, tokens, cost, latency.",
    "export": "Write calls to a file: json, jsonl, csv, xlsx, md, html.",
    "prices": "Look up prices, and price recorded calls anew.",
    "clean": "Delete what is too old or too much; the plan comes first.",
    "backup": "Copy all records, as of one moment.",
    "push": "Send recorded spans to a collector.",
    "status": "Say how much is recorded, and whether more can be written.",
    "doctor": "Say whether this environment would record, and what to do if not.",
    "config": "List the settings and where each came from.",
    "where": "Print the folder that is recorded to.",
    "demo": "Record a few calls to a built-in server, to see what there is to see.",
}
_FAILED = 1
_NARROWEST, _USUAL, _WIDEST, _MARGIN = 50, 80, 100, 2


class Commands(click.Group):
    """The commands, by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Give all names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __name__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _WIDEST})
@click.version_option(__version__, prog_name="spantape")
def spantape() -> None:
    """From a failing call to its cause: look into what spantape has recorded.

    ID is a call's id or the beginning of it, `last`, `err` for the last that failed, or `last~1` for the one before.
    Exit codes: 1 failed, 2 wrong usage, 3 nothing found, 4 unhealthy, 6 not recording.
    """


def _width() -> int:
    """Give how wide a page of help is; click asks `shutil` for it, which imports three ways to compress."""
    try:
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
    except (OSError, ValueError):
        columns = _USUAL
    return max(_NARROWEST, min(columns, _WIDEST) - _MARGIN)


def main() -> None:
    """Run the command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        spantape.main(
            prog_name="spantape", terminal_width=_width(), color=False if os.environ.get("NO_COLOR") else None
        )
    except (SpantapeError, OSError) as error:
        click.echo(f"spantape: {error}", err=True)
        sys.exit(_FAILED)
