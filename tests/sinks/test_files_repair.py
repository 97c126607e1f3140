"""Files that a crash or someone else has left behind: repaired, extended or moved aside, never destroyed."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from sinks_tape import SEED_KEYS, Nursery, Tape, ended, files, kill, loaded, span_ids

import spantape
from spantape import jsontext
from spantape.sinks.files import FileSpanExporter
from spantape.sinks.files.repair import repair

FOREIGN = [{"id": "one", "timestamp": "2020-01-01T00:00:00", "session_id": 1}, {"id": "two", "messages": [{"a": [1]}]}]


@pytest.fixture
def exporter(base_dir: Path) -> FileSpanExporter:
    return FileSpanExporter(base_dir)


@pytest.fixture
def span() -> ReadableSpan:
    return ended("5", "你好\n]\n,{}")


@pytest.fixture
def file(exporter: FileSpanExporter, span: ReadableSpan) -> Path:
    """The file of the day, with one record in it."""
    exporter.export([span])
    return next((exporter.base_dir / "by_date").iterdir())


def read(base_dir: Path, file: Path) -> tuple[list[Any], int]:
    recordings = spantape.recordings(base_dir)
    return [record["id"] for record in recordings.get_date_interactions(file.name[:10])], recordings.damaged


def test_cut_at_every_byte(exporter: FileSpanExporter, base_dir: Path, file: Path) -> None:
    """After a crash the readers skip the torn end, and the next append repairs it; no whole record is lost."""
    exporter.export([ended("5", prompt) for prompt in ("two", "三")])
    whole = file.read_bytes()
    ids = [record["id"] for record in loaded(file)]
    lines = whole.split(b"\n")
    ends = [whole.index(line) + len(line.rstrip(b",")) for line in lines[1:4]]
    another = ended("5")

    for cut in range(ends[1] - 3, len(whole)):
        file.write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends)
        found, damaged = read(base_dir, file)
        assert found == ids[:kept], cut
        assert damaged == (whole[ends[kept - 1] : cut].strip(b"\n,]") != b""), cut

        exporter.export([another])
        assert [record["id"] for record in loaded(file)[:-1]] == ids[:kept], cut
        assert len(loaded(file)) == kept + 1
    assert not list(base_dir.rglob("*.damaged*"))


def test_an_overwrite_cut_at_every_byte(exporter: FileSpanExporter, base_dir: Path, file: Path) -> None:
    """The kernel may have written only a part of the new end over the old one."""
    before = file.read_bytes()
    exporter.export([ended("5", prompt) for prompt in ("two", "three")])
    after = file.read_bytes()
    ids = [record["id"] for record in loaded(file)]
    end = len(before) - len(b"\n]\n")
    another = ended("5")

    for cut in [*range(end, end + 50), *range(len(after) - 50, len(after))]:
        file.write_bytes(after[:cut] + before[cut:])
        found, _ = read(base_dir, file)
        assert found[:1] == ids[:1], cut
        exporter.export([another])
        kept = [record["id"] for record in loaded(file)[:-1]]
        assert kept == ids[: len(kept)] == found, cut


def test_a_first_write_cut_at_every_byte(exporter: FileSpanExporter, base_dir: Path, file: Path) -> None:
    whole = file.read_bytes()
    (record,) = loaded(file)
    end = whole.index(b"\n]\n")

    for cut in [*range(60), *range(60, end - 60, 17), *range(end - 60, end + 1)]:
        file.write_bytes(whole[:cut])
        assert read(base_dir, file) == ([record["id"]], 0) if cut == end else ([], cut > 2)
        exporter.export([ended("5")])
        assert len(loaded(file)) == 1 + (cut == end), cut


@pytest.mark.parametrize("zeros", [1, 100, 100_000])
def test_zeros_after_a_power_failure(exporter: FileSpanExporter, base_dir: Path, file: Path, zeros: int) -> None:
    (record,) = loaded(file)
    whole = file.read_bytes()
    for torn in (whole, whole[:-3], whole[:-3] + b",\n"):
        file.write_bytes(torn + b"\0" * zeros)
        assert read(base_dir, file) == ([record["id"]], 0)
        exporter.export([ended("5")])
        assert loaded(file)[0] == record
        assert len(loaded(file)) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_killed_in_the_middle_of_writes(base_dir: Path, tmp_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from sinks_tape import Tape, born

        born()
        tape = Tape(Path(sys.argv[1]), buffer_size=3)
        while True:
            ids = [tape.call("5", "x" * 30_000) for _ in range(3)]
            assert tape.flush()
            print(*ids, flush=True)
    """
    told: list[str] = []
    order = random.Random(5)
    nursery = Nursery(script, tmp_path, base_dir)
    for _ in range(8):
        pid, out = nursery.child()
        time.sleep(order.random() * 0.05)
        kill(pid)
        told += [key for line in out.read_text().splitlines(keepends=True) if line[-1] == "\n" for key in line.split()]

    recordings = spantape.recordings(base_dir)
    assert set(told) <= {record["span_id"] for record in recordings.get_session_interactions("5")}
    FileSpanExporter(base_dir).export([ended("5")])
    for folder in ("by_date", "by_session"):
        found = span_ids(base_dir, folder)
        assert set(told) <= set(found)
        assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(FOREIGN, indent=4, ensure_ascii=False),
        json.dumps(FOREIGN, indent=4) + "\n" * 100,
        json.dumps(FOREIGN, indent="\t").replace("\n", "\r\n"),
        json.dumps(FOREIGN),
        json.dumps(FOREIGN, separators=(",", ":")) + "\n",
        json.dumps(FOREIGN, indent=0),
        "  \n" + json.dumps(FOREIGN, indent=1).removesuffix("\n]") + " " * 100 + "]  \n",
        "[" + ",\n ".join(map(json.dumps, FOREIGN)) + "]",
        json.dumps(FOREIGN).replace('"2020-01-01T00:00:00"', "NaN"),
        json.dumps(FOREIGN).replace('"two"', '"two\\ud83d"'),
    ],
    ids=["indent", "blank", "windows", "compact", "dense", "indent0", "spaced", "jq", "nan", "surrogate"],
)
def test_an_array_by_someone_else(exporter: FileSpanExporter, base_dir: Path, file: Path, text: str) -> None:
    (ours,) = loaded(file)
    file.write_bytes(text.encode())
    theirs = json.loads(text)
    ids = [jsontext.whole(record["id"]) for record in theirs]  # what UTF-8 can't carry is no text
    assert sorted(read(base_dir, file)[0]) == sorted(ids)

    for count in range(1, 4):
        exporter.export([ended("5")])
        assert json.dumps(loaded(file)[:2]) == json.dumps(theirs)
        assert len(loaded(file)) == 2 + count
    found, damaged = read(base_dir, file)
    assert (set(found), damaged) == ({*ids, *(jsontext.whole(record["id"]) for record in loaded(file))}, 0)
    latest = spantape.recordings(base_dir).get_latest_interactions()
    assert {record["id"] for record in latest} == set(found)
    assert list(loaded(file)[-1]) == list(ours)
    assert list(ours)[: len(SEED_KEYS)] == SEED_KEYS


