"""What others wrote, what is damaged and what is encrypted: told as far as it can be, and said where it can't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_tree import DAY, process, record, spantape, tree

FOREIGN: dict[str, Any] = {
    "id": "bbbbbbbb",
    "timestamp": "no time",
    "session_id": 7,
    "trace_id": 99,
    "model": ["a"],
    "messages": [5, None, {"role": None, "parts": [5, {"type": "text", "content": None}]}],
    "output_messages": ["x"],
    "usage": {"input_tokens": "many", "total_tokens": "x"},
    "cost": {"total": "free", "currency": 5},
    "timing": {"duration_ms": "long"},
    "error": {"type": 5, "message": {"a": 1}},
    "success": False,
    "retries": "two",
    "error_message": {"x": 1},
    "prompt": ["p"],
    "response": {"r": 1},
    "request": {"tools": "t"},
    "metadata": None,
}
LISTS = ["ls", "tail", "sessions", "session 7", "trace 9", "errors", "errors --group", "stats", "cost", "prices recalc"]
ONE = ["show bbbb", "show bbbb --raw", "show bbbb --as curl", "show bbbb --as md", "show -r bbbb", "diff bbbb last~1"]


@pytest.mark.parametrize("words", [*LISTS, *(f"{words} -o table" for words in LISTS), *ONE])
def test_records_of_others(words: str, tmp_path: Path) -> None:
    done = process(*words.split(), folder=tree(tmp_path, [record(1), FOREIGN]))
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_read_is_said(folder: Path) -> None:
    file = folder / "by_date" / f"{DAY}_all_interactions.json"
    file.write_text(file.read_text(encoding="utf-8").replace("[\n", "[\nnot JSON,\n", 1), encoding="utf-8")
    done = process("ls", folder=folder)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 5)
    assert done.stderr == "spantape: 1 lines can't be read, and are left out\n"


def test_what_is_encrypted(tmp_path: Path) -> None:
    sealed = {key: {"encrypted": "gAAAAB"} for key in ("prompt", "response", "messages", "output_messages")}
    folder = tree(tmp_path, [record(1, **sealed)])
    assert spantape("show", folder=folder).count("it is encrypted: give the key") == 2
    done = process("show", "--as", "curl", folder=folder)
    assert done.returncode == 3
    assert "what was sent is encrypted: give the key" in done.stderr


def test_a_file_is_no_folder(folder: Path) -> None:
    for words in ("ls", "status", "doctor", "clean", "run -- true"):
        name, *more = words.split()
        done = process(name, "--dir", str(Path(__file__)), *more, folder=folder)
        assert done.returncode == 2
        assert "is a file" in done.stderr
