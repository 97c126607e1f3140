"""Reading back: by session, by date, errors and the latest, folded, and never an exception for what is damaged."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from sinks_tape import DAY, NOON, PATIENCE, SECOND, Tape, end, ended, loaded, provider, start

import spantape
from spantape import QueryError
from spantape.sinks.files import FileSpanExporter, Recordings, lines
from spantape.sinks.files.catalog import Catalog

DAYS = 86_400 * SECOND


@pytest.fixture
def recordings(base_dir: Path) -> Recordings:
    return spantape.recordings(base_dir)


def write(file: Path, *records: dict[str, Any], separator: str = ",\n") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[\n" + separator.join(map(json.dumps, records)) + "\n]\n", encoding="utf-8")


def record(name: str, minute: int = 0, **more: Any) -> dict[str, Any]:
    return {"id": name, "timestamp": f"{DAY}T12:{minute:02}:00.000000+00:00", "session_id": "5", **more}


def names(records: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in records]


@pytest.fixture
def days(base_dir: Path) -> list[str]:
    """Five days with three calls each, the first one of each failed; gives the span ids."""
    tracer = provider(SimpleSpanProcessor(FileSpanExporter(base_dir))).get_tracer("spantape.test")
    return [
        end(start(tracer, str(call), at=NOON + day * DAYS + call * SECOND), None if call else "Oops")
        for day in range(5)
        for call in range(3)
    ]


def span_ids(records: list[dict[str, Any]]) -> list[str]:
    return [one["span_id"] for one in records]


def test_by_session(days: list[str], recordings: Recordings) -> None:
    assert span_ids(recordings.get_session_interactions("1")) == days[1::3]
    assert span_ids(recordings.get_session_interactions(1)) == days[1::3]
    (first, *_) = recordings.get_session_interactions(1)
    assert recordings.get_session_interactions(1, date=first["timestamp"][:10]) == [first]
    assert recordings.get_session_interactions(1, "2020-01-01") == []
    assert recordings.get_session_interactions("nobody") == recordings.get_session_interactions(None) == []


def test_ids_that_differ_only_in_case(base_dir: Path, recordings: Recordings) -> None:
    """Where file names ignore case, their sessions share a folder."""
    for session in ("a", "A"):
        file = base_dir / "by_session" / f"session_{session}" / f"{DAY}.json"
        write(file, record("one", session_id="a"), record("two", session_id="A"))
    assert [names(recordings.get_session_interactions(session)) for session in ("a", "A")] == [["one"], ["two"]]


def test_by_date(days: list[str], recordings: Recordings) -> None:
    found = recordings.get_latest_interactions()[-1]
    assert span_ids(recordings.get_date_interactions(found["timestamp"][:10])) == days[:3]
    assert recordings.get_date_interactions("2020-01-01") == []


def test_errors(days: list[str], recordings: Recordings) -> None:
    newest = date.fromisoformat(recordings.get_latest_interactions(1)[0]["timestamp"][:10])
    age = max(0, (date.today() - newest).days)
    assert span_ids(recordings.get_error_interactions(days=age + 5)) == days[::3]
    assert span_ids(recordings.get_error_interactions(days=10**9)) == days[::3]
    assert span_ids(recordings.get_error_interactions(newest.isoformat())) == [days[12]]
    assert recordings.get_error_interactions("2020-01-01") == []


def test_errors_of_the_last_days(base_dir: Path, recordings: Recordings) -> None:
    today = date.today()
    for back in range(10):
        day = (today - timedelta(days=back)).isoformat()
        write(base_dir / "errors" / f"{day}_errors.json", {**record(day), "timestamp": f"{day}T00:00:00+00:00"})

    for days in (1, 2, 7, 10, 100):
        found = names(recordings.get_error_interactions(days=days))
        assert found == [(today - timedelta(days=back)).isoformat() for back in reversed(range(min(days, 10)))]
    assert len(recordings.get_error_interactions()) == 7


def test_the_latest(days: list[str], recordings: Recordings) -> None:
    for limit in (1, 2, 3, 4, 14, 15):
        assert span_ids(recordings.get_latest_interactions(limit)) == days[::-1][:limit]
    assert span_ids(recordings.get_latest_interactions()) == days[::-1]


def test_the_latest_reads_no_more_than_it_needs(days: list[str], base_dir: Path, recordings: Recordings) -> None:
    for file in sorted((base_dir / "by_date").iterdir())[:-1]:
        file.write_text("garbage")
    assert span_ids(recordings.get_latest_interactions(3)) == days[:-4:-1]
    assert recordings.damaged == 0
    assert len(recordings.get_latest_interactions(4)) == 3
    assert recordings.damaged == 4


@pytest.mark.parametrize("block", [2, 7, 100, 1000, 100_000])
def test_lines_longer_than_a_block(
    base_dir: Path, recordings: Recordings, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_BLOCK", block)
    records = [record(str(number), number, prompt="长🎉" * length) for number, length in enumerate([1, 50, 0, 2000, 3])]
    write(base_dir / "by_date" / f"{DAY}_all_interactions.json", *records)

    assert recordings.get_latest_interactions() == records[::-1]
    assert recordings.get_latest_interactions(2) == records[:-3:-1]


def test_a_very_long_line(base_dir: Path, recordings: Recordings) -> None:
    FileSpanExporter(base_dir).export([ended("5", "天" * 3_000_000), ended("5", "x" * 900_000), ended("5")])
    assert [len(one["prompt"]) for one in recordings.get_session_interactions("5")] == [3_000_000, 900_000, 2]
    assert len(recordings.get_latest_interactions(3)) == 3
    assert recordings.damaged == 0


def test_a_later_record_replaces_an_earlier_one(base_dir: Path, recordings: Recordings) -> None:
    first, other = record("a", 1, message_id=None), record("b", 2)
    amended = record("a", 1, message_id=12, metadata={"stage": "finalized"})
    for file in (
        f"by_date/{DAY}_all_interactions.json",
        f"by_session/session_5/{DAY}.json",
        f"errors/{DAY}_errors.json",
    ):
        write(base_dir / file, first, other, amended)

    assert recordings.get_session_interactions(5) == [amended, other]
    assert recordings.get_date_interactions(DAY) == [amended, other]
    assert recordings.get_error_interactions(DAY) == [amended, other]
    assert recordings.get_latest_interactions() == [other, amended]
    assert names(recordings.get_latest_interactions(1)) == ["a"]


def test_records_without_an_id_are_not_one(base_dir: Path, recordings: Recordings) -> None:
    records = [{"prompt": str(number)} for number in range(3)]
    write(base_dir / "by_date" / f"{DAY}_all_interactions.json", *records, separator=",")
    assert len(recordings.get_date_interactions(DAY)) == 3
    assert len(recordings.get_latest_interactions()) == 3


def test_order_is_that_of_time(base_dir: Path, recordings: Recordings) -> None:
    """Also when clocks are put back, and beside records whose time has no offset or is none at all."""
    times = {
        "summer": f"{DAY}T02:30:00.000000+02:00",
        "winter": f"{DAY}T02:10:00.000000+01:00",
        "later": f"{DAY}T01:30:00+00:00",
        "none": None,
        "no time": "yesterday",
        "far": "9999-99-99",
    }
    records = [{**record(name), "timestamp": time} for name, time in times.items()]
    write(base_dir / "by_date" / f"{DAY}_all_interactions.json", *records[::-1])

    found = names(recordings.get_date_interactions(DAY))
    assert found[-3:] == ["summer", "winter", "later"]
    assert names(recordings.get_latest_interactions())[:3] == ["later", "winter", "summer"]


def test_the_records_of_seed_000(base_dir: Path, recordings: Recordings) -> None:
    """Its sessions are numbers, its times have no offset."""
    theirs = record("3a17b8cf", message_id=12) | {"session_id": 1, "timestamp": "2025-12-07T12:24:08.275173"}
    for file in ("by_session/session_1/2025-12-07.json", "by_date/2025-12-07_all_interactions.json"):
        write(base_dir / file, theirs)

    assert recordings.get_session_interactions(1) == recordings.get_session_interactions("1", "2025-12-07") == [theirs]
    assert recordings.get_date_interactions("2025-12-07") == recordings.get_latest_interactions() == [theirs]


def test_damage_is_counted_once(base_dir: Path, recordings: Recordings) -> None:
    file = base_dir / "by_date" / f"{DAY}_all_interactions.json"
    write(file, *(record(str(number), number) for number in range(4)))
    written = file.read_bytes().split(b"\n")
    written[1], written[3] = b"\xff\xfe\xfd", written[3][:-9]
    file.write_bytes(b"\n".join(written))

    for _ in range(2):
        assert names(recordings.get_date_interactions(DAY)) == ["1", "3"]
        assert names(recordings.get_latest_interactions()) == ["3", "1"]
        assert recordings.damaged == 2
    write(file, record("0"))
    assert names(recordings.get_date_interactions(DAY)) == ["0"]
    assert recordings.damaged == 0


def test_what_is_being_written_is_not_damaged(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that sees a part of a line looks again when the writer is done."""
    monkeypatch.setattr(lines, "_WAIT", PATIENCE)  # for as long as a machine may stand still in between
    tape.call("5")
    tape.flush()
    whole = tape.date_file.read_bytes()
    writing = threading.Event()
    with tape.exporter.writer.locked():
        tape.date_file.write_bytes(whole[:-100])
        found: list[Any] = []

        def ask() -> None:
            writing.set()
            found.extend(tape.recordings.get_date_interactions(tape.date_file.name[:10]))

        reading = threading.Thread(target=ask)
        reading.start()
        assert writing.wait(PATIENCE)
        reading.join(0.1)
        tape.date_file.write_bytes(whole)
    reading.join()
    assert found == loaded(tape.date_file)


