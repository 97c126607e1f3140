"""A backup is of one moment, whole, and taken while recording goes on."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sinks_tape import PATIENCE, Tape, files, loaded, span_ids
from sinks_tree import DAY, append, by_date, by_session, compress, names, record, rotate, write

import spantape
from spantape import SpantapeError
from spantape.sinks.files import backup as copies
from spantape.sinks.files.backup import backup
from spantape.sinks.files.writer import FileWriter


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "of today"


def test_all_of_it(base_dir: Path, target: Path) -> None:
    write(base_dir / by_date(), record("a"), record("b"))
    compress(rotate(base_dir, by_date()))
    write(base_dir / by_date(), record("c"))
    rotate(base_dir, by_date())
    write(base_dir / by_date(), record("d", prompt="产品"))
    write(base_dir / by_session("~"), record("d", session_id="~"))
    write(base_dir / "errors" / f"{DAY}_errors.json", record("e", success=False))
    for name in ("by_date/x.json.damaged-1", "traces/2026-11-21.jsonl", "notes.txt"):
        (base_dir / name).parent.mkdir(exist_ok=True)
        (base_dir / name).write_text("anything\n")
    expected = {path.relative_to(base_dir): path.read_bytes() for path in base_dir.rglob("*") if path.is_file()}
    os.utime(base_dir / by_date(), ns=(10**18, 10**18))
    spantape.recordings(base_dir).get_statistics()
    for name in (".lock", ".upkeep", "by_date/y.tmp", "traces/.2026-11-21.jsonl.lock"):
        (base_dir / name).touch()
    write(base_dir / "real_time" / "latest.json", record("running", metadata={"stage": "started"}))
    with (base_dir / "traces" / "2026-11-21.jsonl").open("a") as being_written:
        being_written.write('{"resourceSpans":[')

    copied = spantape.recordings(base_dir).backup(target)
    assert {path.relative_to(target): path.read_bytes() for path in target.rglob("*") if path.is_file()} == expected
    assert copied == (target, len(expected), sum(map(len, expected.values())))
    assert (target / by_date()).stat().st_mtime_ns == 10**18
    assert names(spantape.recordings(target).iter_all()) == ["a", "b", "c", "d"]
    assert list(target.parent.iterdir()) == [target]
    if sys.platform != "win32":
        assert {path.stat().st_mode & 0o777 for path in target.rglob("*") if path.is_file()} == {0o600}
        assert {path.stat().st_mode & 0o777 for path in [target, *target.rglob("*")] if path.is_dir()} == {0o700}


@pytest.mark.parametrize("content", [b"", b"[]\n", b"[\n", b'[\n{"id":"a"},\n{"id', b"garbage", b'[{"id":"a"}]'])
def test_files_of_every_kind(base_dir: Path, target: Path, content: bytes) -> None:
    """What is torn is whole in the copy; what is no array is copied as it is."""
    (base_dir / "by_date").mkdir(parents=True)
    (base_dir / by_date()).write_bytes(content)
    before = spantape.recordings(base_dir).get_date_interactions(DAY)
    backup(base_dir, target)
    assert spantape.recordings(target).get_date_interactions(DAY) == before
    if content != b"garbage":
        assert loaded(target / by_date()) == before
    else:
        assert (target / by_date()).read_bytes() == content


def test_while_recording(taped: Callable[..., Tape], tmp_path: Path) -> None:
    tape = taped(buffer_size=3, flush_interval=0.01)
    tape.call("5")
    tape.flush()
    done = threading.Event()

    def record_all() -> None:
        for number in range(600):
            tape.call(str(number % 5), "x" * 2000, error="Oops" if number % 3 == 0 else None)
        tape.flush()
        done.set()

    recording = threading.Thread(target=record_all)
    recording.start()
    copies = []
    while not done.is_set():
        copies.append(tmp_path / f"copy {len(copies)}")
        tape.recordings.backup(copies[-1])
    recording.join()

    for copy in copies:
        for file in files(copy):
            loaded(file)
        whole = span_ids(copy)
        assert sorted(span_ids(copy, "by_session")) == sorted(
            whole
        )  # of one moment: each call is everywhere, or nowhere
        assert set(span_ids(copy, "errors")) <= set(whole)
    counts = [len(span_ids(copy)) for copy in copies]
    assert counts == sorted(counts)
    assert len(span_ids(tape.base_dir)) == 601


@pytest.mark.skipif(sys.platform == "win32", reason="open files can't be renamed there")
def test_while_files_rotate(base_dir: Path, tmp_path: Path) -> None:
    write(base_dir / by_date(), record("0"))
    done, writer = threading.Event(), FileWriter(base_dir)
    written = [1]

    def write_all() -> None:
        for number in range(1, 300):
            with writer.locked(PATIENCE):  # as whoever writes does
                append(base_dir / by_date(), record(str(number)))
                moved = rotate(base_dir, by_date()) if number % 10 == 0 else None
            written[0] = number + 1
            if moved is not None:
                compress(moved)
        done.set()

    writing = threading.Thread(target=write_all)
    writing.start()
    number = 0
    while not done.is_set():
        number, before = number + 1, written[0]
        backup(base_dir, tmp_path / str(number))
        assert len(set(names(spantape.recordings(tmp_path / str(number)).iter_all()))) >= before
    writing.join()


@pytest.mark.skipif(sys.platform == "win32", reason="open files can't be renamed there")
def test_a_file_that_moves_just_now(base_dir: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can lock, a file may be in the archive as soon as its folder was listed."""
    listed = write(base_dir / by_date(), record("a"))
    write(base_dir / by_date("2026-11-20"), record("b"))
    stat = Path.stat

    def moved_once_seen(path: Path, **options: Any) -> Any:
        seen = stat(path, **options)
        if path == listed:
            monkeypatch.setattr(Path, "stat", stat)
            rotate(base_dir, by_date())
        return seen

    monkeypatch.setattr(Path, "stat", moved_once_seen)
    copied = backup(base_dir, target)
    assert names(spantape.recordings(target).iter_all()) == ["b", "a"]
    assert copied.files == 2


