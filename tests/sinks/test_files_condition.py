"""What health tells of the recording, while it goes well and while it does not."""

from __future__ import annotations

import time
from pathlib import Path

import openai
import spantape
from spantape.testing import ScriptedServer

KEYS = {"queue_depth", "buffered_bytes", "backpressure_count", "write_errors", "lost", "last_flush"}
KEYS |= {"oldest_unflushed_age", "last_error"}


def test_health_of_the_recording(server: ScriptedServer, base_dir: Path) -> None:
    base_dir.write_text("not a folder")
    spantape.instrument(base_dir=base_dir, flush_interval=3600)
    with openai.OpenAI(base_url=server.url, api_key="test") as client:
        for _ in range(3):
            client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}])
    health = spantape.recordings().get_health_status()
    assert set(health) >= KEYS
    assert (health["queue_depth"], health["lost"], health["last_flush"]) == (3, 0, None)
    assert health["buffered_bytes"] > 3000
    assert 0 < health["oldest_unflushed_age"] < 60
    assert not spantape.flush(0.5)
    health = spantape.recordings().get_health_status()
    assert (health["queue_depth"], health["write_errors"] > 0) == (3, True)
    assert health["status"] == "unhealthy"
    assert health["problems"] == [
        f"{base_dir} is no folder",
        f"the last write failed, and is tried again: {health['last_error']}",
    ]
    assert spantape.recordings().get_latest_interactions() == []

    base_dir.unlink()
    assert spantape.flush()
    health = spantape.recordings().get_health_status()
    assert (health["queue_depth"], health["buffered_bytes"], health["oldest_unflushed_age"]) == (0, 0, None)
    assert (health["status"], health["problems"], health["last_error"]) == ("healthy", [], None)
    assert abs(health["last_flush"] - time.time()) < 60


def test_one_file_that_can_not_be_written_to(base_dir: Path) -> None:
    spantape.instrument(base_dir=base_dir, flush_interval=3600)
    (base_dir / "by_date").mkdir(parents=True)
    spantape.call(model="m").finish("x")
    assert spantape.flush()
    (file,) = (base_dir / "by_date").iterdir()
    file.unlink()
    file.mkdir()
    spantape.call(model="m").finish("x")
    assert not spantape.flush(0.5)
    health = spantape.recordings().get_health_status()
    assert health["status"] == "degraded"
    assert file.name in health["problems"][0]
    file.rmdir()
    assert spantape.flush()
    assert spantape.recordings().get_health_status()["status"] == "healthy"


def test_health_of_another_folder(base_dir: Path, tmp_path: Path) -> None:
    spantape.instrument(base_dir=base_dir)
    assert not set(spantape.recordings(tmp_path).get_health_status()) & KEYS
    spantape.uninstrument()
    assert not set(spantape.recordings(base_dir).get_health_status()) & KEYS