def test_reading_while_others_write(taped: Callable[..., Tape]) -> None:
    tape = taped(buffer_size=5)
    done = threading.Event()

    def write_all() -> None:
        for _ in range(300):
            tape.call("5", "x" * 3000)
        done.set()

    writing = threading.Thread(target=write_all)
    writing.start()
    seen = 0
    while not done.is_set():
        recordings = tape.recordings
        now = len(recordings.get_session_interactions("5"))
        assert now >= seen
        assert len(recordings.get_latest_interactions(10)) <= 10
        assert recordings.damaged == 0
        seen = now
    writing.join()
    tape.flush()
    assert len(tape.recordings.get_latest_interactions(1000)) == 300


def test_nothing_is_there(base_dir: Path, recordings: Recordings) -> None:
    assert recordings.get_latest_interactions() == recordings.get_running_interactions() == []
    assert recordings.get_session_interactions("5") == recordings.get_date_interactions(DAY) == []
    assert recordings.get_error_interactions() == []
    assert not base_dir.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a folder can't be told from a file that is locked")
def test_a_folder_with_the_name_of_a_file(days: list[str], base_dir: Path, recordings: Recordings) -> None:
    known = list(recordings.iter_all())
    for name in ("by_date/2026-11-02_all_interactions.json", f"archive/{days[0]}_all_interactions_1.json"):
        (base_dir / name).mkdir(parents=True)
    assert list(recordings.iter_all()) == known
    assert len(recordings.get_latest_interactions()) == len(known)
    assert recordings.get_statistics()["total_interactions"] == len(known)
    assert recordings.get(known[0]["id"]) == known[0]


