"""The command in a pseudo-terminal, as a person sees it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from cli_tree import environment


def terminal(*words: str, folder: Path, columns: int = 80, code: int = 0, **more: str) -> str:
    """Run the command in a terminal of a width, and give what stands there in the end."""
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    read, write = pty.openpty()
    fcntl.ioctl(write, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    given = environment(folder, TERM="xterm-256color", **more)
    del given["COLUMNS"]
    import subprocess

    with subprocess.Popen(
        [sys.executable, "-m", "spantape", *words], stdin=write, stdout=write, stderr=write, env=given, cwd=folder
    ) as child:
        os.close(write)
        said = _all(read)
        assert child.wait(60) == code, said
    return said.replace("\r\n", "\n")


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
    os.close(source)
    return b"".join(parts).decode()
