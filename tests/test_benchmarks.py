"""The overhead benchmark runs: its workers, its figures, its verdicts, its page."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
NUMBER = r"-?\d+\.\d \(-?\d+\.\d – -?\d+\.\d\)"

MEMORY = [] if sys.platform == "win32" else ["--memory", "20"]


class Run(NamedTuple):
    status: int
    output: str
    errors: str
    page: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of what needs no environment of its own, in a shell that switches recording off."""
    page = tmp_path_factory.mktemp("docs") / "performance.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    tiny = ["--rounds", "2", "--calls", "2", "--streams", "1", "--chunks", "10", *MEMORY]
    command = [str(ROOT / "benchmarks" / "overhead.py"), "--here", "--contenders", "bare,spantape,recording,unsampled"]
    done = subprocess.run(
        [sys.executable, *command, *tiny, "--check", "--write", str(page)],
        check=False,
        timeout=120,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "SPANTAPE_ENABLED": "false"},
    )
    return Run(done.returncode, done.stdout, done.stderr, page.read_text(encoding="utf-8"))


def test_the_tables_come_out(run: Run) -> None:
    for title in (r"\*\*spantape\*\*, spans only", r"\*\*spantape\*\*, recording to files"):
        assert re.search(rf"^\| {title} [\w.+]+ \| {NUMBER} \|  \| {NUMBER} \|  \|$", run.output, re.MULTILINE), run
    assert re.search(rf"^\| unsampled, recording off \| {NUMBER} \|$", run.output, re.MULTILINE)
    assert re.search(r"The bare client takes \d+ µs a call and \d+\.\d µs a chunk\.", run.output)


def test_the_machine_and_the_versions_are_named(run: Run) -> None:
    machine = run.output.strip().splitlines()[-1]
    for part in ("cores", "Python 3.", "openai ", "opentelemetry-sdk ", "spantape ", "2 rounds, streams of 10 chunks"):
        assert part in machine


def test_import_and_memory_have_verdicts(run: Run) -> None:
    for title in [
        "`import spantape`, after the OTel SDK",
        *(["Memory gained from call 2 to call 20"] if MEMORY else []),
    ]:
        line = rf"^\| {re.escape(title)} \| -?[\d.]+ \w+ \| \d+ \w+ \| (yes|\*\*no\*\*) \|$"
        assert re.search(line, run.output, re.MULTILINE), run.output


def test_each_did_what_it_is_measured_for_whatever_the_shell_says(run: Run) -> None:
    assert "figures mean nothing" not in run.output


def test_a_missed_target_is_the_exit_status_when_asked(run: Run) -> None:
    assert run.status == int("**no**" in run.output)


def test_the_page_gets_the_tables_and_keeps_its_text(run: Run) -> None:
    frame = re.split("<!-- overhead: (?:begin|end) -->", PAGE.read_text(encoding="utf-8"))
    written = re.split("<!-- overhead: (?:begin|end) -->", run.page)
    assert (written[0], written[1].strip(), written[2]) == (frame[0], run.output.strip(), frame[2])


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("report")


def test_a_page_without_marks_is_left_alone(report: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Nothing to fill in.", encoding="utf-8")
    with pytest.raises(SystemExit, match="put both in"):
        report.write(page, "the table")
    assert page.read_text(encoding="utf-8") == "Nothing to fill in."


def test_each_target_is_judged_by_medians(report: Any) -> None:
    found = report.Found(rounds=3, chunks=200, imports=[3.0, 41.0, 50.0], memory={"10": 0, "100": 4 << 20})
    found.added = {
        ("official", "chat"): [100.0, 500.0, 9000.0],
        ("official", "stream"): [20.0, 20.0, 20.0],
        ("logfire", "chat"): [150.0, 150.0, 150.0],
        ("spantape", "chat"): [200.0, 200.0, 1.0],
        ("spantape", "stream"): [4.0, 4.2, 4.4],
        ("recording", "chat"): [499.0, 499.0, 499.0],
        ("recording", "stream"): [21.0, 21.0, 21.0],
        ("unsampled", "short"): [9.0, 9.0, 90.0],
        ("suppressed", "short"): [11.0, 11.0, 1.0],
    }
    verdicts = [(round(target.measured, 2), target.most, target.holds) for target in report.targets(found)]
    assert verdicts == [
        (0.4, 0.4, True),
        (0.21, 0.2, False),
        (1.0, 1.0, True),
        (1.05, 1.0, False),
        (1.33, 1.0, False),
        (9.0, 10.0, True),
        (11.0, 10.0, False),
        (41.0, 40.0, False),
        (4.0, 5.0, True),
    ]


def test_figures_of_one_who_does_something_else_fail_the_run_and_say_so(report: Any) -> None:
    found = report.Found(rounds=1, chunks=10)
    assert report.holds(found)
    found.doubts.append("official exported nothing: its figures mean nothing.")
    assert not report.holds(found)
    assert "its figures mean nothing." in report.page(found)


def test_what_was_not_measured_has_no_target(report: Any) -> None:
    found = report.Found(rounds=1, chunks=10)
    found.added = {("spantape", "chat"): [1.0], ("spantape", "stream"): [1.0]}
    assert report.targets(found) == []


@pytest.mark.skipif(sys.platform == "win32", reason="tells no memory")
def test_the_recorder_alone(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, ROOT / "benchmarks" / "recorder.py", "--rounds", "1", "--records", "1500"]
    done = subprocess.run([*command, "--write", page], check=True, timeout=120, capture_output=True, encoding="utf-8")
    assert re.search(r"^\| CPU of a record, against the bare write \| [\d.]+ × \| 6 × \|", done.stdout, re.MULTILINE)
    assert re.search(
        r"^\| Records lost by that \(\d+ calls wrote themselves\) \| 0 \| 0 \| yes \|$", done.stdout, re.MULTILINE
    )
    frame, written = (re.split("<!-- recorder: (?:begin|end) -->", one.read_text("utf-8")) for one in (PAGE, page))
    assert (written[0], written[1].strip(), written[2]) == (frame[0], done.stdout.strip(), frame[2])
