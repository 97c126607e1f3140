"""`make demo` runs, and shows what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parent.parent / "examples" / "demo.py"


def test_the_demo_shows_the_records_and_the_agents_run(tmp_path: Path) -> None:
    pytest.importorskip("rich")
    pytest.importorskip("langchain.agents.factory", reason="LangChain makes no agents of LangGraph before 1.0")
    command = [sys.executable, "-X", "utf8", str(DEMO)]
    done = subprocess.run(command, cwd=tmp_path, check=False, timeout=600, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "10 of 10 spans arrived" in done.stdout
    shown = re.sub(r" +[\d.,]+ ms", "", done.stdout)
    assert (
        """The agent's run
invoke_agent weather agent
├── node model
│   └── chat gpt-4o-mini
├── node tools
│   └── execute_tool get_weather
└── node model
    └── chat gpt-4o-mini
"""
        in shown
    )
