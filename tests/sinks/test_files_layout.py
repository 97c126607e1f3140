"""Where records go: seed 000's layout, whatever the session's id is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sinks_tape import DAY, NOON, SECOND, Tape, files, loaded, run

from spantape import QueryError
from spantape.sinks.files import layout

STRANGE = [
    "../x",
    "..",
    ".",
    "...",
    "a/b",
    "a\\b",
    "a:b",
    "a b",
    "a_b",
    "a?b",
    "a*b",
    "a\0b",
    "\0",
    "/",
    "/etc/passwd",
    "~",
    "~root",
    "-rf",
    " ",
    "x ",
    "x.",
    "x",
    "CON",
    "nul.txt",
    "COM1",
    "*",
    "🙂",
    "🙃",
    "会话",
    "会话 五",
    "ü" * 80,
    "会" * 80,
    "𠀀" * 80,
    "x" * 80,
    "x" * 81,
    "x" * 300,
    "x" * 299 + "y",
    "a\nb",
    "a\r\nb",
    "\ud800",
    "no_session",
    "%2e%2e",
    "session_1",
]


@pytest.mark.parametrize("session_id", STRANGE, ids=ascii)
def test_a_session_is_one_safe_segment(session_id: str) -> None:
    folder = layout.session_folder(session_id)

    assert folder.parent == Path("by_session")
    assert re.fullmatch(r"session_[\w.~-]+", folder.name)
    assert not folder.name.endswith((".", " "))
    assert len(folder.name.encode()) <= 240


def test_no_two_sessions_share_a_folder() -> None:
    for one, other in itertools.combinations(STRANGE, 2):
        assert layout.session_folder(one) != layout.session_folder(other), (one, other)


def test_no_id_is_the_safe_form_of_another() -> None:
    safe = layout.session_folder("a/b").name.removeprefix("session_")

    assert layout.session_folder(safe) != layout.session_folder("a/b")


def test_plain_ids_are_used_as_they_are() -> None:
    assert layout.session_folder("5") == layout.session_folder(5) == Path("by_session/session_5")
    assert layout.session_folder("会话-5_a.b") == Path("by_session/session_会话-5_a.b")
    assert layout.session_folder("a/b").name.startswith("session_a_b~")


def test_no_session_has_its_own_folder() -> None:
    assert layout.session_folder(None) == layout.session_folder("") == Path("by_session/no_session")
    assert layout.session_folder("no_session") == Path("by_session/session_no_session")


def test_the_paths_of_seed_000() -> None:
    assert layout.session_file(1, "2025-12-07") == Path("by_session/session_1/2025-12-07.json")
    assert layout.date_file("2025-12-07") == Path("by_date/2025-12-07_all_interactions.json")
    assert layout.error_file("2025-12-07") == Path("errors/2025-12-07_errors.json")
    assert layout.latest_file() == Path("real_time/latest.json")
    stamp = "20251208T000000"
    assert layout.archive_file(layout.date_file("2025-12-07"), stamp) == Path(
        f"archive/2025-12-07_all_interactions_{stamp}.json.gz"
    )
    assert layout.archive_file(layout.session_file(1, "2025-12-07"), stamp) == Path(
        f"archive/session_1_2025-12-07_{stamp}.json.gz"
    )


@pytest.mark.parametrize("date", ["", "today", "2026-13-01", "2026-02-30", "20261121", "2026-1-1", "../x", None, 5])
def test_what_is_no_date(date: object) -> None:
    with pytest.raises(QueryError, match="give it as YYYY-MM-DD"):
        layout.day(date)  # type: ignore[arg-type]


def test_what_is_a_date() -> None:
    assert layout.day(DAY) == DAY


@pytest.mark.parametrize("session_id", [one for one in STRANGE if "\ud800" not in one], ids=ascii)
def test_every_session_is_written_and_found_again(tape: Tape, session_id: str) -> None:
    tape.call(session_id)
    tape.call("another")
    tape.close()

    (record,) = tape.recordings.get_session_interactions(session_id)
    assert record["session_id"] == session_id
    assert all(file.is_relative_to(tape.base_dir) for file in files(tape.base_dir))
    assert len(files(tape.base_dir / "by_session")) == 2


def test_sessions_in_one_folder_are_told_apart_by_the_record(tape: Tape) -> None:
    tape.call("Abc")
    tape.close()
    (folder,) = (tape.base_dir / "by_session").iterdir()
    folder.rename(folder.with_name("session_abc"))  # as on a disk that ignores case

    assert tape.recordings.get_session_interactions("abc") == []


def test_calls_without_a_session(tape: Tape) -> None:
    tape.call(None)
    tape.call("")
    tape.close()

    assert len(tape.recordings.get_session_interactions(None)) == 2
    assert len(tape.recordings.get_session_interactions("")) == 2
    assert [file.parent.name for file in files(tape.base_dir / "by_session")] == ["no_session"]


@pytest.mark.parametrize(
    ("zone", "date", "offset"),
    [("UTC0", DAY, "+00:00"), ("East-14", "2026-11-22", "+14:00"), ("West+13", "2026-11-20", "-13:00")],
)
def test_the_date_is_the_local_one_of_the_start(base_dir: Path, zone: str, date: str, offset: str) -> None:
    script = """
        import sys
        from pathlib import Path
        from sinks_tape import NOON, SECOND, Tape

        tape = Tape(Path(sys.argv[1]))
        span = tape.start("5", at=NOON)
        span.set_attribute("error.type", "Timeout")
        span.end(NOON + 86_400 * SECOND)  # it ends a day later
        tape.close()
    """
    run(script, base_dir, environment={"TZ": zone})

    (record,) = loaded(base_dir / layout.date_file(date))
    assert record["timestamp"][10:] == f"T{record['timestamp'][11:13]}:00:00.000000{offset}"
    assert loaded(base_dir / layout.error_file(date)) == loaded(base_dir / layout.session_file("5", date)) == [record]


def test_midnight(taped: Callable[..., Tape]) -> None:
    tape = taped()
    for second in range(-1, 2):
        tape.call("5", at=NOON - NOON % (86_400 * SECOND) + second * SECOND)
    tape.close()

    dates = {record["timestamp"][:10] for file in files(tape.base_dir / "by_date") for record in loaded(file)}
    assert {file.name[:10] for file in files(tape.base_dir / "by_date")} == dates
    for file in files(tape.base_dir / "by_date"):
        assert {record["timestamp"][:10] for record in loaded(file)} == {file.name[:10]}
