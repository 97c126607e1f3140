"""Several processes at once, forked, spawned and killed: each record is there exactly once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sinks_tape import PATIENCE, Tape, files, loaded, python, run, span_ids

import spantape

POSIX = pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="fork")


def test_several_at_once(base_dir: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from sinks_tape import Tape, apart

        number = str(apart(4))
        tape = Tape(Path(sys.argv[1]), buffer_size=5)
        for turn in range(60):
            print(tape.call(number if turn % 2 else "shared", "x" * 5000, error="Oops" if turn % 9 == 0 else None))
            if turn % 10 == 0:
                tape.flush()
        tape.close()
        assert tape.processor.lost == 0
    """
    told = sorted(run(script, base_dir))

    assert len(told) == 240
    assert sorted(span_ids(base_dir)) == sorted(span_ids(base_dir, "by_session")) == told
    assert len(span_ids(base_dir, "errors")) == 4 * 7
    for number in range(4):
        assert len(spantape.recordings(base_dir).get_session_interactions(number)) == 30


@POSIX
def test_fork_while_the_parent_records(base_dir: Path) -> None:
    """Also while its background thread is writing; a child's records are its own, a parent's are not written twice."""
    script = """
        import os, sys, threading, time
        from pathlib import Path
        from sinks_tape import Tape

        tape = Tape(Path(sys.argv[1]), buffer_size=2, flush_interval=0.01, max_file_size=1 << 30)
        stop = threading.Event()

        def record():
            while not stop.is_set():
                tape.call("parent", "x" * 20_000)
                time.sleep(0.0005)

        threads = [threading.Thread(target=record, daemon=True) for _ in range(3)]
        [thread.start() for thread in threads]
        took = []
        for round in range(25):
            began = time.monotonic()
            child = os.fork()
            if not child:
                open_files = [os.path.realpath(file) for file in Path("/proc/self/fd").glob("*")]
                # What the parent writes to would stay open here; a lock or a folder, just opened, does no harm.
                mine = [file for file in open_files if sys.argv[1] in file and os.path.isfile(file)]
                if any(not os.path.basename(file).startswith(".") for file in mine):
                    print(open_files, file=sys.stderr, flush=True)
                    os._exit(6)
                [tape.call("child") for _ in range(3)]
                os._exit(0 if tape.flush() else 5)
            took.append(time.monotonic() - began)
            ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert ended == 0, ended
        stop.set()
        [thread.join() for thread in threads]
        tape.close()
        assert tape.processor.lost == 0
        print(sorted(took)[len(took) // 2])  # another program may have the processor at one of them
    """
    (usual,) = run(script, base_dir)

    found = span_ids(base_dir)
    assert len(found) == len(set(found))
    assert len(spantape.recordings(base_dir).get_session_interactions("child")) == 75
    assert len(spantape.recordings(base_dir).get_session_interactions("parent")) == len(found) - 75 > 25
    assert float(usual) < 4


@POSIX
def test_what_was_buffered_before_a_fork_is_the_parents(base_dir: Path) -> None:
    script = """
        import os, sys
        from pathlib import Path
        from sinks_tape import Tape, end

        tape = Tape(Path(sys.argv[1]), flush_interval=3600)
        open_span = tape.start("both")
        tape.call("parent")
        tape.base_dir.write_text("not a folder")
        child = os.fork()
        if not child:
            tape.base_dir.unlink()
            assert tape.flush()
            tape.call("child")
            end(open_span)  # a stream that the child reads to its end
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        assert not list(tape.base_dir.glob("by_*"))
        tape.close()
    """
    run(script, base_dir)
    assert len(spantape.recordings(base_dir).get_session_interactions("parent")) == 1


@POSIX
def test_what_was_buffered_before_a_fork_is_written_before_it(base_dir: Path) -> None:
    """A daemon's parent ends at once, and without a word."""
    script = """
        import os, sys
        from pathlib import Path
        from sinks_tape import Tape

        tape = Tape(Path(sys.argv[1]), flush_interval=3600)
        tape.call("parent")
        if os.fork():
            os._exit(0)
    """
    run(script, base_dir)
    assert len(spantape.recordings(base_dir).get_session_interactions("parent")) == 1


@POSIX
def test_a_child_that_exits_flushes(base_dir: Path) -> None:
    script = """
        import os, sys
        import spantape, openai
        from spantape.testing import ScriptedServer

        server = ScriptedServer().start()
        spantape.instrument(base_dir=sys.argv[1], flush_interval=3600)

        def ask():
            with openai.OpenAI(base_url=server.url, api_key="test") as client:
                client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}])

        ask()
        child = os.fork()
        if not child:
            ask()
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        assert len(spantape.recordings().get_latest_interactions()) == 2
        ask()
    """
    run(script, base_dir)

    assert len(span_ids(base_dir)) == len(set(span_ids(base_dir))) == 3


