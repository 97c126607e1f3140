"""What every command prints, piped and in a terminal of 80 columns, byte by byte: files in `golden/`.

To write them anew, and then to look at the difference: `GOLDEN=write pytest tests/cli/test_golden.py`.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from cli_terminal import terminal
from cli_tree import real, write

from spantape.cli import COMMANDS, spantape

GOLDEN = Path(__file__).parent / "golden"
PRICES = """[{"model": "mine", "input_price_per_1k": 1, "output_price_per_1k": 2, "currency": "CNY", "source": "us"},
{"model": "gpt-4o-mini", "input_price_per_1m": 0.3, "output_price_per_1m": 0.6}]"""
SET = {f"SPANTAPE_{name}RETENTION_DAYS": "15000" for name in ("", "DATE_", "ERROR_")}
SET |= {"SPANTAPE_PRICES": "prices.json", "SPANTAPE_BASE_DIR": "."}
OTHERWISE: dict[str, str] = {
    r"\d+(\.\d+)? (B|kB|MB|GB)\b": "<size>",
    r"\d+\.\d+\.\d+\S*( on \w+)?": "<version>",
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b(?<!0000000000)": "<id>",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}": "<now>",
}
"""What is different each time."""


class Case(NamedTuple):
    """A command as it is typed; what of its output is looked at; and the exit code."""

    words: str
    lines: str = ""
    code: int = 0


CASES = {
    "run": Case(f"run -- {shlex.quote(sys.executable)} -c 'print(1)'"),
    "ls": Case("ls"),
    "ls-full": Case("ls --full --fields id,prompt,response --status error"),
    "ls-csv": Case("ls -o csv --fields id,status,cost"),
    "ls-none": Case("ls --model none", code=3),
    "tail": Case("tail"),
    "show": Case("show err"),
    "show-diff": Case("show 00000001 --diff prev"),
    "show-curl": Case("show 00000002 --as curl"),
    "sessions": Case("sessions"),
    "session": Case("session 5"),
    "trace": Case("trace 0000000000000000000000000000000"),
    "errors": Case("errors"),
    "errors-group": Case("errors --group"),
    "search": Case("search 产品"),
    "stats": Case("stats"),
    "stats-day": Case("stats --by day"),
    "stats-status": Case("stats --by status"),
    "cost": Case("cost"),
    "cost-user": Case("cost --by user"),
    "diff": Case("diff 00000001 00000002"),
    "export": Case("export calls.csv"),
    "prices-list": Case("prices list -q mine"),
    "prices-find": Case("prices find mine"),
    "prices-recalc": Case("prices recalc --model gpt-4o-mini"),
    "clean": Case("clean --dry-run"),
    "clean-force": Case("clean --force"),
    "backup": Case("backup ../copy"),
    "push": Case("push --endpoint http://localhost:9"),
    "push-nowhere": Case("push", code=1),
    "status": Case("status"),
    "doctor": Case("doctor", lines=r"ok +(python|openai|langchain-core|opentelemetry-sdk|records|clock|otlp) "),
    "config": Case("config", lines=r"(setting|enabled|base_dir|prices|otlp_endpoint)\b"),
    "where": Case("where"),
    "demo": Case("demo"),
}


def commands(group: click.Group = spantape, before: str = "") -> set[str]:
    """Give all commands, and those within groups."""
    found = set()
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        inner = commands(command, f"{before}{name} ") if isinstance(command, click.Group) else {f"{before}{name}"}
        found |= inner
    return found


def test_every_command_is_there() -> None:
    assert len(commands()) >= len(COMMANDS)
    missing = [
        name for name in commands() if not any(f"{case.words} ".startswith(f"{name} ") for case in CASES.values())
    ]
    assert not missing, "add them to CASES"
    assert {path.name.partition(".")[0] for path in GOLDEN.iterdir()} == set(CASES)


@pytest.fixture
def place(folder: Path) -> Path:
    """Give the tree with prices, and with something that is old."""
    (folder / "prices.json").write_text(PRICES, encoding="utf-8")
    write(folder / "by_session" / "session_old" / "1970-01-02.json", [])
    return folder


def told(case: Case, text: str, folder: Path) -> str:
    """Give what is the same each time."""
    said = text.replace(str(folder), "<folder>")
    for pattern, name in OTHERWISE.items():
        said = re.sub(pattern, name, said)
    return "".join(f"{line.rstrip()}\n" for line in said.splitlines() if re.match(case.lines, line))


def compare(name: str, said: str) -> None:
    file = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(said, encoding="utf-8")
    assert said == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_piped(name: str, place: Path) -> None:
    case = CASES[name]
    done = real(*shlex.split(case.words), folder=place, **SET)
    assert done.returncode == case.code, done.stderr
    compare(f"{name}.piped.txt", told(case, done.stdout + done.stderr, place))


@pytest.mark.parametrize("name", CASES)
def test_in_a_terminal(name: str, place: Path) -> None:
    case = CASES[name]
    said = terminal(*shlex.split(case.words), folder=place, code=case.code, **SET)
    compare(f"{name}.terminal.txt", told(case, said, place))
