"""What production does to a recorder: counts are equal, ids unique, JSON valid, the application untouched."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sinks_tape import NOON, SECOND, Nursery, Tape, end, files, kill, loaded, run, span_ids

import spantape
from spantape.sinks.files import FileSpanExporter
from spantape.sinks.files.presence import settle

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX")

KILLED = """
    import sys, time
    from pathlib import Path
    from sinks_tape import Tape, born, end

    born()
    tape = Tape(Path(sys.argv[1]), flush_interval=0.05, buffer_size=10_000, max_file_size=200_000, upkeep=False)
    print("ready", flush=True)
    while True:
        ended = [tape.call(session, "x" * 2000) for session in "ab" for _ in range(3)]
        running = tape.start("c")
        print(time.monotonic(), *ended, flush=True)
        time.sleep(0.03)
        end(running)
"""


def whole(base_dir: Path, folder: str, pattern: str) -> list[str]:
    """Give the span ids of a folder's files and of what has been archived of them."""
    return span_ids(base_dir, folder) + [
        record["span_id"] for file in (base_dir / "archive").glob(f"{pattern}*.json") for record in loaded(file)
    ]


@POSIX
def test_fifty_times_kill_9(base_dir: Path, tmp_path: Path) -> None:
    """What ended more than the interval (and the time of a write) before is there; readers never fail meanwhile."""
    told: list[tuple[float, list[str]]] = []
    order = random.Random(50)
    nursery = Nursery(KILLED, tmp_path, base_dir)
    living = [nursery.child() for _ in range(5)]

    def kill_one(number: int) -> None:
        time.sleep(order.random() * 0.04)
        pid, out = living.pop(number)
        dead = kill(pid)
        lines = [line.split() for line in out.read_text().splitlines(keepends=True)[1:] if line.endswith("\n")]
        told.extend((dead - float(moment), ids) for moment, *ids in lines)
        spantape.recordings(base_dir).get_latest_interactions()

    for _ in range(45):
        kill_one(order.randrange(2, 5))  # the first two grow old
        living.append(nursery.child())
    while living:
        kill_one(0)

    settle(base_dir)
    FileSpanExporter(base_dir).export([])
    tape = Tape(base_dir, upkeep=False)
    for session in "abc":
        tape.call(session, error="Oops")
    tape.close()
    for folder, pattern in (("by_session", "session_"), ("by_date", "2")):
        found = whole(base_dir, folder, pattern)
        assert len(found) == len(set(found)) > 100
        missing = [age for age, ids in told if not set(ids) <= set(found)]
        assert max(missing, default=0) < max(age for age, _ in told) / 2  # where the machine is slow, all of it is
    assert spantape.recordings(base_dir).get_running_interactions() == []
    assert not list((base_dir / "real_time" / "processes").iterdir())


@POSIX
def test_a_read_only_folder() -> None:
    """The application goes on; when it may write again, all is there."""
    script = """
        import os, sys
        from pathlib import Path
        from sinks_tape import Tape, span_ids, until

        base_dir = Path(sys.argv[1])
        warm = Tape(base_dir.parent / "warm")  # what is imported late must be there before the permissions are gone
        warm.call("5")
        warm.close()
        if os.geteuid() == 0:  # who may write everywhere
            os.chown(base_dir.parent, 65534, 65534)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        tape = Tape(base_dir)
        ids = [tape.call("5")]
        assert tape.flush()
        folders = [base_dir, *(path for path in base_dir.rglob("*") if path.is_dir())]
        for file in base_dir.rglob("*"):
            file.chmod(0o500 if file.is_dir() else 0o400)
        base_dir.chmod(0o500)
        ids += [tape.call("5") for _ in range(50)]
        assert not tape.flush()
        until(lambda: tape.processor.condition().queue_depth == 50)  # the thread may just be trying again
        condition = tape.processor.condition()
        assert condition.lost == 0
        assert condition.write_errors > 0 and condition.buffered_bytes > 50_000
        for path in [base_dir, *folders]:
            path.chmod(0o700)
        for file in base_dir.rglob("*"):
            file.chmod(0o700 if file.is_dir() else 0o600)
        assert tape.flush()
        assert sorted(span_ids(base_dir)) == sorted(ids)
        tape.close()
        assert tape.processor.condition().queue_depth == tape.processor.lost == 0
    """
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are for this user alone
        run(script, Path(folder) / "records")


def test_a_folder_that_is_deleted_again_and_again(taped: Callable[..., Tape]) -> None:
    """While threads record into it: it comes back, and what comes after the last deletion is there."""
    tape = taped(flush_interval=0.01)
    done = threading.Event()
    failed: list[BaseException] = []

    def record() -> None:
        try:
            while not done.is_set():
                span = tape.start("5", "x" * 1000)
                end(span)
                time.sleep(0.001)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=record) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        time.sleep(0.05)
        shutil.rmtree(tape.base_dir, ignore_errors=True)
    done.set()
    for thread in threads:
        thread.join()
    tape.flush()
    ids = [tape.call("6") for _ in range(5)]
    assert tape.flush()
    assert failed == []
    assert [record["span_id"] for record in tape.recordings.get_session_interactions("6")] == ids
    for file in files(tape.base_dir):
        loaded(file)


