"""A bar on anything over a second: on the terminal's stderr, gone in the end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_terminal import opened
from cli_tree import DAY, RECORDS, environment, real

from spantape.sinks.files.lock import locked

SCANS = ["ls", "search nowhere", "stats", "export a.json"]


@contextmanager
def slow(folder: Path) -> Iterator[threading.Event]:
    """Have reading wait two seconds for a writer in each of many torn files, until the event."""
    file = folder / "by_date" / f"{DAY}_all_interactions.json"
    torn = file.read_bytes().rstrip().removesuffix(b"\n]") + b',\n{"id":"to'
    for day in range(1, 22):
        file.with_name(f"2026-11-{day:02}_all_interactions.json").write_bytes(torn)
    lock = folder / ".lock"
    lock.touch()
    enough = threading.Event()

    def hold() -> None:
        with locked(lock, 60):
            held.set()
            enough.wait(300)

    held = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(300)
    try:
        yield enough
    finally:
        enough.set()
        thread.join()


@pytest.mark.parametrize("words", SCANS)
def test_reading_shows_a_bar_and_clears_it(words: str, folder: Path) -> None:
    with slow(folder) as enough, opened(80) as (source, terminal):
        given = environment(folder, TERM="xterm-256color")
        command = [sys.executable, "-m", "spantape", *words.split()]
        with subprocess.Popen(command, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, env=given, cwd=folder):
            os.close(terminal)
            seen = b""
            while b"reading" not in seen:
                seen += _more(source) or pytest.fail(f"no bar: {seen!r}")
            enough.set()
            while part := _more(source):
                seen += part
    assert "%" in seen.decode()
    assert "reading" not in seen.decode().rpartition("\x1b[2K")[2]


def _more(source: int) -> bytes:
    try:
        return os.read(source, 4096)
    except OSError:  # Linux tells the end so
        return b""


def test_piped_there_is_none(folder: Path) -> None:
    with slow(folder):
        done = real("ls", "-o", "jsonl", "-n", "4", folder=folder)
    assert len(done.stdout.splitlines()) == len(RECORDS)
    assert done.stderr == "spantape: 1 lines can't be read, and are left out\n"
