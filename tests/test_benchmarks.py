"""The overhead benchmark runs: its workers, its figures, its verdicts, its page."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
NUMBER = r"-?\d+\.\d \(-?\d+\.\d – -?\d+\.\d\)"

MEMORY = [] if sys.platform == "win32" else ["--memory", "20"]


COLUMNS = {"openai": 2, "langchain": 4}
NOT_IDLE = [r"\*\*spantape\*\*, spans only", r"\*\*spantape\*\*, recording to files"]


class Run(NamedTuple):
    suite: str
    status: int
    output: str
    errors: str
    page: str

    @property
    def marks(self) -> str:
        return f"<!-- overhead of {self.suite}: (?:begin|end) -->"


def measured(suite: str, page: Path, *more: str) -> Run:
    """One run of what needs no environment of its own, in a shell that switches recording off."""
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    tiny = ["--rounds", "1", "--calls", "2", "--streams", "1", "--chunks", "10", *MEMORY, *more]
    command = [str(ROOT / "benchmarks" / "overhead.py"), "--suite", suite, "--here"]
    done = subprocess.run(
        [sys.executable, *command, *tiny, "--check", "--write", str(page)],
        check=False,
        timeout=600,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "SPANTAPE_ENABLED": "false", "LANGSMITH_TRACING": "true"},
    )
    return Run(suite, done.returncode, done.stdout, done.stderr, page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def openai(tmp_path_factory: pytest.TempPathFactory) -> Run:
    page = tmp_path_factory.mktemp("openai") / "performance.md"
    return measured("openai", page, "--contenders", "bare,spantape,recording,floor,unsampled")


@pytest.fixture(scope="module")
def langchain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    page = tmp_path_factory.mktemp("langchain") / "performance.md"
    return measured("langchain", page, "--contenders", "bare,spantape,recording,floor")


@pytest.fixture(params=COLUMNS)
def run(request: pytest.FixtureRequest) -> Run:
    found: Run = request.getfixturevalue(request.param)
    return found


def test_the_table_comes_out(run: Run) -> None:
    cells = rf"( \| {NUMBER} \| ){{{COLUMNS[run.suite]}}} \|"
    for title in NOT_IDLE:
        assert re.search(rf"^\| {title} [\w.+]+{cells}$", run.output, re.MULTILINE), run


def test_what_the_bare_client_takes_is_told(openai: Run, langchain: Run) -> None:
    assert re.search(r"Bare, it takes [\d,]+ µs for a call, [\d,]+ µs for a chunk\.", openai.output)
    assert re.search(r"Bare, .* µs for a chain of ten steps, .* µs for an agent with a tool\.", langchain.output)


def test_who_has_nothing_to_do_has_a_table_of_its_own(openai: Run) -> None:
    assert re.search(rf"^\| unsampled, recording off \| {NUMBER} \|$", openai.output, re.MULTILINE)


def test_the_machine_and_the_versions_are_named(openai: Run, langchain: Run) -> None:
    common = ["cores", "Python 3.", "openai ", "opentelemetry-sdk ", "spantape ", "1 rounds, streams of 10 chunks"]
    for part in common:
        assert part in openai.output.strip().splitlines()[-1]
    for part in [*common, "langchain-core ", "langchain-openai ", "langgraph "]:
        assert part in langchain.output.strip().splitlines()[-1]


def verdict(run: Run, title: str) -> bool:
    line = rf"^\| {re.escape(title)} \| -?[\d.]+ \w+ \| \d+ \w+ \| (yes|\*\*no\*\*) \|$"
    return bool(re.search(line, run.output, re.MULTILINE))


def test_import_and_memory_have_verdicts(openai: Run, langchain: Run) -> None:
    assert verdict(openai, "`import spantape`, after the OTel SDK")
    for run in (openai, langchain) if MEMORY else ():
        assert verdict(run, "Memory gained from call 2 to call 20")


def test_each_did_what_it_is_measured_for_whatever_the_shell_says(run: Run) -> None:
    assert "figures mean nothing" not in run.output


def test_a_missed_target_is_the_exit_status_when_asked(run: Run) -> None:
    assert run.status == int("**no**" in run.output), run.errors


def test_the_page_gets_the_tables_and_keeps_its_text(run: Run) -> None:
    frame = re.split(run.marks, PAGE.read_text(encoding="utf-8"))
    written = re.split(run.marks, run.page)
    assert (written[0], written[1].strip(), written[2]) == (frame[0], run.output.strip(), frame[2])


def test_who_is_not_known_is_said(tmp_path: Path) -> None:
    run = measured("langchain", tmp_path / "page.md", "--contenders", "logfire")
    assert run.status == 1
    assert (
        "logfire takes no part; there are official, openinference, openllmetry, spantape, essential, recording"
        in run.errors
    )


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Any:
    return room("report", monkeypatch)


@pytest.fixture
def suites(monkeypatch: pytest.MonkeyPatch) -> Any:
    return room("suites", monkeypatch).SUITES


def room(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module(name)


def test_a_page_without_marks_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Nothing to fill in.", encoding="utf-8")
    with pytest.raises(SystemExit, match="put both in"):
        room("page", monkeypatch).put(page, "recorder", "the table")
    assert page.read_text(encoding="utf-8") == "Nothing to fill in."


@pytest.mark.parametrize(("measured", "verdict", "status"), [(1.5, "yes", 0), (1.501, "**no**", 1)])
def test_a_table_is_printed_and_put_between_its_marks(
    measured: float, verdict: str, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, page = tmp_path / "page.md", room("page", monkeypatch)
    path.write_text("Before.\n<!-- disk: begin -->old<!-- disk: end -->\nAfter.\n", encoding="utf-8")
    asked = page.options("About a disk", rounds=3).parse_args(["--check", "--write", str(path)])
    assert page.tell("disk", asked, [page.Target("A write", measured, 1.5, "s")], f"{asked.rounds} rounds.") == status
    before, table, after = re.split("<!-- disk: (?:begin|end) -->", path.read_text(encoding="utf-8"))
    assert (before, after) == ("Before.\n", "\nAfter.\n")
    assert f"| A write | 1.5 s | 1.5 s | {verdict} |\n\n3 rounds." in table


def test_each_target_is_judged_by_medians(report: Any, suites: Any) -> None:
    memory = {"10": 0, "100": 4 << 20}
    found = report.Found(suites["openai"], rounds=3, chunks=200, imports=[3.0, 41.0, 50.0], memory=memory)
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


def test_every_langchain_case_may_cost_half_of_the_official_packages(report: Any, suites: Any) -> None:
    found = report.Found(suites["langchain"], rounds=1, chunks=200)
    for case in ("invoke", "chain", "stream", "agent"):
        found.added |= {("official", case): [100.0], ("spantape", case): [50.0], ("openllmetry", case): [40.0]}
    found.added["spantape", "agent"] = [51.0]
    verdicts = {target.says: target.holds for target in report.targets(found)}
    assert verdicts == {
        "A model's call: CPU added, against the official package's": True,
        "A chain of ten steps: CPU added, against the official package's": True,
        "A chunk: CPU added, against the official package's": True,
        "An agent with a tool: CPU added, against the official package's": False,
        "A model's call: CPU added, against the cheapest peer's": False,
    }


def test_what_is_counted_is_told_in_its_own_unit(report: Any, suites: Any) -> None:
    found = report.Found(suites["openai"], rounds=1, chunks=10, unit=report.Unit("Instructions", "thousands"))
    for name, added in (("official", 100.0), ("spantape", 40.0)):
        found.versions[name] = {suites["openai"].contenders[name].distribution: "1.0"}
        found.add(name, "chat", {"bare": 1000.0, "added": added})
        found.add(name, "stream", {"bare": 1000.0, "added": added})
    text = report.page(found)
    assert "| a call: Instructions added, thousands | × official |" in text
    assert "| A call: Instructions added, against the official package's | 0.4 × | 0.4 × | yes |" in text
    assert "Bare, it takes 1,000 thousands for a call, 100 thousands for a chunk." in text


def test_without_valgrind_it_is_said_what_to_do() -> None:
    command = [sys.executable, ROOT / "benchmarks" / "instructions.py"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "PATH": ""})
    assert (done.returncode, "install valgrind" in done.stderr) == (1, True), done.stderr


class Client:
    """What a contender watches, in a module of its own."""

    def ask(self) -> str:
        return "bare"


class Grown(Client):
    size = 2


def test_what_was_exchanged_is_put_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    patches = room("patches", monkeypatch)
    module: Any = types.ModuleType("watched_library")
    module.Client, module.Grown, module.hooks, module.make = Client, Grown, [], Client
    monkeypatch.setitem(sys.modules, "watched_library", module)
    for kind in (Client, Grown):
        monkeypatch.setattr(kind, "__module__", "watched_library")

    def state() -> tuple[Any, ...]:
        return Client().ask(), Grown().ask(), hasattr(Client(), "seen"), list(module.hooks), module.make

    off, hooks = state(), module.hooks
    before = patches.attributes(("watched_library",))
    monkeypatch.setattr(Client, "ask", lambda self: "watched")
    monkeypatch.setattr(Grown, "ask", lambda self: "watched, too", raising=False)
    monkeypatch.setattr(Client, "__init__", lambda self: vars(self).update(seen=True))
    module.hooks.append("hook")
    module.make, module.loaded_late = Grown, sys
    on, patch = state(), patches.Patch(before, patches.attributes(("watched_library",)))
    assert sorted(patch) == [
        "Client.__init__",
        "Client.ask",
        "Grown.ask",
        "watched_library.hooks",
        "watched_library.make",
    ]
    for _ in range(2):
        patch.flip(on=False)
        assert state() == off
        patch.flip(on=True)
        assert state() == on == ("watched", "watched, too", True, ["hook"], Grown)
    assert module.hooks is hooks
    with pytest.raises(SystemExit, match="has changed nothing"):
        patches.Patch(before, before)


def test_figures_of_one_who_does_something_else_fail_the_run_and_say_so(report: Any, suites: Any) -> None:
    found = report.Found(suites["openai"], rounds=1, chunks=10)
    assert report.holds(found)
    found.doubts.append("official exported nothing: its figures mean nothing.")
    assert not report.holds(found)
    assert "its figures mean nothing." in report.page(found)


def test_what_was_not_measured_has_no_target(report: Any, suites: Any) -> None:
    found = report.Found(suites["openai"], rounds=1, chunks=10)
    found.added = {("spantape", "chat"): [1.0], ("spantape", "stream"): [1.0]}
    assert report.targets(found) == []


@pytest.mark.skipif(sys.platform == "win32", reason="tells no memory")
def test_the_recorder_alone(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, ROOT / "benchmarks" / "recorder.py", "--rounds", "1", "--records", "1500"]
    done = subprocess.run([*command, "--write", page], check=True, timeout=600, capture_output=True, encoding="utf-8")
    assert re.search(r"^\| CPU of a record, against the bare write \| [\d.]+ × \| 6 × \|", done.stdout, re.MULTILINE)
    assert re.search(
        r"^\| Records lost by that \(\d+ calls wrote themselves\) \| 0 \| 0 \| yes \|$", done.stdout, re.MULTILINE
    )
    frame, written = (re.split("<!-- recorder: (?:begin|end) -->", one.read_text("utf-8")) for one in (PAGE, page))
    assert (written[0], written[1].strip(), written[2]) == (frame[0], done.stdout.strip(), frame[2])
