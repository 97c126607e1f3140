"""What was said steers no terminal, and reaches a program unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_terminal import terminal
from cli_tree import record, spantape, tree

STEERS = "\x1b[31mred\x1b[0m \x1b]0;owned\x07 \x9b2J\x7f over\rwritten"
SEEN = "␛[31mred␛[0m ␛]0;owned␇ \ufffd2J␡"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tree(tmp_path, [record(0), record(1, prompt=STEERS, response=STEERS, error_message=STEERS)])


@pytest.mark.parametrize(
    "words",
    [
        *("show", "show -r", "show --as md", "session 5", "diff last~1 last", "search owned"),
        *("ls --fields response --full", "ls -o csv", "ls -o table --fields error_message", "tail", "tail -o jsonl"),
    ],
)
def test_a_terminal_is_not_steered(words: str, folder: Path) -> None:
    told = terminal(*words.split(), folder=folder, columns=200)
    assert not {"\x1b", "\x9b", "\x7f", "\x07"} & set(told)
    assert "owned" in told
    assert "\r" not in told.replace("\r\n", "\n")


def test_it_is_shown_as_signs(folder: Path) -> None:
    assert SEEN in terminal("show", folder=folder)
    assert "a\nb" in terminal("show", folder=tree(folder / "lines", [record(1, response="a\r\nb")])).replace(
        "assistant ", ""
    ).replace("          ", "")


def test_a_program_gets_all_of_it(folder: Path) -> None:
    assert spantape("show", "-r", folder=folder) == f"{STEERS}\n"
    assert STEERS.replace("\r", " ") in spantape("ls", "--fields", "response", folder=folder)