def test_an_array_of_something_else(exporter: FileSpanExporter, base_dir: Path, file: Path) -> None:
    file.write_text('[1, "two", null]')
    exporter.export([ended("5")])

    assert loaded(file)[:3] == [1, "two", None]
    found, damaged = read(base_dir, file)
    assert (len(found), damaged) == (1, 3)


@pytest.mark.parametrize(
    "text", ["", "[]", "[]\n", "[", "[\n", "[\n]", "[\n\n]\n", "[ ]", " ", "\n", "\n" * 100, "\0" * 9]
)
def test_an_empty_file(exporter: FileSpanExporter, base_dir: Path, file: Path, text: str) -> None:
    file.write_text(text)
    assert read(base_dir, file) == ([], 0)
    assert spantape.recordings(base_dir).get_latest_interactions() == []

    exporter.export([ended("5"), ended("5")])
    assert len(loaded(file)) == 2
    assert not list(base_dir.rglob("*.damaged*"))


@pytest.mark.parametrize(
    "garbage",
    [
        b"dear diary",
        b'{"id": "one"}',
        b'{"id": "one"}\n{"id": "two"}\n',
        b'"text"',
        b"5",
        b"null",
        b"\n]\n",
        b"}\n]\n",
        b"[1, 2",
        b'[\n{"id": "one"},\nnot ours\nnot ours either',
        b"\xff\xfe" + "[]".encode("utf-16-le"),
        b"\xef\xbb\xbf[]",
        random.Random(5).randbytes(5000).replace(b"[", b"x"),
    ],
    ids=lambda garbage: ascii(garbage[:20]),
)
def test_garbage_is_moved_aside(
    exporter: FileSpanExporter, base_dir: Path, file: Path, garbage: bytes, warnings: Callable[[], list[str]]
) -> None:
    file.write_bytes(garbage)
    read(base_dir, file)
    spantape.recordings(base_dir).get_latest_interactions()
    for _ in range(3):
        exporter.export([ended("5")])

    assert len(loaded(file)) == 3
    (aside,) = base_dir.rglob("*.damaged*")
    assert aside.read_bytes() == garbage
    (warning,) = warnings()
    assert str(file) in warning
    assert str(aside) in warning
    assert aside not in files(base_dir)


