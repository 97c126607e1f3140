"""Reading what is large: streamed, from the end, across archives, and whatever a crash has left."""

from __future__ import annotations

import gzip
import json
import os
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from sinks_tape import Tape, run
from sinks_tree import DAY, append, by_date, by_session, compress, line, names, record, rotate, write

import spantape
from spantape import Filter, QueryError
from spantape.sinks.files import Recordings, lines

NEXT = "2026-11-22"


@pytest.fixture
def recordings(base_dir: Path) -> Recordings:
    return spantape.recordings(base_dir)


@pytest.fixture
def archived(base_dir: Path) -> Path:
    """Three parts of one day, one compressed, one not yet, and one that is still written to."""
    for path in (by_date(), by_session()):
        write(base_dir / path, record("a"), record("b"))
        compress(rotate(base_dir, path))
        write(base_dir / path, record("c"), record("d"))
        rotate(base_dir, path)
        write(base_dir / path, record("e"), record("a", message_id=12), record("f", success=False))
    return base_dir


def test_archives_are_read_like_files(archived: Path, recordings: Recordings) -> None:
    assert names(recordings.iter_all()) == ["b", "c", "d", "e", "a", "f"]
    assert names(recordings.iter_date(DAY)) == names(recordings.iter_session(5)) == names(recordings.iter_all())
    assert names(recordings.get_latest_interactions()) == ["f", "a", "e", "d", "c", "b"]
    assert names(recordings.get_latest_interactions(4)) == ["f", "a", "e", "d"]
    (amended,) = (one for one in recordings.iter_session("5") if one["id"] == "a")
    assert amended["message_id"] == 12
    assert recordings.damaged == 0


def test_what_is_archived_only(archived: Path, recordings: Recordings) -> None:
    for path in (by_date(), by_session()):
        compress(rotate(archived, path))
    assert names(recordings.iter_all()) == names(recordings.iter_session(5)) == ["b", "c", "d", "e", "a", "f"]
    assert names(recordings.get_latest_interactions(3)) == ["f", "a", "e"]
    assert recordings.get_statistics()["total_interactions"] == 6


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_more_archives_than_a_process_may_open_files(base_dir: Path) -> None:
    for number in range(60):
        write(base_dir / by_date(), record(str(number)))
        rotate(base_dir, by_date())
    script = """
        import resource, sys
        import spantape

        recordings = spantape.recordings(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
        print(len(list(recordings.iter_all())), len(recordings.get_latest_interactions(100)))
        print(recordings.get_statistics()["total_interactions"], recordings.get("0")["id"], recordings.get("59")["id"])
    """
    assert run(script, base_dir) == ["60 60", "60 0 59"]


