"""The first thing to try."""

from __future__ import annotations

import shlex
from pathlib import Path

from cli_tree import process, spantape


def test_what_it_says_can_be_done(tmp_path: Path) -> None:
    told = spantape("demo", "--dir", "tried", folder=tmp_path)
    assert told.startswith("3 calls were recorded to tried.")
    commands = [shlex.split(line)[1:] for line in told.splitlines() if line.startswith("  spantape ")]
    assert len(commands) == 3
    shown = [process(*words, folder=tmp_path) for words in commands]
    assert [each.returncode for each in shown] == [0, 0, 0]
    assert "model_not_found" in shown[1].stdout
    assert "tape recorder" in shown[2].stdout