def test_a_clock_that_goes_backwards(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    real, back = time.time_ns, [0]
    monkeypatch.setattr(time, "time_ns", lambda: real() - back[0])
    monkeypatch.setattr("opentelemetry.sdk.trace.time_ns", lambda: real() - back[0])
    ids = []
    for hours in (0, 1, 30, 2):
        back[0] = hours * 3600 * SECOND
        span = tape.start("5")
        back[0] += 60 * SECOND
        ids.append(end(span))
        tape.flush()
    found = tape.recordings.get_session_interactions("5")
    assert sorted(record["span_id"] for record in found) == sorted(ids)
    assert [record["timestamp"] for record in found] == sorted(record["timestamp"] for record in found)
    assert all(record["timing"]["duration_ms"] is not None for record in found)


@POSIX
def test_the_hour_that_comes_twice(base_dir: Path) -> None:
    """When summer time ends, and when it begins: the offsets tell which is which, and order is kept."""
    script = """
        import sys
        from datetime import datetime, timezone
        from pathlib import Path
        from sinks_tape import SECOND, Tape

        tape = Tape(Path(sys.argv[1]), upkeep=False)  # what it does with old files is not the matter here
        for day in (datetime(2026, 10, 25, tzinfo=timezone.utc), datetime(2026, 3, 29, tzinfo=timezone.utc)):
            for minutes in range(-150, 181, 30):
                at = int(day.timestamp() + minutes * 60) * SECOND
                span = tape.start("5", at=at)
                span.end(at + 3600 * SECOND)
        tape.close()
    """
    run(script, base_dir, environment={"TZ": "Europe/Berlin"})

    found = spantape.recordings(base_dir).get_session_interactions("5")
    assert len(found) == 24
    autumn = [record["timestamp"] for record in found if record["timestamp"].startswith("2026-10")]
    assert "2026-10-25T02:30:00.000000+02:00" in autumn
    assert "2026-10-25T02:30:00.000000+01:00" in autumn
    assert {record["timing"]["duration_ms"] for record in found} == {3_600_000.0}
    assert {file.name[:10] for file in files(base_dir / "by_date")} == {record["timestamp"][:10] for record in found}


HOSTILE = [
    "../../etc/passwd", "..", ".", "/", "\\", "a/b", "a\\b", "C:\\x", "CON", "nul.json", "x" * 300, "\0", "a\0b",
    "🎉" * 100, "\ud800", "  ", "\n]\n", '"},{"id":"x', "*", "?", "~", "-rf", "%00", "\u202e", "ａ", "A", "a", "",
]  # fmt: skip


@pytest.mark.parametrize("key", ["session.id", "spantape.role_name"])
def test_hostile_names(tape: Tape, key: str) -> None:
    ids: dict[str, str] = {}
    for name in HOSTILE:
        more: dict[str, Any] = {key: name}
        ids[name] = end(tape.start(**more))
    assert tape.flush()

    inside = tape.base_dir.resolve()
    assert sorted(path.name for path in inside.parent.iterdir() if path.name != "cwd") == ["records"]
    for path in inside.rglob("*"):
        assert path.resolve().is_relative_to(inside)
        assert len(path.relative_to(inside).parts) <= 3
    assert sorted(span_ids(tape.base_dir)) == sorted(span_ids(tape.base_dir, "by_session")) == sorted(ids.values())
    if key == "session.id":
        for name in {"../../etc/passwd", "a/b", "A", "a", "x" * 300, "\n]\n"}:
            (record,) = tape.recordings.get_session_interactions(name)
            assert record["span_id"] == ids[name]


def test_twenty_megabytes(taped: Callable[..., Tape]) -> None:
    """A few of them, one after the other, with room for two: each is there, and no more than that is held."""
    tape = taped(buffer_bytes=40_000_000, flush_interval=3600, max_file_size=50_000_000, upkeep=False)
    ids = []
    for number in range(4):
        ids.append(tape.call("5", f"{number}" * 20_000_000))
        assert tape.processor.condition().buffered_bytes < 80_000_000
    tape.call("5")
    assert tape.flush()
    found = whole(tape.base_dir, "by_session", "session_5")
    assert set(ids) <= set(found)
    assert len(found) == len(set(found)) == 5
    assert tape.processor.lost == 0


@POSIX
def test_ten_times_too_much(base_dir: Path) -> None:
    """Threads that record faster than it can be written: memory stays bounded, and nothing is lost."""
    script = """
        import resource, sys, threading
        from pathlib import Path
        from sinks_tape import Tape

        tape = Tape(Path(sys.argv[1]), buffer_size=20, buffer_bytes=2_000_000)
        tape.call("5", "x" * 10_000)
        tape.flush()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        most = [0]

        def record():
            for number in range(300):
                tape.call(str(number % 50), "x" * 10_000)
                most[0] = max(most[0], tape.processor.condition().queue_depth)

        threads = [threading.Thread(target=record) for _ in range(10)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        tape.close()
        condition = tape.processor.condition()
        assert condition.lost == 0 and condition.backpressure_count > 10, condition
        assert most[0] <= 200 + 10 + 200, most
        unit = 1 << 20 if sys.platform == "darwin" else 1024
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // unit)
    """
    (megabytes,) = run(script, base_dir)
    assert int(megabytes) < 60
    assert len(span_ids(base_dir)) == len(set(span_ids(base_dir))) == 3001


def test_a_call_of_another_day(tape: Tape) -> None:
    """It goes to that day's files, also when a process has run for days."""
    span = tape.start("5", at=NOON - 3 * 86_400 * SECOND)
    end(span)
    tape.flush()
    assert tape.date_file.name.startswith(tape.recordings.get_session_interactions("5")[0]["timestamp"][:10])