def test_archives_that_change_while_they_are_read(
    base_dir: Path, recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were open before others are opened again."""
    monkeypatch.setattr(lines, "_MOST_OPEN", 1)
    plain = []
    for names_in in ("ab", "cd", "ef", "gh"):
        write(base_dir / by_date(), *map(record, names_in))
        plain.append(rotate(base_dir, by_date()))
    reading = recordings.iter_all()
    first = next(reading)
    compress(plain[1])
    plain[2].unlink()
    assert names([first, *reading]) == ["a", "b", "c", "d", "g", "h"]
    assert recordings.damaged == 0
    assert recordings.get_statistics()["total_interactions"] == 6


def test_an_archive_that_is_compressed_as_soon_as_it_is_listed(
    archived: Path, recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, lists = Path.iterdir, list[Path]()

    def then_compress(folder: Path) -> Iterator[Path]:
        paths = list(listed(folder))
        lists.append(folder)
        for path in paths if len(lists) == 2 else ():  # after the days were looked for
            if path.suffix == ".json":
                compress(path)
        return iter(paths)

    monkeypatch.setattr(Path, "iterdir", then_compress)
    assert names(recordings.iter_all()) == ["b", "c", "d", "e", "a", "f"]
    assert lists[:2] == [archived / "archive"] * 2


def test_archives_that_come_at_the_same_time(archived: Path, recordings: Recordings) -> None:
    """The folder's time may be the same after a second change."""
    soon = (time.time() + 60) * 10**9
    for name in "gh":
        os.utime(archived / "archive", ns=(int(soon), int(soon)))
        assert name not in names(recordings.iter_all())
        append(archived / by_date(), record(name))
        rotate(archived, by_date())
        os.utime(archived / "archive", ns=(int(soon), int(soon)))
        assert names(recordings.iter_all())[-1] == name


def test_errors_in_the_archive(base_dir: Path, recordings: Recordings) -> None:
    path = Path("errors", f"{DAY}_errors.json")
    write(base_dir / path, record("a", success=False))
    compress(rotate(base_dir, path))
    assert (
        names(recordings.get_error_interactions(DAY)) == names(recordings.get_error_interactions(days=10**6)) == ["a"]
    )


def test_a_file_that_is_being_compressed_counts_once(archived: Path, recordings: Recordings) -> None:
    """Until the original is deleted, it lies beside the compressed one."""
    (plain,) = (archived / "archive").glob(f"{DAY}_all*Z.json")
    (archived / "archive" / f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert names(recordings.iter_all()) == ["b", "c", "d", "e", "a", "f"]
    assert recordings.get_statistics()["total_interactions"] == 6


def test_sessions_whose_names_begin_alike(base_dir: Path, recordings: Recordings) -> None:
    other = f"5_{DAY}_x"
    for session in ("5", "55", other):
        write(base_dir / by_session(session), record(session, session_id=session))
        compress(rotate(base_dir, by_session(session)))
        append(base_dir / by_session(session), record(f"{session} again", session_id=session))
    for session in ("5", "55", other):
        assert names(recordings.iter_session(session)) == [session, f"{session} again"]


@pytest.mark.parametrize("session", ["../x", "a/b", "nul\0", "x" * 300, "🎉", "产品", "..", "con.", "[a-z]*", "a b"])
def test_hostile_sessions(tape: Tape, session: str) -> None:
    tape.call(session)
    tape.flush()
    (file,) = (tape.base_dir / "by_session").glob("*/*.json")
    rotate(tape.base_dir, file.relative_to(tape.base_dir))
    tape.call(session)
    tape.flush()
    assert [one["session_id"] for one in tape.recordings.iter_session(session)] == [session] * 2
    assert len(list(tape.recordings.iter_all(Filter(session=session)))) == 2
    assert tape.recordings.get_statistics()["total_sessions"] == 1


def test_rotation_while_reading(base_dir: Path, recordings: Recordings) -> None:
    """A file that is open is read to its end, wherever it goes; a record that came later is for the next time."""
    write(base_dir / by_date(), *(record(str(number)) for number in range(10)))
    reading = recordings.iter_all()
    first = next(reading)
    rotate(base_dir, by_date())
    write(base_dir / by_date(), record("10"))
    assert names([first, *reading]) == [str(number) for number in range(10)]
    assert names(recordings.iter_all()) == [str(number) for number in range(11)]


def test_an_amendment_while_reading(base_dir: Path, recordings: Recordings) -> None:
    write(base_dir / by_date(), record("a"), record("b"))
    reading = recordings.iter_all()
    first = next(reading)
    append(base_dir / by_date(), record("a", message_id=12))
    assert names([first, *reading]) == ["a", "b"]
    assert names(recordings.iter_all()) == ["b", "a"]


@pytest.mark.skipif(sys.platform == "win32", reason="open files can't be renamed there")
def test_nothing_is_missed_while_files_rotate(base_dir: Path) -> None:
    write(base_dir / by_date(), record("0"))
    done = threading.Event()
    written = [1]

    def write_all() -> None:
        for number in range(1, 400):
            append(base_dir / by_date(), record(str(number)))
            written[0] = number + 1
            if number % 20 == 0:
                rotate(base_dir, by_date())
        done.set()

    writing = threading.Thread(target=write_all)
    writing.start()
    recordings = spantape.recordings(base_dir)
    while not done.is_set():
        before = written[0]
        assert len(set(names(recordings.iter_all()))) >= before
        assert recordings.get_statistics()["total_interactions"] >= before
    writing.join()
    assert names(recordings.iter_all()) == [str(number) for number in range(400)]
    assert recordings.get_statistics()["total_interactions"] == 400


@pytest.mark.parametrize("kept", range(0, 120, 7))
def test_a_torn_file(base_dir: Path, recordings: Recordings, kept: int) -> None:
    """Cut anywhere in what was written last, only that is missing."""
    file = write(base_dir / by_date(), record("a"), record("b"))
    whole = file.stat().st_size - 3
    append(file, record("c", prompt="{}}}]\n,{"))
    os.truncate(file, whole + kept)

    expected = ["a", "b", "c"] if kept >= len(line(record("c", prompt="{}}}]\n,{"))) + 2 else ["a", "b"]
    assert names(recordings.iter_all()) == expected
    assert names(recordings.get_latest_interactions()) == expected[::-1]
    assert recordings.get_statistics()["total_interactions"] == len(expected)
    append(write(file, record("a"), record("b")), record("c"))
    assert recordings.get_statistics()["total_interactions"] == 3


def test_a_torn_archive(base_dir: Path, recordings: Recordings) -> None:
    write(base_dir / by_date(), *(record(os.urandom(500).hex()) for _ in range(200)))
    packed = compress(rotate(base_dir, by_date()))
    os.truncate(packed, packed.stat().st_size // 2)
    write(base_dir / by_date(), record("z"))

    found = names(recordings.iter_all())
    assert 50 < len(found) < 150
    assert recordings.damaged == 1
    assert names(recordings.get_latest_interactions(1000)) == found[::-1]
    assert recordings.get_statistics()["total_interactions"] == len(found)


def test_no_archive_at_all(base_dir: Path, recordings: Recordings) -> None:
    packed = base_dir / "archive" / f"{DAY}_all_interactions_20261121T120000000000Z.json.gz"
    packed.parent.mkdir(parents=True)
    packed.write_bytes(b"no gzip")
    assert list(recordings.iter_all()) == recordings.get_latest_interactions() == []
    assert recordings.get_statistics()["total_interactions"] == 0


def test_damage_in_the_middle(base_dir: Path, recordings: Recordings) -> None:
    file = write(base_dir / by_date(), *(record(name) for name in "abcde"))
    lines = file.read_bytes().split(b"\n")
    lines[3] = b"\0" * 50
    file.write_bytes(b"\n".join(lines))
    assert names(recordings.iter_all()) == ["a", "b", "d", "e"]
    lines[3] = b"{garbage"
    file.write_bytes(b"\n".join(lines))
    assert names(recordings.iter_all()) == ["a", "b", "d", "e"]
    assert names(recordings.get_latest_interactions()) == ["e", "d", "b", "a"]
    assert recordings.damaged == 1
    assert names(recordings.get_latest_interactions(1)) == ["e"]  # which says nothing of the rest
    assert recordings.damaged == 1


@pytest.mark.parametrize("form", [{"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": True}])
def test_arrays_of_others(base_dir: Path, recordings: Recordings, form: Any) -> None:
    file = base_dir / by_date()
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps([record("a", prompt="产品专员"), record("b"), record("a", prompt="介入")], **form))
    append_foreign(file, record("c"))

    assert names(recordings.iter_all()) == ["b", "a", "c"]
    assert names(recordings.get_latest_interactions()) == ["c", "a", "b"]
    assert names(recordings.iter_all(Filter(text="介入"))) == ["a"]
    assert list(recordings.iter_all(Filter(text="产品专员"))) == []
    assert recordings.get_statistics()["total_interactions"] == 3


def append_foreign(file: Path, one: dict[str, Any]) -> None:
    """As our writer goes on with an array that someone else wrote."""
    file.write_bytes(file.read_bytes().rstrip()[:-1].rstrip() + b",\n" + line(one) + b"\n]\n")


def test_memory_is_bounded(base_dir: Path, recordings: Recordings) -> None:
    write(base_dir / by_date(), *(record(f"{number:036}", prompt="x" * 3000) for number in range(8000)))  # 25 MB
    recordings.get_latest_interactions(1)
    tracemalloc.start()
    assert sum(1 for _ in recordings.iter_all()) == 8000
    assert recordings.get_latest_interactions(1, Filter(text="nowhere")) == []
    recordings.get_statistics()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


def test_the_latest_of_a_large_file_reads_its_end_only(
    base_dir: Path, recordings: Recordings, reads: Callable[[], int]
) -> None:
    write(base_dir / by_date(), *(record(f"{number:036}", prompt="x" * 3000) for number in range(8000)))
    assert len(recordings.get_latest_interactions(50)) == 50
    assert reads() < 4_000_000


@pytest.fixture
def reads() -> Callable[[], int]:
    """Gives how many bytes were read from files since."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells")

    def so_far() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    before = so_far()
    return lambda: so_far() - before


def test_days_outside_the_time_asked_for_are_not_read(base_dir: Path, recordings: Recordings) -> None:
    write(base_dir / by_date("2026-11-01"), record("old", at="2026-11-01T12:00:00+00:00"))
    write(base_dir / by_date(), record("a"))
    (base_dir / by_date("2026-11-10")).write_bytes(b"garbage")
    since = datetime(2026, 11, 15, tzinfo=timezone.utc)
    assert names(recordings.iter_all(Filter(since=since))) == ["a"]
    assert names(recordings.get_latest_interactions(50, Filter(since=since))) == ["a"]
    assert recordings.damaged == 0
    assert names(recordings.iter_all(Filter(until=datetime(2026, 11, 2, tzinfo=timezone.utc)))) == ["old"]


def test_by_id(archived: Path, recordings: Recordings) -> None:
    one, other = "3a17b8cf-500d-4f38-a231-aaf01244fa37", "3a17ffff-500d-4f38-a231-aaf01244fa37"
    append(archived / by_date(NEXT), record(one), record(other), record(one, message_id=3), record("5", success=False))

    assert recordings.get(one) == recordings.get("3a17b") == record(one, message_id=3)
    assert recordings.get("b") == record("b")
    assert recordings.get("a") == record("a", message_id=12)
    assert recordings.get("last") == recordings.get("last~0") == recordings.get("err") == record("5", success=False)
    assert recordings.get("last~1") == record(one, message_id=3)
    assert recordings.get("-100") is recordings.get("zzz") is None
    with pytest.raises(QueryError, match="more than one id begins with '3a17'.*give more of it"):
        recordings.get("3a17")
    with pytest.raises(QueryError, match="an empty id"):
        recordings.get("")


def test_a_filter_sees_the_last_stage_only(base_dir: Path, recordings: Recordings) -> None:
    write(base_dir / by_date(), record("a", success=False), record("b"), record("a"))
    assert list(recordings.iter_all(Filter(status="error"))) == []
    assert recordings.get_latest_interactions(5, Filter(status="error")) == []
    assert names(recordings.get_latest_interactions(5, Filter(status="ok"))) == ["a", "b"]
