"""A disk that does not take what we write: the caller never notices, nothing is lost that can be kept."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from sinks_tape import PATIENCE, Tape, end, ended, files, loaded, provider, run, span_ids, start, until

import openai
import spantape
from spantape.settings import Settings
from spantape.sinks.files import FileSpanExporter, writer
from spantape.testing import ScriptedServer

Warnings = Callable[[], list[str]]


@pytest.mark.parametrize("live", [True, False])
def test_a_file_where_the_folder_should_be(
    taped: Callable[..., Tape], base_dir: Path, warnings: Warnings, live: bool
) -> None:
    """One log line, tried again, and all is there when the obstacle is gone."""
    base_dir.write_text("not a folder")
    tape = taped()
    running = tape.start("5") if live else None
    ids = [tape.call("5") for _ in range(20)]
    for _ in range(3):
        assert not tape.flush()
    assert len(warnings()) == 1
    assert str(base_dir) in warnings()[0]
    assert "will try again" in warnings()[0]

    base_dir.unlink()
    until(lambda: base_dir.is_dir() and sorted(span_ids(base_dir)) == sorted(ids))
    assert tape.processor.lost == 0
    if running:
        end(running)


def test_the_caller_does_not_notice(server: ScriptedServer, base_dir: Path, warnings: Warnings) -> None:
    base_dir.write_text("not a folder")
    spantape.instrument(base_dir=base_dir, flush_interval=0.02)
    with openai.OpenAI(base_url=server.url, api_key="test") as client:
        for _ in range(5):
            client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}])
    assert not spantape.flush(0.5)
    base_dir.unlink()
    assert spantape.flush()

    assert len(spantape.recordings().get_latest_interactions()) == 5
    assert len([line for line in warnings() if "can't write" in line]) == 1


@pytest.mark.parametrize("folder", ["by_date", "by_session", "by_session/session_5", "errors"])
def test_one_folder_that_can_not_be_written_to(
    taped: Callable[..., Tape], base_dir: Path, folder: str, warnings: Warnings
) -> None:
    """What can be written is, and only once, however often the rest is tried."""
    obstacle = base_dir / folder
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.write_text("not a folder")
    tape = taped()
    ids = [tape.call(session, error="Oops") for session in ("5", "6") for _ in range(3)]
    for _ in range(5):
        assert not tape.flush()
    free = [one for one in ("by_date", "by_session", "errors") if one != folder.partition("/")[0]]
    for one in free:
        assert sorted(span_ids(base_dir, one)) == sorted(ids)
    if "/" in folder:
        assert span_ids(base_dir, "by_session") == ids[3:]

    obstacle.unlink()
    assert tape.flush()
    for one in ("by_date", "by_session", "errors"):
        assert sorted(span_ids(base_dir, one)) == sorted(ids)
    assert len(warnings()) == 1


def test_the_oldest_go_when_there_are_too_many(
    base_dir: Path, monkeypatch: pytest.MonkeyPatch, warnings: Warnings
) -> None:
    monkeypatch.setattr(writer, "_MOST", 10)
    base_dir.mkdir()
    (base_dir / "by_date").write_text("not a folder")
    exporter = FileSpanExporter(base_dir)
    ids = []
    for _ in range(25):
        span = ended("5")
        ids.append(f"{span.context.span_id:016x}")
        assert exporter.export([span]) is SpanExportResult.FAILURE
    assert exporter.lost == 15
    (base_dir / "by_date").unlink()
    assert exporter.force_flush()

    assert span_ids(base_dir) == ids[15:]
    assert sorted(span_ids(base_dir, "by_session")) == sorted(ids)
    assert ["lost" in line for line in warnings()] == [False, True]


def test_the_oldest_go_when_nothing_can_be_written(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_MOST", 10)
    base_dir.write_text("not a folder")
    exporter = FileSpanExporter(base_dir)
    for _ in range(25):
        exporter.export([ended("5")])
    assert exporter.lost == 15
    base_dir.unlink()
    assert exporter.export([]) is SpanExportResult.SUCCESS
    assert len(span_ids(base_dir)) == 10


def test_what_waits_is_bounded_in_bytes_too(base_dir: Path) -> None:
    base_dir.write_text("not a folder")
    exporter = FileSpanExporter(base_dir, Settings.load(buffer_bytes=64 * 1024))
    for _ in range(5):
        exporter.export([ended("5", "x" * 10_000)])  # which a record has twice: as text and as a message
    assert exporter.writer.weight <= 64 * 1024
    assert exporter.lost == 5 - len(exporter.writer) == 2
    base_dir.unlink()
    assert exporter.force_flush()
    assert len(span_ids(base_dir)) == 3


def test_what_is_lost_in_the_end_is_said(tape: Tape, warnings: Warnings) -> None:
    tape.base_dir.write_text("not a folder")
    for _ in range(3):
        tape.call("5")
    tape.close()

    assert tape.processor.lost == 3
    assert warnings()[-1] == f"spantape lost 3 records that it could not write to {tape.base_dir}"


def test_a_folder_in_place_of_a_file(tape: Tape) -> None:
    tape.call("5")
    tape.flush()
    date_file = tape.date_file
    date_file.unlink()
    date_file.mkdir()
    tape.call("5")
    assert not tape.flush()
    date_file.rmdir()
    assert tape.flush()

    assert len(loaded(date_file)) == 1


FULL = """
    import json, resource, sys
    from pathlib import Path
    from sinks_tape import Tape, files, loaded

    tape = Tape(Path(sys.argv[1]), flush_interval=3600)
    ids = [tape.call("5", "x" * 1000) for _ in range(5)]
    assert tape.flush()
    size = tape.date_file.stat().st_size
    for room in [*range(0, 40), 500, 1000, 2500]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, resource.RLIM_INFINITY))
        ids.append(tape.call("5", "x" * 2000))
        assert not tape.flush()
        for file in files(Path(sys.argv[1])):
            loaded(file)
        assert len(loaded(tape.date_file)) == 5
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert tape.flush()
    assert [record["span_id"] for record in loaded(tape.date_file)] == ids
    tape.call("new")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    assert not tape.flush()
    assert not list(Path(sys.argv[1]).rglob("*.tmp"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    tape.close()
    assert tape.processor.lost == 0
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits")
def test_a_write_that_ends_in_the_middle(base_dir: Path) -> None:
    """As on a full disk; the files stay arrays all the time."""
    run(FULL, base_dir)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs")
def test_a_full_disk(small_disk: Path) -> None:
    base_dir = small_disk / "records"
    ballast = small_disk / "ballast"
    tape = Tape(base_dir, flush_interval=3600)
    ids = [tape.call("5")]
    assert tape.flush()
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    ids += [tape.call(session, "x" * 3000) for session in ("5", "6", "7")]
    assert not tape.flush()
    for file in files(base_dir):
        loaded(file)
    ballast.unlink()
    assert tape.flush()

    assert span_ids(base_dir) == ids
    tape.close()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tape: Tape) -> None:
    tape.base_dir.mkdir(mode=0o500)
    tape.call("5")
    assert not tape.flush()
    tape.base_dir.chmod(0o700)
    assert tape.flush()

    assert len(span_ids(tape.base_dir)) == 1


class Owner:
    """Something that is only ever freed by the garbage collector."""

    def __init__(self) -> None:
        self.me = self


class Spans:
    """Ends a span from a finalizer whenever something is written to disk, ten times."""

    def __init__(self, tracer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = [start(tracer, "finalized") for _ in range(10)]
        self.ids: list[str] = []
        self.write = os.write
        monkeypatch.setattr(os, "write", self.watch)

    def watch(self, file: int, data: bytes) -> int:
        if self.open:
            weakref.finalize(Owner(), self.end, self.open.pop())
            gc.collect(0)
        return self.write(file, data)

    def end(self, span: Any) -> None:
        self.ids.append(end(span))


@pytest.mark.parametrize("settings", [{"buffer_size": 1}, {"flush_interval": 3600}], ids=["full", "waiting"])
def test_a_finalizer_in_the_middle_of_a_write(
    taped: Callable[..., Tape], monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    tape = taped(**settings)
    spans = Spans(tape.tracer, monkeypatch)
    ids = [tape.call("5") for _ in range(5)]
    until(lambda: tape.flush() and not spans.open)
    assert tape.flush()

    assert sorted(span_ids(tape.base_dir)) == sorted([*ids, *spans.ids])


def test_a_finalizer_with_the_exporter_alone(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's simple processor exports right there, inside our own write: that write takes the span along."""
    tracer = provider(SimpleSpanProcessor(FileSpanExporter(base_dir))).get_tracer("spantape.test")
    spans = Spans(tracer, monkeypatch)
    ids = [end(start(tracer, "5")) for _ in range(5)]

    assert not spans.open
    assert sorted(span_ids(base_dir)) == sorted([*ids, *spans.ids])


def test_a_finalizer_that_writes_with_another_exporter(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writers of one folder in one thread, the one inside the other: the inner one must not wait for the outer."""
    alone = FileSpanExporter(tape.base_dir)
    spans = Spans(provider(SimpleSpanProcessor(alone)).get_tracer("spantape.test"), monkeypatch)
    span_id = tape.call("5")
    done = threading.Thread(target=tape.flush)
    done.start()
    done.join(PATIENCE)
    assert not done.is_alive()
    until(lambda: tape.flush() and not spans.open if tape.call("5") else None)
    assert alone.force_flush()

    assert {span_id, *spans.ids} <= set(span_ids(tape.base_dir))


def test_a_timeout_is_kept(tape: Tape) -> None:
    """Another thread of this process holds the folder."""
    tape.call("5")
    assert tape.flush()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with FileSpanExporter(tape.base_dir).writer.locked():
            held.set()
            done.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(PATIENCE)
    tape.call("5")
    assert not tape.processor.force_flush(100)
    done.set()
    holder.join()
    assert tape.flush()
    assert len(span_ids(tape.base_dir)) == 2
