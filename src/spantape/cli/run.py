"""`spantape run -- python app.py`: record a program without changing it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from .. import moments
from ..filter import Record
from ..settings import Settings
from ..sinks.files.reader import Recordings
from ._columns import dig
from ._format import count, money

_START = Path(__file__).parent.with_name("_start")
_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
_NO_SUCH_COMMAND = 127
_MOST = 100_000


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Folder of the records.")
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
        click.echo(f"spantape: {_summary(_since(recordings, began))} in {settings.base_dir}", err=True)
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


def _since(recordings: Recordings, began: datetime) -> list[Record]:
    latest = recordings.get_latest_interactions(_MOST)
    return [each for each in latest if (moment := moments.read(each.get("timestamp"))) and moment >= began]


def _summary(records: list[Record]) -> str:
    tokens = sum(dig(each, "usage.total_tokens") or 0 for each in records)
    failed = sum(each.get("success") is False for each in records)
    told = [f"{len(records)} calls", f"{failed} failed", f"{count(tokens)} tokens", _spent(records)]
    return ", ".join(told)


def _spent(records: list[Record]) -> str:
    """Give what calls cost, each currency by itself."""
    spent: dict[str, float] = {}
    for each in records:
        currency = str(dig(each, "cost.currency") or "USD")
        spent[currency] = spent.get(currency, 0.0) + (dig(each, "cost.total") or 0.0)
    priced = {currency: amount for currency, amount in spent.items() if amount} or {"USD": 0.0}
    return " + ".join(money(amount, currency) for currency, amount in sorted(priced.items()))
