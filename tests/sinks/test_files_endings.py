"""The ends that a process can come to: what had ended before is on disk, and the application's end is its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sinks_tape import PATIENCE, python, run, span_ids

import spantape

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and exec")

START = """
import os, signal, sys, threading, time
import spantape

def ask():
    spantape.call(model="gpt-4o-mini", messages="Hi").finish("Hello")

def record(**settings):
    spantape.instrument(base_dir=sys.argv[1], flush_interval=3600, cost=False, **settings)
    ask()

def say(text):
    os.write(1, text.encode())  # a handler that comes in the middle of a print may not print

def ready():
    say("ready\\n")

"""
CLIENT = """
import openai
from spantape.testing import ScriptedServer

server = ScriptedServer().start()
client = openai.OpenAI(base_url=server.url, api_key="test")

def ask(**more):
    return client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}], **more
    )

"""
"""The same with a real client: it takes its time to be imported."""


def program(body: str, base_dir: Path) -> subprocess.Popen[str]:
    process = python(START + body, base_dir)
    assert process.stdout
    assert process.stdout.readline() == "ready\n", process.communicate()
    return process


def ended_by(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    try:
        process.communicate(timeout=30)
    except subprocess.TimeoutExpired:  # Python runs no handler while it waits for a lock, if it began just then to wait
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    return process.returncode


@pytest.mark.parametrize("waiting", ["time.sleep(60)", "threading.Event().wait()", "[0 for _ in iter(int, 1)]"])
def test_sigterm(base_dir: Path, waiting: str) -> None:
    process = program(f"{CLIENT}record()\nask(stream=True, stream_options=None)\nready()\n{waiting}", base_dir)
    assert ended_by(process) == -signal.SIGTERM
    assert len(span_ids(base_dir)) == 2
    assert spantape.recordings(base_dir).get_running_interactions() == []


def test_sigterm_with_a_handler_of_the_application(base_dir: Path) -> None:
    """Set before or after, it is the only one that runs."""
    handler = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    for body in (f"{handler}\nrecord()", f"record()\n{handler}"):
        assert ended_by(program(f"{body}\nready()\ntime.sleep(60)", base_dir)) == 7
    assert len(span_ids(base_dir)) == 2


def test_a_handler_that_calls_the_one_before(base_dir: Path) -> None:
    """Where there was none it would have gone on; so it does."""
    body = """
record()
before = signal.getsignal(signal.SIGTERM)

def handler(*arguments):
    if callable(before):
        before(*arguments)
    say("going on\\n")

signal.signal(signal.SIGTERM, handler)
ready()
sys.stdin.readline()
"""
    process = program(body, base_dir)
    process.send_signal(signal.SIGTERM)
    assert process.stdout
    assert process.stdout.readline() == "going on\n", process.communicate()
    process.communicate("\n", timeout=PATIENCE)
    assert process.returncode == 0


def test_sigterm_that_is_ignored(base_dir: Path) -> None:
    process = program(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nrecord()\nready()\nsys.stdin.readline()", base_dir
    )
    process.send_signal(signal.SIGTERM)
    process.communicate("\n", timeout=PATIENCE)
    assert process.returncode == 0


def test_sigterm_can_be_left_alone(base_dir: Path) -> None:
    body = "record(flush_on_sigterm=False)\nassert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\nready()\n"
    assert ended_by(program(f"{body}time.sleep(60)", base_dir)) == -signal.SIGTERM
    assert span_ids(base_dir) == []


def test_sigterm_from_another_thread_and_after_the_end(base_dir: Path) -> None:
    body = """
thread = threading.Thread(target=record)
thread.start()
thread.join()
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
spantape.uninstrument()
record()
assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
execs = os.execv, os.execve
spantape.uninstrument()
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
assert os.execv is not execs[0] and os.execv.__name__ == "execv" and os.execve is not execs[1]
ready()
time.sleep(60)
"""
    assert ended_by(program(body, base_dir)) == -signal.SIGTERM
    assert len(span_ids(base_dir)) == 2


def test_sigterm_in_the_middle_of_our_own_write(base_dir: Path) -> None:
    """In the main thread, again and again until it is hit there."""
    body = """
spantape.instrument(base_dir=sys.argv[1], durable=True)
ask()
write, count = os.write, [0]

def interrupted(file, data):
    count[0] += 1
    if count[0] == 20:
        os.kill(os.getpid(), signal.SIGTERM)
    return write(file, data)

os.write = interrupted
ready()
while True:
    ask()
"""
    process = program(body, base_dir)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGTERM
    ids = span_ids(base_dir)
    assert len(ids) == len(set(ids)) > 3
    assert sorted(span_ids(base_dir, "by_session")) == sorted(ids)


def test_two_signals_end_it_at_once(base_dir: Path) -> None:
    process = program("record()\nready()\nfrom spantape import instrument\ntime.sleep(60)", base_dir)
    process.send_signal(signal.SIGTERM)
    assert ended_by(process) == -signal.SIGTERM


@pytest.mark.parametrize("call", ["execv(python, [python, *rest])", "execle(python, python, *rest, dict(os.environ))"])
def test_exec(base_dir: Path, call: str) -> None:
    body = f"""
record()
python, rest = sys.executable, ["-S", "-c", "print('another program')"]
try:
    os.execv("/nowhere", ["x"])
except FileNotFoundError:
    pass
ask()
os.{call}
"""
    assert run(START + body, base_dir) == ["another program"]
    assert len(span_ids(base_dir)) == 2


@pytest.mark.parametrize("ending", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_durable(base_dir: Path, ending: str) -> None:
    """What has returned is there, whatever comes next."""
    process = python(f"{START}{CLIENT}record(durable=True)\nask()\nlist(ask(stream=True))\n{ending}", base_dir)
    process.communicate(timeout=PATIENCE)
    assert len(span_ids(base_dir)) == 3


def test_durable_holds_for_what_is_learned_later(base_dir: Path) -> None:
    body = "spantape.finalize(spantape.recordings().get('last')['id'], message_id=3)\nos._exit(3)"
    python(f"{START}record(durable=True)\n{body}", base_dir).communicate(timeout=PATIENCE)
    (record,) = spantape.recordings(base_dir).get_latest_interactions()
    assert record["message_id"] == 3


def test_durable_writes_are_synced(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sinks_tape import Tape

    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(str(Path(f"/proc/self/fd/{file}").readlink())))
    for durable in (False, True):
        tape = Tape(base_dir / str(durable), durable=durable, flush_interval=3600)
        for _ in range(2):
            tape.call("5")
            tape.flush()
        tape.close()
    names = {Path(name).relative_to(base_dir).parts for name in synced}
    assert {parts[0] for parts in names} == {"True"}
    assert {parts[1] for parts in names} == {"by_session", "by_date"}
    assert any(len(parts) == 2 for parts in names)  # and the folders that hold a new file
