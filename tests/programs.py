"""Runs small programs in a process of their own: what is global, or happens at exit, needs one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

left_open_at_exit = pytest.mark.skipif(
    sys.version_info[:3] == (3, 13, 0),
    reason="CPython 3.13.0 crashes at exit with an open stream of the bare openai client, too",
)
# From Python 3.14 on it is the bare client, too, that says so of a stream which is open at exit.
_OPEN_AT_EXIT = re.compile(
    r"^Exception ignored while closing generator <generator object Stream\.__stream__ .*?"
    r"^ImportError: sys\.meta_path is None[^\n]*\n",
    re.DOTALL | re.MULTILINE,
)

CALL = """
def ask(url, text="hi", **more):
    import openai
    with openai.OpenAI(base_url=url, api_key="test", http_client=openai.DefaultHttpxClient(verify=False)) as client:
        return client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": text}], **more
        )
"""


def run(code: str, *arguments: str | Path, command: tuple[str, ...] = (), **variables: str) -> str:
    """Run a program that has `ask(url, text)` and its arguments in `sys.argv[1:]`; gives what it printed.

    With a `command` (like `opentelemetry-instrument`) before it, warnings are no errors: they may be other people's.
    """
    program = "import sys\n" + CALL + textwrap.dedent(code)
    python = [sys.executable] if command else [sys.executable, "-W", "error"]
    done = subprocess.run(
        [*command, *python, "-c", program, *map(str, arguments)],
        check=False,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said = _OPEN_AT_EXIT.sub("", done.stderr)
    assert "Traceback" not in said, said
    return done.stdout + said