def test_a_day_that_is_deleted_just_now(
    days: list[str], recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    dates = Catalog.dates

    def deleted_once_listed(catalog: Catalog) -> list[Path]:
        found = dates(catalog)
        (catalog.base_dir / found[0]).unlink()
        return found

    monkeypatch.setattr(Catalog, "dates", deleted_once_listed)
    assert recordings.get_statistics()["total_interactions"] == len(days) - 3
    assert len(recordings.get_latest_interactions()) == len(days) - 6


def test_reading_makes_no_files(base_dir: Path, recordings: Recordings) -> None:
    """A copy of a folder may be read-only."""
    file = base_dir / "by_date" / f"{DAY}_all_interactions.json"
    write(file)
    file.write_text("garbage")
    assert recordings.get_date_interactions(DAY) == []
    assert [path for path in base_dir.rglob("*") if path.is_file()] == [file]


@pytest.mark.parametrize("wrong", [0, -1, "5", 1.5, None])
def test_what_is_no_number(recordings: Recordings, wrong: Any) -> None:
    with pytest.raises(QueryError, match="limit is .*: give a whole number of at least 1"):
        recordings.get_latest_interactions(wrong)
    with pytest.raises(QueryError, match="days is .*: give a whole number of at least 1"):
        recordings.get_error_interactions(days=wrong)


@pytest.mark.parametrize("wrong", [None, "error", {"status": "error"}])
def test_what_is_no_filter(recordings: Recordings, wrong: Any) -> None:
    for ask in (recordings.iter_all, recordings.iter_latest, recordings.get_statistics, recordings.size):
        with pytest.raises(QueryError, match="where is .*: give a Filter"):
            list(ask(wrong))


@pytest.mark.parametrize("wrong", [None, 5, ""])
def test_what_is_no_id(recordings: Recordings, wrong: Any) -> None:
    with pytest.raises(QueryError, match="id: give one, or how it begins"):
        recordings.get(wrong)


def test_what_is_no_date(recordings: Recordings) -> None:
    with pytest.raises(QueryError):
        recordings.get_date_interactions("yesterday")
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        recordings.get_session_interactions("5", "../../etc/passwd")
    with pytest.raises(QueryError):
        recordings.get_error_interactions("")


def test_where_the_recordings_are(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert spantape.recordings().base_dir == Path("logs/llm_interactions")
    monkeypatch.setenv("SPANTAPE_BASE_DIR", str(base_dir / "set"))
    assert spantape.recordings().base_dir == base_dir / "set"
    spantape.instrument(base_dir=base_dir / "given")
    assert spantape.recordings().base_dir == base_dir / "given"
    assert spantape.recordings(str(base_dir)).base_dir == base_dir
