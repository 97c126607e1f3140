"""The command in a pseudo-terminal, as a person sees it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_tree import environment


def terminal(*words: str, folder: Path, columns: int = 80, code: int = 0, **more: str) -> str:
    """Run the command in a terminal of a width, and give what stands there in the end."""
    given = environment(folder, TERM="xterm-256color", **more)
    del given["COLUMNS"]
    command = [sys.executable, "-m", "spantape", *words]
    with opened(columns) as (read, write):
        with subprocess.Popen(command, stdin=write, stdout=write, stderr=write, env=given, cwd=folder) as child:
            os.close(write)
            said = _all(read)
        assert child.returncode == code, said
    return _standing(said)


@contextmanager
def opened(columns: int) -> Iterator[tuple[int, int]]:
    """Open a pseudo-terminal: the end that sees what is written, which is closed, and the end that is written to."""
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    read, write = pty.openpty()
    fcntl.ioctl(write, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    try:
        yield read, write
    finally:
        os.close(read)


def _standing(said: str) -> str:
    """Give what is left of what was written when a bar, which comes where a command takes over a second, has gone."""
    rows, row = [""], 0
    for part in re.split(r"(\r\n|\n|\r|\x1b\[2K|\x1b\[1A|\x1b\[\?25[lh])", said):
        if part.endswith("\n"):
            row += 1
            rows += [""] * (row == len(rows))
        elif part == "\x1b[1A":
            row -= 1
        elif part == "\x1b[2K":
            rows[row] = ""
        elif part not in {"\r", "\x1b[?25l", "\x1b[?25h"}:
            rows[row] += part
    return "\n".join(rows)


def _all(source: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(source, 65536)
        except OSError:  # Linux tells the end so
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode()
