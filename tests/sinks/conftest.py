from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sinks_tape import Tape, processes

from spantape.guard import guard


@pytest.fixture(autouse=True)
def talkative() -> None:
    """A place that has logged before logs again."""
    guard.forget()


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """No process outlives its test."""
    yield
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with what it has forked
        process.communicate()
    processes.clear()


@pytest.fixture
def base_dir(tmp_path: Path) -> Path:
    return tmp_path / "records"


@pytest.fixture
def taped(base_dir: Path) -> Iterator[Callable[..., Tape]]:
    """Makes tapes; ends their threads after the test."""
    made: list[Tape] = []

    def make(**settings: Any) -> Tape:
        made.append(Tape(base_dir, **settings))
        return made[-1]

    yield make
    for tape in made:
        tape.close()


@pytest.fixture
def tape(taped: Callable[..., Tape]) -> Tape:
    return taped()


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Gives what spantape has logged so far."""
    caplog.set_level(logging.INFO, "spantape")
    return lambda: [entry.getMessage() for entry in caplog.records if entry.name == "spantape"]