def test_damage_in_the_middle_is_left_alone(exporter: FileSpanExporter, base_dir: Path, file: Path) -> None:
    exporter.export([ended("5"), ended("5")])
    ids = [record["id"] for record in loaded(file)]
    lines = file.read_bytes().split(b"\n")
    lines[2] = lines[2][:100]
    file.write_bytes(b"\n".join(lines))
    assert read(base_dir, file) == ([ids[0], ids[2]], 1)

    exporter.export([ended("5")])
    found, damaged = read(base_dir, file)
    assert (found[:2], len(found), damaged) == ([ids[0], ids[2]], 3, 1)
    assert len(spantape.recordings(base_dir).get_latest_interactions()) == 3
    assert not list(base_dir.rglob("*.damaged*"))


def test_a_folder_that_was_deleted_comes_back(taped: Callable[..., Tape]) -> None:
    tape = taped(upkeep=False)
    tape.call("5")
    tape.flush()
    for path in sorted(tape.base_dir.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    tape.base_dir.rmdir()
    tape.call("5")
    assert tape.flush()

    assert len(span_ids(tape.base_dir)) == 1


def test_a_repair_without_a_record(exporter: FileSpanExporter, base_dir: Path, file: Path) -> None:
    """Cut anywhere, a file is whole again; and one that is whole is not touched, whoever wrote it."""
    exporter.export([ended("5", "two")])
    whole = file.read_bytes()
    assert repair(base_dir) == []
    for cut in [*range(30), *range(30, len(whole), 97), *range(len(whole) - 30, len(whole) - 1)]:
        file.write_bytes(whole[:cut])
        assert repair(base_dir) == ([] if cut == len(whole) - 1 else [file.relative_to(base_dir)]), cut
        assert len(loaded(file)) == whole[: cut + 1].count(b"}\n") + whole[: cut + 1].count(b"},\n"), cut
        assert repair(base_dir) == []
    for theirs in (json.dumps(FOREIGN), json.dumps(FOREIGN, indent=2), "[]", "dear diary"):
        file.write_text(theirs)
        assert repair(base_dir) == []
        assert file.read_text() == theirs


def test_a_repair_of_nothing(base_dir: Path) -> None:
    assert repair(base_dir) == []
    assert not base_dir.exists()
