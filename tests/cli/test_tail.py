"""The latest calls, and those that come."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_terminal import terminal
from cli_tree import DAY, RECORDS, environment, process, record, spantape, tree, write
from rich.cells import cell_len

ROWS = """\
12:00:00  ok         gpt-4o-mini       5             1.0k›200     $0.00027     1.5s  question 0 → ans…
12:00:01  ok         gpt-4o-mini       5             1.0k›200     $0.00027     1.5s  more → answer 1
12:00:02  ok         qwen-max          产品专员      1.0k›200     $0.00027     1.5s  选择一款产品 🙂 …
12:00:03  429 ↻2     gpt-4o-mini       5                    –            –     1.5s  question 3 → Err…
"""


def test_a_terminal(folder: Path) -> None:
    lines = terminal("tail", folder=folder, columns=102).splitlines()
    assert [line.rstrip() for line in lines] == ROWS.splitlines()


def test_piped(folder: Path) -> None:
    head, *lines = spantape("tail", "-n", "2", folder=folder).splitlines()
    assert head == spantape("ls", "-n", "2", folder=folder).splitlines()[0]
    assert [line.split("\t")[0] for line in lines] == [each["id"] for each in RECORDS[-2:]]
    (told,) = spantape("tail", "-n", "1", "-o", "jsonl", "--status", "ok", folder=folder).splitlines()
    assert json.loads(told) == RECORDS[2]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("csv", "id,usage.input_tokens\n00000002-0000-5000-8000-000000000000,1000\n"),
        ("json", '[{"id":"00000002-0000-5000-8000-000000000000","usage.input_tokens":1000}\n]\n'),
        ("md", "| id | usage.input_tokens |\n| --- | --- |\n| 00000002 | 1000 |\n"),
        ("table", "00000002  1000            \n"),
    ],
)
def test_forms_and_fields(form: str, told: str, folder: Path) -> None:
    words = ("tail", "-n", "1", "--status", "ok", "-o", form, "--fields", "id,usage.input_tokens")
    assert spantape(*words, folder=folder) == told


def test_whole_texts(folder: Path) -> None:
    said = terminal("tail", "-n", "1", "--fields", "status,prompt,response", "--full", folder=folder, columns=40)
    assert said == "429 ↻2     question 3  Error code: 429 - slow down\n"
    said = terminal("tail", "-n", "1", "--fields", "status,prompt,response", folder=folder, columns=40)
    assert said == "429 ↻2     question 3     Error code: …\n"


@pytest.mark.parametrize("columns", [40, 41, 80])
def test_wide_characters_take_two_places(columns: int, tmp_path: Path) -> None:
    sizes = (3, 4, 5, 6, 9, 30)
    calls = [record(size, prompt="选择" * size, response="好", messages=None) for size in sizes]
    rows = terminal("tail", "-o", "table", folder=tree(tmp_path, calls), columns=columns).splitlines()
    assert {cell_len(row) for row in rows} == {columns}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Ctrl-C of POSIX")
def test_ctrl_c_is_the_end(folder: Path) -> None:
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # else as of who started us
    begin = f"{listening}; import runpy; runpy.run_module('spantape', run_name='__main__')"
    command = [sys.executable, "-c", begin, "tail", "-f", "-n", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment(folder)
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        try:
            _, wrong = child.communicate(timeout=60)
        finally:
            child.kill()
    assert (child.returncode, wrong) == (0, "")


def test_an_array_has_an_end(folder: Path) -> None:
    done = process("tail", "-f", "-o", "json", folder=folder)
    assert done.returncode == 2
    assert "give -o jsonl" in done.stderr


def test_nothing(tmp_path: Path) -> None:
    assert process("tail", folder=tmp_path).returncode == 3


class Following:
    """`spantape tail -f` as it runs."""

    def __init__(self, folder: Path, *words: str) -> None:
        command = [sys.executable, "-m", "spantape", "tail", "-f", "-o", "jsonl", *words]
        self._child = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment(folder)
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def next(self) -> tuple[str, str]:
        told = json.loads(self._lines.get(timeout=300))
        return told["id"], told["metadata"]["stage"]

    def stop(self) -> None:
        self._child.kill()
        self._reader.join(300)
        self._child.__exit__(None, None, None)

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.put(line)


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., Following]]:
    running: list[Following] = []

    def start(*words: str) -> Following:
        running.append(Following(tmp_path, *words))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def stage(record: dict[str, Any], name: str) -> dict[str, Any]:
    return record | {"metadata": {**record["metadata"], "stage": name}}


def test_a_call_is_told_when_it_begins_and_when_it_ends(follow: Callable[..., Following], tmp_path: Path) -> None:
    first, second = record(1), record(2)
    tree(tmp_path, [first])
    tail = follow()
    assert tail.next() == (first["id"], "completed")
    write(tmp_path / "real_time" / "latest.json", [stage(second, "started") | {"success": None, "status": None}])
    assert tail.next() == (second["id"], "started")
    write(tmp_path / "by_date" / f"{DAY}_all_interactions.json", [first, second])
    assert tail.next() == (second["id"], "completed")
    write(tmp_path / "by_date" / f"{DAY}_all_interactions.json", [first, second, stage(second, "finalized")])
    assert tail.next() == (second["id"], "finalized")


def test_only_what_is_asked_for(follow: Callable[..., Following], tmp_path: Path) -> None:
    calls = [record(1), record(2, model="gpt-4o"), record(3), record(4, model="gpt-4o")]
    tree(tmp_path, calls[:2])
    tail = follow("--model", "gpt-4o", "-n", "1")
    assert tail.next()[0] == calls[1]["id"]
    tree(tmp_path, calls)
    assert tail.next()[0] == calls[3]["id"]
