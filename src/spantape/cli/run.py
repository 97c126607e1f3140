"""`spantape run -- python app.py`: record a program without changing it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import takewhile
from pathlib import Path
from typing import Any

import click

from .. import moments
from ..filter import Record
from ..settings import Settings
from ..sinks.files.reader import Recordings
from . import _place
from ._columns import dig
from ._format import count
from ._groups import Group, money

_START = Path(__file__).parent.with_name("_start")
_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
_NO_SUCH_COMMAND = 127
_OFF = "nothing was recorded: it is switched off, as `spantape doctor` says"
# Some processes write later than others what ended before.
_LATE = timedelta(minutes=1)
_NEVER = datetime.max.replace(tzinfo=timezone.utc)


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_place.folder
@click.option("--otlp", metavar="URL", help="Send the spans there over OTLP, too.")
@click.option("--no-content", is_flag=True, help="Keep no prompts and responses.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- PROGRAM [ARGS]...")
def command(folder: Path | None, otlp: str | None, no_content: bool, quiet: bool, program: tuple[str, ...]) -> None:
    """Run a program and record the LLM calls of all its Python processes; its exit code is the command's."""
    given = {
        "base_dir": folder and folder.absolute(),
        "otlp_endpoint": otlp,
        "capture_content": False if no_content else None,
    }
    settings = Settings.load(**given)
    recordings = Recordings(settings.base_dir, settings=settings)
    began = datetime.now().astimezone()
    code = _run(program, _environment(given))
    if not quiet:
        told = f"{_summary(_since(recordings, began))} in {settings.base_dir}" if settings.enabled else _OFF
        click.echo(f"spantape: {told}", err=True)
    sys.exit(code)


def _environment(given: dict[str, Any]) -> dict[str, str]:
    """Give the program's environment: `sitecustomize` is what Python imports before a program begins."""
    path = os.pathsep.join(filter(None, [str(_START), os.environ.get("PYTHONPATH")]))
    said = {f"SPANTAPE_{name.upper()}": str(value) for name, value in given.items() if value is not None}
    return {**os.environ, **said, "PYTHONPATH": path}


def _run(program: tuple[str, ...], environment: dict[str, str]) -> int:
    early: list[int] = []
    tell: list[Callable[[int], None]] = [early.append]
    _listen(lambda number, _: tell[-1](number))  # before it begins: what comes just then would end us alone
    try:
        child = subprocess.Popen(program, env=environment)  # noqa: S603 - to run what was given is what it is for
    except OSError as error:
        click.echo(f"spantape: {program[0]} can't be run: {error.strerror}", err=True)
        return _NO_SUCH_COMMAND
    tell.append(child.send_signal)
    for number in early:
        child.send_signal(number)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _listen(handler: Callable[[int, object], None]) -> None:
    # The terminal has told the program, too: it decides. Were it ignored here, it would be there, too.
    signal.signal(signal.SIGINT, lambda *_: None)
    for name in _PASSED_ON:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)


def _since(recordings: Recordings, began: datetime) -> Group:
    """Sum up the calls that began since, and look at no more than those: they are written when they end."""
    found, earliest = Group(), began - _LATE
    for record in takewhile(lambda record: _ended(record) >= earliest, recordings.iter_latest()):
        if (moments.read(record.get("timestamp")) or earliest) >= began:
            found.add(record)
    return found


def _ended(record: Record) -> datetime:
    return moments.read(dig(record, "timing.end_time")) or _NEVER


def _summary(found: Group) -> str:
    """Tell how many there were, and what they cost: each currency by itself, and nothing where that is not known."""
    told = [f"{found.calls:.0f} calls", f"{found.failed:.0f} failed", f"{count(found.sent + found.received)} tokens"]
    return ", ".join([*told, *([money(dict(sorted(found.costs.items())))] if found.costs else [])])
