"""Rotation, retention, size caps and content that expires: by itself, and when someone asks for it."""

from __future__ import annotations

import gzip
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from datetime import date as Date  # noqa: N812 - as in the source
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sinks_tape import SECOND, Tape, ended, files, loaded, run, span_ids, until

import spantape
from spantape.errors import SpantapeError
from spantape.settings import Settings
from spantape.sinks.files import FileSpanExporter, layout, upkeep
from spantape.sinks.files.archive import EXPIRED
from spantape.sinks.files.lock import hold, let_go

TODAY = Date.today()
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX")


def day(age: int) -> str:
    return Date.fromordinal(TODAY.toordinal() - age).isoformat()


@pytest.fixture(autouse=True)
def same_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no midnight between the import of this module and the end of a test."""

    class Day(Date):
        @classmethod
        def today(cls) -> Any:
            return TODAY

    monkeypatch.setattr(upkeep, "Date", Day)


def at(age: int) -> int:
    """Give noon, wherever we are, of the day so many days ago."""
    return int(datetime.fromisoformat(f"{day(age)}T12:00:00").timestamp()) * SECOND


def recorded(base_dir: Path, *ages: int, session: str = "5", prompt: str = "Hi", **settings: Any) -> None:
    exporter = FileSpanExporter(base_dir, Settings.load(**settings))
    exporter.export([ended(session, prompt, error="Oops", at=at(age)) for age in ages])


def cleanup(base_dir: Path, **settings: Any) -> list[tuple[str, str]]:
    """Clean up for real, and see that a dry run before it says the same."""
    chosen = Settings.load(base_dir=base_dir, **settings)
    before = tree(base_dir)
    foreseen = upkeep.cleanup(base_dir, chosen, dry_run=True)
    assert tree(base_dir) == before
    done = upkeep.cleanup(base_dir, chosen)
    assert done == foreseen
    return [(step.action, step.path) for step in done]


def tree(base_dir: Path) -> dict[str, bytes]:
    return {str(path.relative_to(base_dir)): path.read_bytes() for path in base_dir.rglob("*") if path.is_file()}


def archives(base_dir: Path) -> list[Path]:
    return sorted((base_dir / "archive").glob("*"))


def archived(base_dir: Path, pattern: str = "*") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for file in sorted((base_dir / "archive").glob(pattern)):
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        found += json.loads(data)
    return found


def test_a_file_that_grows_too_large_is_archived(taped: Callable[..., Tape]) -> None:
    tape = taped(max_file_size=10_000)
    ids = [tape.call("5", "x" * 3000) for _ in range(20) if tape.flush() or True]
    tape.flush()
    until(lambda: archives(tape.base_dir) and all(file.suffix == ".gz" for file in archives(tape.base_dir)))

    assert all(file.stat().st_size <= 10_000 for file in files(tape.base_dir / "by_date"))
    whole = span_ids(tape.base_dir) + [record["span_id"] for record in archived(tape.base_dir, "*_all_interactions_*")]
    assert sorted(whole) == sorted(ids)
    whole = span_ids(tape.base_dir, "by_session")
    whole += [record["span_id"] for record in archived(tape.base_dir, "session_5_*")]
    assert sorted(whole) == sorted(ids)


@POSIX
def test_archives_are_private(base_dir: Path) -> None:
    for _ in range(2):
        recorded(base_dir, 0, max_file_size=1024)
    cleanup(base_dir)
    assert archives(base_dir)
    assert {stat.S_IMODE(file.stat().st_mode) for file in archives(base_dir)} == {0o600}
    assert stat.S_IMODE((base_dir / "archive").stat().st_mode) == 0o700
    assert stat.S_IMODE((base_dir / ".upkeep").stat().st_mode) == 0o600


def test_the_name_of_an_archive(base_dir: Path) -> None:
    for _ in range(2):
        recorded(base_dir, 0, max_file_size=1024)
    names = sorted(file.name for file in archives(base_dir))
    assert len(names) == 3
    assert names[0].startswith(f"{day(0)}_all_interactions_20")
    assert names[1].startswith(f"{day(0)}_errors_")
    assert names[2].startswith(f"session_5_{day(0)}_")
    assert all(name.endswith("Z.json") for name in names)
    cleanup(base_dir)
    assert sorted(file.name for file in archives(base_dir)) == [f"{name}.gz" for name in names]


def test_a_torn_file_is_whole_in_the_archive(base_dir: Path) -> None:
    recorded(base_dir, 0)
    file = base_dir / layout.date_file(day(0))
    file.write_bytes(file.read_bytes()[:-3] + b',\n{"id": "torn')
    recorded(base_dir, 0, max_file_size=1024)
    assert len(archived(base_dir, "*_all_interactions_*")) == 1
    assert len(loaded(file)) == 1


def test_a_clock_that_stands_still_replaces_no_archive(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spantape.sinks.files import rotation

    moments = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3]

    class Clock(rotation.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return rotation.datetime(2026, 1, 1, 0, 0, moments.pop(0) if moments else 9, tzinfo=tz)

    monkeypatch.setattr(rotation, "datetime", Clock)
    for _ in range(4):
        recorded(base_dir, 0, max_file_size=1024)
    assert len(archived(base_dir, "session_5_*")) == 3


def test_compressing_that_was_cut_short(base_dir: Path) -> None:
    """At each of its steps."""
    for _ in range(2):
        recorded(base_dir, 0, max_file_size=1024)
    plain = {file: file.read_bytes() for file in archives(base_dir)}
    first = next(iter(plain))
    first.with_suffix(".tmp").write_bytes(b"half")
    cleanup(base_dir)
    packed = tree(base_dir)
    first.write_bytes(plain[first])  # it died before it could delete the original
    assert cleanup(base_dir) == [("compress", f"archive/{first.name}")]
    assert tree(base_dir) == packed
    assert len(archived(base_dir)) == 3


def test_what_is_too_old_goes(base_dir: Path) -> None:
    recorded(base_dir, 0, 30, 31, 90, 91, 200)
    recorded(base_dir, 100, session="old")
    gone = {path for action, path in cleanup(base_dir) if action == "delete"}
    assert gone == {
        *(f"by_session/session_5/{day(age)}.json" for age in (91, 200)),
        f"by_session/session_old/{day(100)}.json",
        *(f"by_date/{day(age)}_all_interactions.json" for age in (91, 100, 200)),
        *(f"errors/{day(age)}_errors.json" for age in (31, 90, 91, 100, 200)),
    }
    assert {str(file.relative_to(base_dir)) for file in files(base_dir)} == {
        *(f"by_session/session_5/{day(age)}.json" for age in (0, 30, 31, 90)),
        *(f"by_date/{day(age)}_all_interactions.json" for age in (0, 30, 31, 90)),
        *(f"errors/{day(age)}_errors.json" for age in (0, 30)),
    }
    assert not (base_dir / "by_session" / "session_old").exists()
    assert cleanup(base_dir) == []


def test_each_kind_has_its_own_days(base_dir: Path) -> None:
    recorded(base_dir, 0, 5, 10, 20)
    cleanup(base_dir, retention_days=4, date_retention_days=9, error_retention_days=15)
    assert [len(files(base_dir / folder)) for folder in ("by_session", "by_date", "errors")] == [1, 2, 3]


def test_archives_are_kept_unless_they_are_too_much(base_dir: Path) -> None:
    for age in (300, 200, 100):
        for _ in range(2):
            recorded(base_dir, age, max_file_size=1024)
    cleanup(base_dir)
    assert len(archives(base_dir)) == 9
    sizes = {file.name: file.stat().st_size for file in archives(base_dir)}
    newest = [size for name, size in sizes.items() if day(100) in name]
    gone = cleanup(base_dir, archive_max_bytes=sum(newest) + 1)
    assert len(archives(base_dir)) == 3
    assert gone[0][1].startswith(f"archive/{day(300)}")
    assert all(day(100) in file.name for file in archives(base_dir))
    cleanup(base_dir, archive_max_bytes=0)
    assert archives(base_dir) == []


def test_a_cap_for_everything(base_dir: Path) -> None:
    recorded(base_dir, 0, 1, 2, 3)
    total = sum(file.stat().st_size for file in files(base_dir))
    assert cleanup(base_dir, max_total_bytes=total) == []
    gone = cleanup(base_dir, max_total_bytes=total - 1)
    assert len(gone) == 1
    assert day(3) in gone[0][1]
    cleanup(base_dir, max_total_bytes=0)
    assert {file.name[:10] for file in files(base_dir)} == {day(0)}


def spanned(base_dir: Path, *ages: int) -> None:
    """Have files with spans, and what lies beside them while they are written."""
    (base_dir / "traces").mkdir(parents=True, exist_ok=True)
    for age in ages:
        (base_dir / "traces" / f"{day(age)}.jsonl").write_text("{}\n" * 100)
        (base_dir / "traces" / f".{day(age)}.jsonl.lock").touch()


def test_spans_are_kept_as_long_as_days_and_count(base_dir: Path) -> None:
    spanned(base_dir, 0, 8, 11, 89, 91)
    left = base_dir / "traces"
    assert {path for _, path in cleanup(base_dir)} == {f"traces/{day(91)}.jsonl", f"traces/.{day(91)}.jsonl.lock"}
    cleanup(base_dir, date_retention_days=12)
    assert sorted(file.name for file in left.glob("*.jsonl")) == [f"{day(age)}.jsonl" for age in (11, 8, 0)]
    assert spantape.recordings(base_dir).get_statistics()["storage_info"]["traces"] == {"count": 3, "size": 900}

    cleanup(base_dir, content_retention_days=10)  # they have it
    assert sorted(file.name for file in left.glob("*.jsonl")) == [f"{day(age)}.jsonl" for age in (8, 0)]
    cleanup(base_dir, max_total_bytes=599)
    assert [file.name for file in left.glob("*.jsonl")] == [f"{day(0)}.jsonl"]
    cleanup(base_dir, max_total_bytes=0)
    assert [file.name for file in left.glob("*.jsonl")] == [f"{day(0)}.jsonl"]


def test_what_was_counted_of_a_day_goes_with_it(base_dir: Path) -> None:
    recorded(base_dir, 0, 50, 91)
    for _ in range(2):
        recorded(base_dir, 92, max_file_size=1024)  # of this day there is an archive, which stays
    spantape.recordings(base_dir).get_statistics()
    gone = [path for _, path in cleanup(base_dir) if path.startswith(".summaries")]
    assert gone == [f".summaries/{day(91)}"]
    assert sorted(file.name for file in (base_dir / ".summaries").iterdir()) == [day(age) for age in (92, 50, 0)]


def test_what_is_not_ours_stays(base_dir: Path) -> None:
    recorded(base_dir, 200)
    for name in ("by_date/notes.txt", "by_session/session_5/README", "archive/2020.json.gz", "2020-01-01.json", "x/y"):
        path = base_dir / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    damaged = base_dir / "by_date" / f"{day(200)}_all_interactions.json.damaged-1"
    damaged.write_text("x")
    cleanup(base_dir, max_total_bytes=0, archive_max_bytes=0)
    left = {str(path.relative_to(base_dir)) for path in base_dir.rglob("*") if path.is_file()}
    assert left == {
        *("by_date/notes.txt", "by_session/session_5/README", "archive/2020.json.gz", "2020-01-01.json", "x/y"),
        *(".lock", ".upkeep"),
    }


def test_content_may_go_before_the_records(base_dir: Path) -> None:
    recorded(base_dir, 0, 9, 11, 11, prompt="secret")
    for _ in range(2):
        recorded(base_dir, 12, prompt="secret", max_file_size=1024)
    cleanup(base_dir)
    before = {record["id"]: record for record in archived(base_dir) + loaded(base_dir / layout.date_file(day(11)))}
    touched = cleanup(base_dir, content_retention_days=10)

    assert {action for action, _ in touched} == {"remove content"}
    assert len(touched) == 3 + 3 + 3  # of day 11, of day 12, and its archives
    for record in [*archived(base_dir), *loaded(base_dir / layout.date_file(day(11)))]:
        assert (record["prompt"], record["messages"], record["metadata"][EXPIRED]) == (None, None, True)
        same = {key: before[record["id"]][key] for key in ("usage", "model", "error", "performance_metrics", "timing")}
        assert same.items() <= record.items()
    assert b"secret" not in b"".join(data for name, data in tree(base_dir).items() if day(11) in name)
    assert loaded(base_dir / layout.date_file(day(9)))[0]["prompt"] == "secret"
    assert cleanup(base_dir, content_retention_days=10) == []
    assert len(spantape.recordings(base_dir).get_session_interactions("5")) >= 5

    recorded(base_dir, 11, prompt="secret")  # it comes late
    assert len(cleanup(base_dir, content_retention_days=10)) == 3
    assert len(loaded(base_dir / layout.date_file(day(11)))) == 3


def test_content_of_a_file_by_someone_else(base_dir: Path) -> None:
    recorded(base_dir, 20)
    file = base_dir / layout.date_file(day(20))
    file.write_text(json.dumps([{"id": "one", "prompt": "secret", "n": 1}, {"id": "two", "metadata": 5}], indent=2))
    cleanup(base_dir, content_retention_days=10)
    assert loaded(file) == [
        {"id": "one", "prompt": None, "n": 1, "metadata": {EXPIRED: True}},
        {"id": "two", "metadata": {EXPIRED: True}},
    ]


def test_a_write_in_the_middle_of_it(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is left alone, and is for the next time: no record may be lost."""
    recorded(base_dir, 20, prompt="secret")
    whole = upkeep.archive.jsontext.dumps

    def late(record: Any) -> bytes:
        monkeypatch.setattr(upkeep.archive.jsontext, "dumps", whole)
        recorded(base_dir, 20, prompt="late")
        return whole(record)

    monkeypatch.setattr(upkeep.archive.jsontext, "dumps", late)
    settings = Settings.load(content_retention_days=10)
    done = upkeep.cleanup(base_dir, settings)
    assert len(done) == 2
    assert [step.path for step in upkeep.cleanup(base_dir, settings)] == [f"by_date/{day(20)}_all_interactions.json"]
    assert [len(loaded(file)) for file in files(base_dir)] == [2, 2, 2]
    assert not list(base_dir.rglob("*.tmp"))


