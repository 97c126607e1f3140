"""The workers of a real Celery end by `os._exit`: what they recorded last is there all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import spantape
from spantape.testing import ScriptedServer

pytest.importorskip("celery")

PROGRAM = Path(__file__).with_name("celery_program.py")
SENDS = "from celery_program import ask; [ask.delay(number) for number in range(6)]"


@pytest.mark.skipif(sys.platform == "win32", reason="Celery forks no workers there")
@pytest.mark.parametrize("begins", ["before celery", "the application", "each worker"])
def test_nothing_is_lost(begins: str, server: ScriptedServer, tmp_path: Path) -> None:
    environment = {"SERVER": server.url, "RECORDS_FROM": begins, "PYTHONPATH": str(PROGRAM.parent)}
    run = {"cwd": tmp_path, "env": {**os.environ, **environment}}
    subprocess.run([sys.executable, "-c", SENDS], check=True, timeout=60, **run)
    worker = subprocess.Popen([sys.executable, str(PROGRAM)], stderr=subprocess.PIPE, text=True, **run)
    assert server.wait_for(6, timeout=60)
    worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=60)

    found = spantape.recordings(tmp_path / "records").get_latest_interactions()
    assert sorted(record["prompt"] for record in found) == [f"Number {number}" for number in range(6)], said
    assert all(record["success"] for record in found)
