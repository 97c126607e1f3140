"""A program is recorded without being changed, and runs as it would alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tree import environment, real, record, tree

import spantape
from spantape.testing import ScriptedServer

CALLS = """
import openai, os, sys
with openai.OpenAI(api_key="k", max_retries=0) as client:
    for model in ("gpt-4o-mini", "no-such-model"):
        try:
            client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
        except openai.NotFoundError:
            pass
print(sys.argv[1:])
sys.exit(5)
"""


def run(*words: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return real("run", *words, folder=folder, **more)


def test_calls_are_recorded_and_told(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        program = ("--", sys.executable, "-c", CALLS, "--dir", "x")
        done = run("--dir", "here", *program, folder=tmp_path, OPENAI_BASE_URL=server.url)
    assert (done.returncode, done.stdout) == (5, "['--dir', 'x']\n")
    assert done.stderr.startswith("spantape: 2 calls, 1 failed, ")
    assert done.stderr.endswith(f" in {tmp_path / 'here'}\n")
    assert len(spantape.recordings(tmp_path / "here").get_latest_interactions()) == 2


def test_only_its_own_calls_are_told(tmp_path: Path) -> None:
    before = [record(number, timestamp="2020-01-01T00:00:00+00:00", timing={}) for number in range(3)]
    folder = tree(tmp_path, before)
    with ScriptedServer() as server:
        done = run("--", sys.executable, "-c", CALLS, folder=folder, OPENAI_BASE_URL=server.url)
    assert done.stderr.startswith("spantape: 2 calls, 1 failed, ")


def test_it_says_that_recording_is_off(tmp_path: Path) -> None:
    done = run("--", sys.executable, "-c", "print(1)", folder=tmp_path, SPANTAPE_ENABLED="0")
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr == "spantape: nothing was recorded: it is switched off, as `spantape doctor` says\n"


def test_an_unknown_cost_is_not_told(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        done = run("--", sys.executable, "-c", CALLS, folder=tmp_path, OPENAI_BASE_URL=server.url, SPANTAPE_COST="0")
    assert "2 calls, 1 failed" in done.stderr
    assert "$" not in done.stderr


def test_content_is_kept_only_if_wanted(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        run("--no-content", "-q", "--", sys.executable, "-c", CALLS, folder=tmp_path, OPENAI_BASE_URL=server.url)
    records = spantape.recordings(tmp_path).get_latest_interactions()
    assert [each["prompt"] for each in records] == [None, None]


def test_what_the_program_says_itself_holds(tmp_path: Path) -> None:
    own = f"import openai, spantape; spantape.instrument(base_dir={str(tmp_path / 'own')!r})\n{CALLS}"
    with ScriptedServer() as server:
        run("--", sys.executable, "-c", own, folder=tmp_path, OPENAI_BASE_URL=server.url)
    assert len(spantape.recordings(tmp_path / "own").get_latest_interactions()) == 2
    assert spantape.recordings(tmp_path).get_latest_interactions() == []


def test_a_program_that_calls_no_model_starts_as_it_would(tmp_path: Path) -> None:
    show = "import sys; print([name for name in ('opentelemetry', 'openai', 'orjson') if name in sys.modules])"
    assert run("-q", "--", sys.executable, "-c", show, folder=tmp_path).stdout == "[]\n"


def test_the_next_sitecustomize_has_its_turn(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('theirs')")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run("-q", "--", sys.executable, "-c", "print('program')", folder=elsewhere, PYTHONPATH=path)
    assert (done.stdout, done.stderr) == ("theirs\ntheirs\nprogram\n", "")  # the command is a Python process, too


def test_a_python_without_spantape_is_left_alone(tmp_path: Path) -> None:
    done = run("-q", "--", sys.executable, "-S", "-c", "print(1)", folder=tmp_path)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_no_such_program(tmp_path: Path) -> None:
    done = run("--", "no-such-program", folder=tmp_path)
    assert done.returncode == 127
    assert "no-such-program can't be run" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)])
def test_signals_reach_the_program(number: signal.Signals, code: int, tmp_path: Path) -> None:
    program = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); print('up', flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-m", "spantape", "run", "-q", "--", sys.executable, "-c", program]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env=environment(tmp_path), cwd=tmp_path, start_new_session=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "up\n"
        if number == signal.SIGINT:  # as a terminal does
            os.killpg(started.pid, number)
        else:
            started.send_signal(number)
        assert started.wait(300) == code


EARLY = """
import os, signal, subprocess

class Popen(subprocess.Popen):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        os.kill(os.getpid(), signal.SIGTERM)

subprocess.Popen = Popen
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")
def test_a_signal_that_comes_while_the_program_begins_reaches_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(EARLY)
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    assert run("-q", "--", "sleep", "60", folder=tmp_path, PYTHONPATH=path).returncode == 128 + signal.SIGTERM
