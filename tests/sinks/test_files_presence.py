"""A call whose process died is found again: as interrupted, once, whoever comes first."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date as Date  # noqa: N812 - as everywhere
from pathlib import Path
from typing import Any

import pytest
from sinks_tape import PATIENCE, Tape, end, files, loaded, python, run, span_ids, until
from sinks_tree import compress

import spantape
from spantape.sinks.files import lines
from spantape.sinks.files.catalog import Catalog
from spantape.sinks.files.lock import hold, let_go
from spantape.sinks.files.presence import settle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9")

RUNNING = """
    import sys, time
    from pathlib import Path
    from sinks_tape import Tape, end

    tape = Tape(Path(sys.argv[1]))
    spans = [tape.start(session, "How are you?") for session in sys.argv[2:]]
    tape.flush()
    print(*(f"{span.context.span_id:016x}" for span in spans), flush=True)
    sys.stdin.readline()
"""


def running(base_dir: Path, *sessions: str) -> tuple[subprocess.Popen[str], list[str]]:
    """Start a process with a call of each session running; gives their span ids, too."""
    process = python(RUNNING, base_dir, *sessions)
    assert process.stdout
    return process, process.stdout.readline().split()


def killed(base_dir: Path, *sessions: str) -> list[str]:
    process, ids = running(base_dir, *sessions)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return ids


def errors(base_dir: Path) -> list[dict[str, Any]]:
    return [record for file in files(base_dir / "errors") for record in loaded(file)]


def left(base_dir: Path) -> list[Path]:
    return list((base_dir / "real_time" / "processes").glob("*"))


def test_the_next_writer_finds_it(tape: Tape) -> None:
    ids = killed(tape.base_dir, "5", "5", "6")
    tape.call("7")
    tape.flush()

    found = errors(tape.base_dir)
    assert sorted(record["span_id"] for record in found) == sorted(ids)
    record = found[0]
    assert (record["prompt"], record["response"], record["success"]) == ("How are you?", None, False)
    assert (record["metadata"]["stage"], record["status"]) == ("interrupted", "interrupted")
    assert record["error_message"] == f"process {record['metadata']['pid']} ended while the call ran"
    assert record["error"] == {"type": "interrupted", "message": record["error_message"]}
    assert len(tape.recordings.get_session_interactions("5")) == 2
    assert len(span_ids(tape.base_dir)) == 4
    assert tape.recordings.get_running_interactions() == []
    assert left(tape.base_dir) == []


def test_the_next_reader_finds_it(base_dir: Path) -> None:
    ids = killed(base_dir, "5")
    assert spantape.recordings(base_dir).get_running_interactions() == []
    (record,) = spantape.recordings(base_dir).get_error_interactions()
    assert (record["span_id"], record["metadata"]["stage"]) == (ids[0], "interrupted")
    ids += killed(base_dir, "6")
    assert [record["span_id"] for record in spantape.recordings(base_dir).get_error_interactions()] == ids


def test_it_is_found_once(base_dir: Path) -> None:
    """Several come at once."""
    ids = killed(base_dir, *"abcdefghij")
    script = """
        import sys
        from pathlib import Path
        from spantape.sinks.files.presence import settle

        sys.stdin.readline()
        print(settle(Path(sys.argv[1])))
    """
    finders = [python(script, base_dir) for _ in range(4)]
    found = [int(finder.communicate("go\n", timeout=PATIENCE)[0]) for finder in finders]
    assert sorted(found) == [0, 0, 0, 10]
    for folder in ("by_session", "by_date", "errors"):
        assert sorted(span_ids(base_dir, folder)) == sorted(ids)


@pytest.mark.parametrize("folders", [("by_session",), ("by_session", "by_date"), ("by_session", "by_date", "errors")])
def test_a_finder_that_dies_halfway(base_dir: Path, folders: tuple[str, ...], tmp_path: Path) -> None:
    """The next one goes on where it was."""
    ids = killed(base_dir, "5")
    lists = {path: path.read_bytes() for path in left(base_dir)}
    assert settle(base_dir) == 1
    for path, data in lists.items():  # as if it had not come to delete them
        path.write_bytes(data)
    for folder in {"by_session", "by_date", "errors"} - set(folders):
        for file in files(base_dir / folder):
            file.unlink()
    assert settle(base_dir) == 1
    for folder in ("by_session", "by_date", "errors"):
        assert span_ids(base_dir, folder) == ids
    assert left(base_dir) == []


def test_each_file_is_looked_through_once(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody who records waits meanwhile."""
    ids = killed(base_dir, *"ab" * 20)
    looked: list[Path] = []
    opened = Catalog.opened
    monkeypatch.setattr(Catalog, "opened", lambda catalog, path: looked.append(path) or opened(catalog, path))
    assert settle(base_dir) == 40
    assert len(looked) == len(set(looked)) == 4
    assert sorted(span_ids(base_dir)) == sorted(ids)