@pytest.mark.parametrize(
    "method", ["spawn", pytest.param("fork", marks=POSIX), pytest.param("forkserver", marks=POSIX)]
)
@pytest.mark.parametrize("kind", ["process", "pool"])
def test_multiprocessing(base_dir: Path, tmp_path: Path, method: str, kind: str) -> None:
    """Its children end with `os._exit`; their records are there all the same."""
    script = tmp_path / "application.py"
    script.write_text(
        f"""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from sinks_tape import Tape

tape = Tape(Path({str(base_dir)!r}), flush_interval=3600)

def work(number):
    for _ in range(5):
        tape.call(str(number))

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    tape.call("parent")
    if {kind!r} == "pool":
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            list(pool.map(work, range(4)))
    else:
        processes = [context.Process(target=work, args=(number,)) for number in range(4)]
        [process.start() for process in processes]
        [process.join() for process in processes]
    tape.close()
"""
    )
    run("import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')", script)

    found = span_ids(base_dir)
    assert len(found) == len(set(found)) == 21


def test_exec_while_recording(tape: Tape) -> None:
    for _ in range(5):
        tape.call("5", "x" * 10_000)
        subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)
    assert tape.flush()

    assert len(span_ids(tape.base_dir)) == 5


@pytest.mark.parametrize("ending", ["pass", "raise RuntimeError('the application fails')"])
def test_exit_without_a_flush(base_dir: Path, ending: str) -> None:
    script = f"""
        import sys
        import openai, spantape
        from spantape.testing import ScriptedServer, stream

        spantape.instrument(base_dir=sys.argv[1], flush_interval=3600)
        server = ScriptedServer().start()
        client = openai.OpenAI(base_url=server.url, api_key="test")
        ask = dict(model="gpt-4o-mini", messages=[{{"role": "user", "content": "Hi"}}])
        client.chat.completions.create(**ask)
        left_open = client.chat.completions.create(**ask, stream=True)
        next(iter(left_open))
        {ending}
    """
    process = python(script, base_dir)
    process.communicate(timeout=PATIENCE)

    done, abandoned = spantape.recordings(base_dir).get_latest_interactions()[::-1]
    assert (done["success"], abandoned["metadata"]["stream_end"]) == (True, "abandoned")
    assert spantape.recordings(base_dir).get_running_interactions() == []


def test_the_end_does_not_keep_anyone_waiting(base_dir: Path) -> None:
    script = """
        import sys, time
        from pathlib import Path
        from sinks_tape import Tape

        for _ in range(20):
            tape = Tape(Path(sys.argv[1]), flush_interval=0.01)
            tape.call("5")
            began = time.monotonic()
            tape.close()
            print(time.monotonic() - began)
            tape.close()
            tape.call("5")  # after the end, what comes is written at once
    """
    assert sorted(map(float, run(script, base_dir)))[10] < 4
    assert len(span_ids(base_dir)) == 40


@POSIX
def test_a_process_that_holds_the_lock(tape: Tape) -> None:
    """While it is stopped in the middle of a write, the others wait; when it is gone, they go on."""
    script = """
        import sys, time
        from pathlib import Path
        from sinks_tape import Tape

        tape = Tape(Path(sys.argv[1]))
        with tape.exporter.writer.locked():
            print("locked", flush=True)
            time.sleep(60)
    """
    holder = python(script, tape.base_dir)
    assert holder.stdout
    holder.stdout.readline()
    span_id = tape.call("5")
    assert not tape.processor.force_flush(300)
    assert files(tape.base_dir) == []
    holder.kill()
    holder.communicate()
    assert tape.flush()

    assert [record["span_id"] for record in loaded(tape.date_file)] == [span_id]


@POSIX
def test_fork_with_the_exporter_alone(base_dir: Path) -> None:
    """What it could not write before the fork is the parent's to write."""
    script = """
        import os, sys
        from pathlib import Path
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from sinks_tape import end, provider, start
        from spantape.sinks.files import FileSpanExporter

        base_dir = Path(sys.argv[1])
        base_dir.write_text("not a folder")
        exporter = FileSpanExporter(base_dir)
        tracer = provider(SimpleSpanProcessor(exporter)).get_tracer("spantape.test")
        end(start(tracer, "parent"))
        base_dir.unlink()
        child = os.fork()
        if not child:
            end(start(tracer, "child"))
            os._exit(0 if exporter.force_flush() else 5)
        assert os.waitpid(child, 0)[1] == 0
        end(start(tracer, "parent"))
    """
    run(script, base_dir)

    recordings = spantape.recordings(base_dir)
    assert len(recordings.get_session_interactions("parent")) == 2
    assert len(recordings.get_session_interactions("child")) == 1
    assert len(span_ids(base_dir)) == 3
