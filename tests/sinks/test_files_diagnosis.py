"""Health: seed 000's keys, what is wrong in words, and how the recording of this process is doing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import spantape
from spantape.sinks.files import Recordings

CONDITION = {"queue_depth": 3, "lost": 0, "oldest_unflushed_age": 0.2}


def test_the_keys_of_seed_000(base_dir: Path) -> None:
    health = spantape.recordings(base_dir).get_health_status()
    assert health["status"] == "healthy"
    assert health["problems"] == []
    assert health["disk_space_available"] > 0
    assert health["write_permissions"] is True
    assert health["recording"] is False
    assert "queue_depth" not in health  # unknown is absent
    assert not base_dir.exists()


def test_of_this_process(base_dir: Path) -> None:
    health = Recordings(base_dir, lambda: CONDITION).get_health_status()
    assert health["status"] == "healthy"
    assert health["recording"] is True
    assert {key: health[key] for key in CONDITION} == CONDITION


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"lost": 2}, "2 records were lost"),
        ({"oldest_unflushed_age": 90.4}, "a record has waited for 90 s to be written"),
    ],
)
def test_trouble(base_dir: Path, more: dict[str, float], problem: str) -> None:
    health = Recordings(base_dir, lambda: CONDITION | more).get_health_status()
    assert health["status"] == "degraded"
    assert health["problems"] == [problem]


def test_a_disk_that_is_nearly_full(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 1024**2))
    health = spantape.recordings(base_dir).get_health_status()
    assert (health["status"], health["problems"]) == ("degraded", ["only 5 MB are left on the disk"])
    assert health["disk_space_available"] == 5 * 1024**2


def test_a_folder_that_can_not_be_written_to(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere, so here the system says that it may not."""
    base_dir.mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)
    health = spantape.recordings(base_dir).get_health_status()
    assert health["status"] == "unhealthy"
    assert health["problems"] == [f"{base_dir} can't be written to"]
    assert health["write_permissions"] is False