HAD_ENDED = """
    import os, signal, sys
    from collections import deque
    from pathlib import Path
    from sinks_tape import Tape, end

    tape = Tape(Path(sys.argv[1]), max_file_size=int(sys.argv[2]))
    span = tape.start("5")
    tape.flush()
    end(span)
    tape.exporter.write(deque([tape.processor._live._finished[0]]))
    tape.exporter.write(deque())
    if int(sys.argv[2]) < 9999:
        from sinks_tape import ended
        tape.exporter.export([ended("5", "x" * 3000)])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_call_that_had_ended_is_not_interrupted(base_dir: Path) -> None:
    """It was written, its process died before its list was up to date, and the file may have been archived since."""
    for size in (100_000, 1024):
        python(HAD_ENDED, base_dir, size).communicate(timeout=PATIENCE)
        assert len(left(base_dir)) == 2
        assert settle(base_dir) == 0
        assert left(base_dir) == []
        assert not (base_dir / "errors").exists()
    assert list((base_dir / "archive").glob("session_5*"))


def test_a_file_that_is_compressed_while_it_is_looked_for(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python(HAD_ENDED, base_dir, 1024).communicate(timeout=PATIENCE)
    archive, found = base_dir / "archive", []

    def listing(name: str) -> Any:
        listed = getattr(Path, name)

        def then_compress(folder: Path, *pattern: str) -> Iterator[Path]:
            paths = list(listed(folder, *pattern))
            plain = [path for path in paths if path.parent == archive and path.suffix == ".json"]
            found.extend(map(compress, plain))
            return iter(paths)

        return then_compress

    for name in ("glob", "iterdir"):
        monkeypatch.setattr(Path, name, listing(name))
    assert settle(base_dir) == 0
    assert left(base_dir) == []
    assert len(found) >= 2
    assert not (base_dir / "errors").exists()


def test_who_keeps_writers_out_does_not_wait_for_them(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torn file is one that may just be being written, to other readers."""
    monkeypatch.setattr(lines, "_WAIT", PATIENCE)
    (name,) = killed(base_dir, "5")
    torn = base_dir / "by_session" / "session_5" / f"{Date.today()}.json"
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b'[\n{"id":"a"},\n{"id":"')
    began = time.monotonic()
    assert settle(base_dir) == 1
    assert time.monotonic() - began < PATIENCE / 2
    assert loaded(torn)[-1]["span_id"] == name


def test_a_process_that_lives_is_left_alone(tape: Tape) -> None:
    process, ids = running(tape.base_dir, "5")
    for _ in range(3):
        tape.call("6")
        tape.flush()
        assert settle(tape.base_dir) == 0
    assert [record["span_id"] for record in tape.recordings.get_running_interactions()] == ids
    process.communicate("\n", timeout=PATIENCE)


def test_our_own_calls_are_not_interrupted(tape: Tape) -> None:
    span = tape.start("5")
    tape.flush()
    assert settle(tape.base_dir) == 0
    end(span)
    tape.flush()
    assert errors(tape.base_dir) == left(tape.base_dir) == []