def test_the_public_function(base_dir: Path) -> None:
    recorded(base_dir, 200)
    size = (base_dir / layout.error_file(day(200))).stat().st_size
    spantape.instrument(base_dir=base_dir, upkeep=False)
    foreseen = spantape.cleanup_old_files(dry_run=True)
    assert {
        "path": f"errors/{day(200)}_errors.json",
        "action": "delete",
        "reason": "older than 30 days",
        "bytes": size,
    } in foreseen
    assert json.loads(json.dumps(foreseen)) == foreseen
    assert spantape.cleanup_old_files(dry_run=False, force=True) == foreseen
    assert spantape.cleanup_old_files() == []


def test_without_a_folder(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANTAPE_BASE_DIR", str(base_dir))
    assert spantape.cleanup_old_files() == spantape.cleanup_old_files(dry_run=True) == []
    assert not base_dir.exists()


def test_one_process_at_a_time(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(base_dir, 200)
    cleanup(base_dir)
    recorded(base_dir, 200)
    monkeypatch.setattr(upkeep, "_PATIENCE", 0.1)
    lock = hold(base_dir / ".upkeep")
    with pytest.raises(SpantapeError, match="force=True"):
        upkeep.cleanup(base_dir, Settings())
    assert upkeep.cleanup(base_dir, Settings(), dry_run=True)
    threading.Timer(0.3, let_go, [lock]).start()
    assert len(upkeep.cleanup(base_dir, Settings(), force=True)) == 3


def tidying() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "spantape-upkeep"]


def test_it_runs_by_itself_once_an_hour(taped: Callable[..., Tape]) -> None:
    tape = taped(error_retention_days=30)
    recorded(tape.base_dir, 200)
    tape.call("5")
    tape.flush()
    until(lambda: not (tape.base_dir / layout.error_file(day(200))).exists())
    until(lambda: not tidying())

    recorded(tape.base_dir, 200)
    other = taped(error_retention_days=30)
    other.call("5")
    other.flush()
    assert not tidying()
    assert (tape.base_dir / layout.error_file(day(200))).exists()

    os.utime(tape.base_dir / ".upkeep", (time.time() - 3601,) * 2)
    third = taped(error_retention_days=30)
    third.call("5")
    third.flush()
    until(lambda: not (tape.base_dir / layout.error_file(day(200))).exists())


def test_a_clock_that_went_back_does_not_stop_it(base_dir: Path) -> None:
    base_dir.mkdir()
    assert upkeep.is_due(base_dir)
    (base_dir / ".upkeep").touch()
    assert not upkeep.is_due(base_dir)
    os.utime(base_dir / ".upkeep", (time.time() + 9999,) * 2)
    assert upkeep.is_due(base_dir)


def test_it_can_be_switched_off(taped: Callable[..., Tape]) -> None:
    tape = taped(upkeep=False, max_file_size=1024)
    recorded(tape.base_dir, 200)
    for _ in range(3):
        tape.call("5", "x" * 1000)
        tape.flush()
    assert not (tape.base_dir / ".upkeep").exists()
    assert (tape.base_dir / layout.error_file(day(200))).exists()
    assert {file.suffix for file in archives(tape.base_dir)} == {".json"}


@POSIX
def test_what_can_not_be_deleted_does_not_stop_the_rest(
    base_dir: Path, monkeypatch: pytest.MonkeyPatch, warnings: Callable[[], list[str]]
) -> None:
    recorded(base_dir, 200)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.parent.name == "errors":
            raise PermissionError("no")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    done = upkeep.cleanup(base_dir, Settings())
    assert len(done) == 2
    assert warnings() == [f"spantape can't delete errors/{day(200)}_errors.json (no)"]


def test_many_processes_rotate_one_session(base_dir: Path) -> None:
    """With rotation at 1 MB, and upkeep going on: 8 × 1000 calls, each there once."""
    script = """
        import sys
        from pathlib import Path
        from sinks_tape import Tape, apart

        apart(8)
        tape = Tape(Path(sys.argv[1]), max_file_size=1_000_000, flush_interval=0.1)
        for _ in range(1000):
            print(tape.call("shared", "x" * 1000))
        tape.close()
        assert tape.processor.lost == 0
    """
    told = sorted(run(script, base_dir))
    assert len(told) == len(set(told)) == 8000

    spantape.instrument(base_dir=base_dir)
    spantape.cleanup_old_files(force=True)
    assert len(archives(base_dir)) > 10
    assert {file.suffix for file in archives(base_dir)} == {".gz"}
    for folder, pattern in (("by_session", "session_shared_*"), ("by_date", "*_all_interactions_*")):
        ids = span_ids(base_dir, folder) + [record["span_id"] for record in archived(base_dir, pattern)]
        assert sorted(ids) == told
    assert all(file.stat().st_size <= 1_000_000 for file in files(base_dir))
