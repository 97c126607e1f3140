"""`json.load` works on every file of the layout, at every moment: a reader needs to know nothing of us."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from sinks_tape import PATIENCE, Tape, end, ended, files, loaded, provider, python, span_ids, start, until

from spantape.sinks.files import FileSpanExporter, disk, lease
from spantape.sinks.files.exporter import Ended

THREADS = 8
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader on a busy machine may take longer than writers usually wait for one."""
    monkeypatch.setattr(lease, "PATIENCE", PATIENCE)


class Reader(threading.Thread):
    """Reads every file there is with `json.load`, again and again."""

    def __init__(self, base_dir: Path) -> None:
        super().__init__()
        self.base_dir, self.done = base_dir, threading.Event()
        self.loads, self.failures = Counter[str](), list[str]()

    def run(self) -> None:
        last = False
        while not last:  # and once more when all is written, however little it came to run
            last = self.done.is_set()
            for file in files(self.base_dir):
                try:
                    loaded(file)
                except ValueError as error:
                    self.failures.append(f"{file}: {error}")
                self.loads[file.parent.name.partition("_")[0]] += 1

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join()


def in_threads(work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@LINUX
@pytest.mark.parametrize(("calls", "characters"), [(150, 50), (60, 3_000), (8, 200_000)])
def test_while_eight_threads_record(taped: Callable[..., Tape], calls: int, characters: int) -> None:
    tape = taped(buffer_size=20, flush_interval=0.02)
    ids: list[str] = []

    def record(number: int) -> None:
        for turn in range(calls):
            error = "Oops" if turn % 10 == 0 else None
            ids.append(tape.call(f"{number}-{turn // 50}", "天" * characters, error=error))
            time.sleep(0.001)

    with Reader(tape.base_dir) as reader:
        in_threads(record)
        assert tape.flush()

    assert reader.failures == []
    assert {"by", "session", "errors", "real"} >= set(reader.loads) >= {"by", "session"}
    assert sorted(span_ids(tape.base_dir)) == sorted(span_ids(tape.base_dir, "by_session")) == sorted(ids)
    assert len(span_ids(tape.base_dir, "errors")) == THREADS * len(range(0, calls, 10))


@LINUX
def test_for_a_reader_in_another_process(tape: Tape) -> None:
    script = """
        import sys
        from pathlib import Path
        from sinks_tape import files, loaded

        print("ready", flush=True)
        loads = 0
        while not Path(sys.argv[1], "stop").exists():
            for file in files(Path(sys.argv[1])):
                loaded(file)
                loads += 1
            if loads > 10:
                Path(sys.argv[1], "read").touch()
    """
    tape.call("0")
    tape.flush()
    reader = python(script, tape.base_dir)
    assert reader.stdout
    assert reader.stdout.readline() == "ready\n"

    def record(number: int) -> None:
        for turn in range(5000):
            tape.call(str(number), "x" * 20_000)
            time.sleep(0.002)
            if turn >= 60 and (tape.base_dir / "read").exists():
                break

    in_threads(record)
    tape.flush()
    assert (tape.base_dir / "read").exists()
    (tape.base_dir / "stop").touch()
    _, err = reader.communicate(timeout=PATIENCE)
    assert reader.returncode == 0, err


@LINUX
def test_with_the_exporter_alone(base_dir: Path) -> None:
    tracer = provider(SimpleSpanProcessor(FileSpanExporter(base_dir))).get_tracer("spantape.test")
    ids: list[str] = []

    def record(number: int) -> None:
        ids.extend(end(start(tracer, str(number))) for _ in range(25))

    with Reader(base_dir) as reader:
        in_threads(record)

    assert reader.failures == []
    assert sorted(span_ids(base_dir)) == sorted(ids)


@LINUX
def test_a_reader_is_waited_for(tape: Tape) -> None:
    tape.call("5")
    tape.flush()
    with tape.date_file.open(encoding="utf-8") as opened:
        before = opened.read()
        opened.seek(0)
        tape.call("5")
        writing = threading.Thread(target=tape.flush)
        writing.start()
        until(lambda: len(loaded(next((tape.base_dir / "by_session" / "session_5").iterdir()))) == 2)
        assert opened.read() == before
    writing.join()
    assert len(loaded(tape.date_file)) == 2


@LINUX
def test_a_reader_that_never_ends_is_waited_for_once(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "PATIENCE", 0.2)
    naps: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(naps), sleep=naps.append)
    monkeypatch.setattr(lease, "time", clock)
    tape.call("5")
    tape.flush()
    waited = []
    with tape.date_file.open(encoding="utf-8"):  # tail -f
        for _ in range(5):
            naps.clear()
            tape.call("5")
            assert tape.flush()
            waited.append(sum(naps))
    assert waited == [pytest.approx(0.2, abs=0.001), 0, 0, 0, 0]
    assert len(loaded(tape.date_file)) == 6


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_without_leases(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS: only the moment of the write itself is not covered."""
    monkeypatch.setattr(lease, "_take", lambda _: False)
    for _ in range(3):
        tape.call("5")
        tape.flush()
    assert len(loaded(tape.date_file)) == 3


def test_a_new_file_appears_whole(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[Path]] = []
    write = os.write

    def watch(file: int, data: bytes) -> int:
        seen.append(files(base_dir))
        return write(file, data[: max(1, len(data) // 2)])  # as a disk that takes half

    monkeypatch.setattr(os, "write", watch)
    FileSpanExporter(base_dir).export([ended("5")])

    for before in seen:
        for file in before:
            loaded(file)
    assert len(seen) > 4
    assert len(files(base_dir)) == 2


@pytest.mark.parametrize("taken", [0, 1, 7, 10**6], ids=["none", "one", "some", "all"])
def test_many_records_at_once(base_dir: Path, monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    """They are written from where they are, as far as the system and the disk can do that."""
    gather = disk._gather
    monkeypatch.setattr(disk, "_gather", lambda file, pieces: gather(file, pieces[:taken]) if taken else 0)
    exporter = FileSpanExporter(base_dir)
    for count in (1200, 5, 20, 1200):  # makes the files; goes on with them
        exporter.export([ended("5", str(number)) for number in range(count)])

    for file in files(base_dir):
        prompts = [record["prompt"] for record in loaded(file)]
        assert prompts == [str(number) for count in (1200, 5, 20, 1200) for number in range(count)]


def test_a_call_is_gone_when_its_line_is_made(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = deque(Ended(ended("5")) for _ in range(5))
    alive, seen, write = [weakref.ref(call) for call in calls], list[int](), os.write

    def watch(file: int, data: bytes) -> int:
        seen.append(sum(call() is not None for call in alive))
        return write(file, data)

    monkeypatch.setattr(os, "write", watch)
    assert FileSpanExporter(base_dir).write(calls)

    assert max(seen) <= 1
    assert len(loaded(files(base_dir)[0])) == 5


def test_lines_outlive_an_interruption(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C may come while the caller's own thread writes."""
    exporter, calls = FileSpanExporter(base_dir), deque(Ended(ended("5", str(number))) for number in range(4))

    def interrupted(record: dict[str, object]) -> dict[str, object]:
        if record["prompt"] == "2":
            raise KeyboardInterrupt
        return record

    monkeypatch.setattr(exporter, "seal", interrupted)

    with pytest.raises(KeyboardInterrupt):
        exporter.write(calls)
    monkeypatch.undo()

    assert exporter.write(calls)
    assert [record["prompt"] for record in loaded(files(base_dir)[0])] == ["0", "1", "3"]


def test_a_line_that_waits_holds_no_others(base_dir: Path) -> None:
    (base_dir / "by_session").mkdir(parents=True)
    (base_dir / "by_session/session_6").touch()  # where a folder has to be
    exporter = FileSpanExporter(base_dir)
    exporter.export([ended(name) for name in "556"])

    assert [type(line) for line, _ in exporter.writer._unwritten] == [bytes]  # no part of a batch's memory

    (base_dir / "by_session/session_6").unlink()
    assert exporter.force_flush()
    assert sorted(len(loaded(file)) for file in files(base_dir)) == [1, 2, 3]


def test_appending_does_not_read_the_file(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = FileSpanExporter(base_dir)
    exporter.export([ended("5", "x" * 1_000_000) for _ in range(10)])
    counted = Counter[str]()
    read, write = os.read, os.write

    def reading(file: int, size: int) -> bytes:
        counted["read"] += size
        return read(file, size)

    def writing(file: int, data: bytes) -> int:
        counted["written"] += len(data)
        return write(file, data)

    monkeypatch.setattr(os, "read", reading)
    monkeypatch.setattr(os, "write", writing)
    exporter.export([ended("5")])

    assert counted["read"] < 1000
    assert counted["written"] < 10_000