def test_a_child_that_lives_on_does_not_keep_its_parents_calls_alive(base_dir: Path) -> None:
    script = """
        import os, signal, sys, time
        from pathlib import Path
        from sinks_tape import Tape

        tape = Tape(Path(sys.argv[1]))
        tape.start("parent")
        tape.flush()
        if not os.fork():
            tape.start("child")
            tape.flush()
            print("ready", flush=True)
            time.sleep(60)
        time.sleep(60)
    """
    process = python(script, base_dir)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert settle(base_dir) == 1
    assert [record["session_id"] for record in errors(base_dir)] == ["parent"]
    (child,) = spantape.recordings(base_dir).get_running_interactions()
    assert child["session_id"] == "child"


def test_exec_interrupts_what_runs(base_dir: Path) -> None:
    script = """
        import os, sys
        from pathlib import Path
        from sinks_tape import Tape

        tape = Tape(Path(sys.argv[1]))
        tape.start("5")
        tape.flush()
        os.execv(sys.executable, [sys.executable, "-S", "-c", "print('another program')"])
    """
    assert run(script, base_dir) == ["another program"]
    assert settle(base_dir) == 1


def test_a_list_that_is_no_list(base_dir: Path) -> None:
    killed(base_dir, "5")
    (calls,) = (base_dir / "real_time" / "processes").glob("*.calls")
    calls.write_text(
        '[\n{"id": 5},\n"x",\n{"timestamp": "never"},\n{"id": "x", "timestamp": null, "metadata": null},\nga'
    )
    assert settle(base_dir) <= 2
    assert left(base_dir) == []


def test_nothing_is_lost_while_it_can_not_be_written(tape: Tape) -> None:
    ids = killed(tape.base_dir, "5")
    obstacle = tape.base_dir / "errors"
    obstacle.write_text("not a folder")
    assert settle(tape.base_dir) == 0
    obstacle.unlink()
    tape.call("6")
    until(lambda: span_ids(tape.base_dir, "errors") == ids)


def test_without_anything_to_find(base_dir: Path) -> None:
    assert settle(base_dir) == 0
    assert not base_dir.exists()
    base_dir.mkdir()
    assert settle(base_dir) == 0
    assert list(base_dir.iterdir()) == []


def test_the_folder_is_deleted_while_a_call_runs(tape: Tape) -> None:
    """Its list comes back, and its lock is a new one: nobody takes the call for dead."""
    span = tape.start("5")
    tape.flush()
    shutil.rmtree(tape.base_dir)
    tape.call("6")
    tape.flush()
    assert len(left(tape.base_dir)) == 2
    assert settle(tape.base_dir) == 0
    end(span)
    assert tape.flush()
    assert left(tape.base_dir) == []


def test_a_lock_that_was_deleted_is_no_lock(tape: Tape) -> None:
    """Who has waited for it must not write beside the one who has the new one."""
    tape.call("5")
    tape.flush()
    path = tape.base_dir / ".lock"
    first = hold(path)
    waiting = threading.Thread(target=tape.processor.force_flush)
    tape.call("5")
    waiting.start()
    time.sleep(0.05)
    path.unlink()
    let_go(first)
    waiting.join(PATIENCE)
    until(tape.flush)
    assert len(loaded(tape.date_file)) == 2
    with pytest.raises(FileNotFoundError):
        hold(tape.base_dir / "nothing")


def test_who_waits_for_a_lock_that_is_deleted_does_not_get_it(base_dir: Path) -> None:
    base_dir.mkdir()
    path = base_dir / ".lock"
    path.touch()
    first = hold(path)
    told: list[Any] = []

    def wait() -> None:
        try:
            told.append(hold(path, PATIENCE))
        except FileNotFoundError as error:
            told.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.05)  # it has the file open by now; if not, it finds none, which is as well
    path.unlink()
    let_go(first)
    waiting.join(PATIENCE)
    assert [type(one) for one in told] == [FileNotFoundError]
