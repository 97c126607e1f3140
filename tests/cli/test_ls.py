"""Lists: in a terminal for a person, piped for a program."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from cli_terminal import terminal
from cli_tree import FAILED, RECORDS, process, record, spantape, tree, write

WIDE = """\
id        time      status  model        session     tokens      cost  latency  prompt          response
fa11ed00  12:00:03  429 ↻2  gpt-4o-mini  5                –         –     1.5s  question 3      Error code: 4…
00000002  12:00:02  ok      qwen-max     产品专员  1.0k›200  $0.00027     1.5s  选择一款产品 …  好的，以下是 …
00000001  12:00:01  ok      gpt-4o-mini  5         1.0k›200  $0.00027     1.5s  more            answer 1
00000000  12:00:00  ok      gpt-4o-mini  5         1.0k›200  $0.00027     1.5s  question 0      answer 0
"""
RUNNING = (("ls",), ("stats",), ("session", "6"))
NARROWEST = """\
id        status  said
fa11ed00  429 ↻2  question 3 → Error co…
00000002  ok      选择一款产品 🙂 → 好 …
00000001  ok      more → answer 1
00000000  ok      question 0 → answer 0
"""


def stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize(("columns", "seen"), [(110, WIDE), (40, NARROWEST)])
def test_a_terminal(columns: int, seen: str, folder: Path) -> None:
    assert stripped(terminal("ls", folder=folder, columns=columns)) == seen


@pytest.mark.parametrize("words", ["ls", "errors", "stats --by session", "sessions"])
@pytest.mark.parametrize("columns", [50, 80])
def test_long_names_leave_room_for_the_rest(words: str, columns: int, tmp_path: Path) -> None:
    names = {"model": "deepseek-ai/DeepSeek-V3.1-Terminus", "session_id": "3c15f95f-f681-5773-b6b9-bb8dd434b070"}
    folder = tree(tmp_path, [FAILED | names])
    head, row = terminal(*words.split(), folder=folder, columns=columns).splitlines()
    assert "…" not in head
    if "id" in head.split():
        assert row.split()[0] == "fa11ed00"
        assert "question" in row or "Error" in row
    assert len(row) <= columns
    full = terminal(*words.split(), "--full", "--fields", "model", folder=folder, columns=columns)
    assert words != "ls" or names["model"] in full


def test_piped_it_is_plain_and_complete(folder: Path) -> None:
    head, *lines = spantape("ls", folder=folder).splitlines()
    assert head.split("\t") == [
        "id",
        "time",
        "status",
        "model",
        "session",
        "tokens",
        "cost",
        "latency",
        "prompt",
        "response",
    ]
    assert [line.split("\t")[0] for line in lines] == [each["id"] for each in reversed(RECORDS)]
    assert lines[1].split("\t")[-2:] == ["选择一款产品 🙂", "好的，以下是三款产品。"]


def test_json_is_the_records(folder: Path) -> None:
    assert json.loads(spantape("ls", "-o", "json", folder=folder)) == RECORDS[::-1]
    lines = spantape("ls", "-o", "jsonl", "-n", "2", folder=folder).splitlines()
    assert [json.loads(line) for line in lines] == RECORDS[:1:-1]


def test_fields_are_columns_or_paths(folder: Path) -> None:
    said = spantape("ls", "-o", "md", "--fields", "id,usage.input_tokens,request", "-n", "1", folder=folder)
    assert said.splitlines()[2] == '| fa11ed00 |  | {"model":"gpt-4o-mini","temperature":0.3} |'
    picked = json.loads(spantape("ls", "-o", "json", "--fields", "model,usage.input_tokens", folder=folder))
    assert picked[1] == {"model": "qwen-max", "usage.input_tokens": 1000}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_a_spreadsheet_takes_no_answer_for_a_formula(start: str, tmp_path: Path) -> None:
    said = f"{start}1+cmd|' /C calc'!A0"
    folder = tree(tmp_path, [record(1, response=said, prompt='a "b",\nc')])
    _, row = csv.reader(io.StringIO(spantape("ls", "-o", "csv", "--fields", "prompt,response,cost", folder=folder)))
    assert row == ['a "b",\nc', f"'{said}", "0.00027"]


def test_nothing_found(folder: Path) -> None:
    done = process("ls", "--model", "none", folder=folder)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "Error: nothing found\n")


@pytest.mark.parametrize("words", ["ls", "sessions", "stats", "session 5", "search hi", "export a.json"])
@pytest.mark.parametrize("name", ["", "missing"])
def test_where_nothing_is_recorded_it_says_so(words: str, name: str, tmp_path: Path) -> None:
    done = process(*words.split(), "--dir", str(tmp_path / name), folder=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith(f"Error: nothing is recorded in {tmp_path / name}: give the folder with --dir")


def test_calls_that_run(folder: Path) -> None:
    """They are in no file of a day yet."""
    running = record(9, success=None, status=None, response=None, metadata={"stage": "started"})
    write(folder / "real_time" / "latest.json", [running | {"session_id": "6"}, running | {"id": "9" * 8}])
    found = [json.loads(spantape(*words, "--status", "running", "-o", "json", folder=folder)) for words in RUNNING]
    assert [each["id"] for each in found[0]] == ["9" * 8, running["id"]]
    assert [each["calls"] for each in found[1]] == [2]
    assert [each["id"] for each in found[2]] == [running["id"]]
    assert process("ls", "--status", "running", "--model", "none", folder=folder).returncode == 3


@pytest.mark.parametrize("words", [("lss",), ("ls", "-n", "x"), ("ls", "--fields", ","), ("ls", "-o", "pdf")])
def test_wrong_usage(words: tuple[str, ...], folder: Path) -> None:
    done = process(*words, folder=folder)
    assert done.returncode == 2
    assert "Error: " in done.stderr


def test_times_are_told_in_the_local_zone(folder: Path) -> None:
    (line,) = spantape("ls", "-n", "1", "-o", "md", "--fields", "time,date", folder=folder, TZ="UTC+5").splitlines()[2:]
    assert line == "| 23:00:03 | 2026-11-20 23:00:03 |"
    assert "2026-11-20 23:00\t4" in spantape("stats", "--by", "hour", folder=folder, TZ="UTC+5")
    assert "2026-11-20\t4" in spantape("cost", folder=folder, TZ="UTC+5")
    assert process("ls", "--since", "2026-11-21", folder=folder, TZ="UTC+5").returncode == 3
    assert process("ls", "--since", "2026-11-21", folder=folder).returncode == 0


def test_colours_are_for_terminals(folder: Path) -> None:
    assert "\x1b[" not in spantape("ls", folder=folder, NO_COLOR="")
    assert "\x1b[" in terminal("ls", folder=folder, NO_COLOR="")
    assert "\x1b[" not in terminal("ls", folder=folder, NO_COLOR="1")