@pytest.mark.skipif(sys.platform == "win32", reason="open files can't be renamed there")
def test_an_archive_that_is_compressed_just_now(base_dir: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder was listed before, so that its new name is not known."""
    write(base_dir / by_date(), record("a"))
    archived = rotate(base_dir, by_date())
    write(base_dir / by_date(), record("b"))
    stat = Path.stat

    def compressed_before(path: Path, **options: Any) -> Any:
        if path == archived:
            monkeypatch.setattr(Path, "stat", stat)
            compress(archived)
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", compressed_before)
    backup(base_dir, target)
    assert not archived.exists()
    assert names(spantape.recordings(target).iter_all()) == ["a", "b"]


def test_where_it_can_not_go(base_dir: Path, target: Path) -> None:
    with pytest.raises(SpantapeError, match="there is nothing recorded in"):
        backup(base_dir, target)
    write(base_dir / by_date(), record("a"))
    with pytest.raises(SpantapeError, match="lies in the folder that is to be copied"):
        backup(base_dir, base_dir / "copy")
    target.mkdir(parents=True)
    backup(base_dir, target)
    with pytest.raises(SpantapeError, match="is there already: give a new folder"):
        backup(base_dir, target)
    with pytest.raises(SpantapeError, match="is there already"):
        backup(base_dir, target / by_date())
    assert names(spantape.recordings(target).iter_all()) == ["a"]


def test_nothing_is_left_of_one_that_failed(base_dir: Path, target: Path) -> None:
    write(base_dir / by_date(), record("a"))
    target.parent.parent.mkdir(exist_ok=True)
    target.parent.write_text("in the way")
    with pytest.raises(OSError, match="copies"):
        backup(base_dir, target)
    assert target.parent.read_text() == "in the way"
    assert sorted(path.name for path in target.parent.parent.iterdir()) == ["copies", "cwd", "records"]


@pytest.mark.skipif(sys.platform == "win32", reason="open files can't be renamed there")
@pytest.mark.parametrize("packed", [False, True])
def test_of_one_moment_while_files_rotate(
    base_dir: Path, target: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    """What comes after the moment is no part of it, wherever it goes."""
    for path in (by_date(), by_session()):
        write(base_dir / path, record("0"))
        rotate(base_dir, path)
        write(base_dir / path, record("a"))
    growing = copies._growing

    def after_more_came(*given: Any) -> Iterator[int]:
        for path in (by_date(), by_session()):
            append(base_dir / path, record("b"))
        for name in "cd":
            moved = rotate(base_dir, by_date())
            if packed:
                compress(moved)
            write(base_dir / by_date(), record(name))
        for archived in (base_dir / "archive").glob("*.json") if packed else ():
            compress(archived)
        return growing(*given)

    monkeypatch.setattr(copies, "_growing", after_more_came)
    backup(base_dir, target)
    recordings = spantape.recordings(target)
    assert names(recordings.iter_all()) == names(recordings.iter_session(5)) == ["0", "a"]
    assert [names(loaded(target / path)) for path in (by_date(), by_session())] == [["a"], ["a"]]
    assert len(files(base_dir)) + len(list(base_dir.rglob("*.gz"))) == 6
