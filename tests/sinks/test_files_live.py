"""`real_time/latest.json`: what runs now and what finished last, of all processes."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sinks_tape import NOON, PATIENCE, SECOND, SEED_KEYS, Tape, end, files, loaded, messages, python, span_ids, until

import openai
import spantape
from spantape import QueryError
from spantape.sinks.files import live
from spantape.testing import ScriptedServer, completion


def latest(base_dir: Path) -> dict[str, str]:
    """Give each call's stage by its span id."""
    file = base_dir / "real_time" / "latest.json"
    return {record["span_id"]: record["metadata"]["stage"] for record in loaded(file)} if file.exists() else {}


def stages(base_dir: Path) -> list[str]:
    return sorted(latest(base_dir).values())


def test_a_call_shows_while_it_runs(server: ScriptedServer, base_dir: Path) -> None:
    hold = threading.Event()
    server.replies(completion("done").but(hold=hold))
    spantape.instrument(base_dir=base_dir, flush_interval=3600)

    def ask() -> None:
        with openai.OpenAI(base_url=server.url, api_key="test") as client, spantape.session(5):
            client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "今天？"}])

    asking = threading.Thread(target=ask)
    asking.start()
    (running,) = until(lambda: [one for one in spantape.recordings().get_running_interactions() if one["prompt"]])
    assert list(running)[: len(SEED_KEYS)] == SEED_KEYS
    assert (running["prompt"], running["session_id"], running["model"]) == ("今天？", "5", "gpt-4o-mini")
    assert (running["success"], running["response"], running["timing"]["end_time"]) == (None, None, None)
    assert running["metadata"]["pid"] == os.getpid()
    assert [file.parent.name for file in files(base_dir)] == ["real_time"]

    hold.set()
    asking.join()
    until(lambda: stages(base_dir) == ["completed"])
    (finished,) = loaded(base_dir / "real_time" / "latest.json")
    assert (finished["id"], finished["response"]) == (running["id"], "done")
    assert spantape.recordings().get_running_interactions() == []


def test_it_shows_within_half_a_second(taped: Callable[..., Tape]) -> None:
    """The quickest of a few: another program may have the processor."""
    tape = taped(flush_interval=3600)
    file = tape.base_dir / "real_time" / "latest.json"
    took = []
    for _ in range(5):
        began = time.monotonic()
        span = tape.start("5")
        span_id = f"{span.context.span_id:016x}"
        until(lambda: file.exists() and span_id in latest(tape.base_dir))  # noqa: B023 - at once
        took.append(time.monotonic() - began)
        end(span)
    assert min(took) < 0.5


def test_a_call_that_runs_is_found_by_its_id(tape: Tape) -> None:
    span = tape.start("5")
    tape.call("5")
    tape.flush()
    key = tape.recordings.get_running_interactions()[0]["id"]
    for name in (key, key[:13]):
        found = tape.recordings.get(name)
        assert found
        assert (found["id"], found["metadata"]["stage"]) == (key, "started")
    with pytest.raises(QueryError, match="an empty id"):
        tape.recordings.get("")
    before = (tape.base_dir / "real_time" / "latest.json").read_bytes()
    end(span)
    tape.flush()
    (tape.base_dir / "real_time" / "latest.json").write_bytes(before)  # it is a little late
    assert tape.recordings.get(key)["metadata"]["stage"] == "completed"  # type: ignore[index]


def test_two_that_run_and_begin_alike(tape: Tape) -> None:
    record = {"timestamp": "2026-11-21T10:00:00+00:00", "metadata": {"stage": "started"}}
    file = tape.base_dir / "real_time" / "latest.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps([{**record, "id": "aa1"}, {**record, "id": "aa2"}]))
    with pytest.raises(QueryError, match="more than one id begins with 'aa': aa1, aa2; give more of it"):
        tape.recordings.get("aa")


def test_what_is_learned_while_it_runs_shows(tape: Tape) -> None:
    """The prompt is set just after the start: whenever the file is written, it is there in the end."""
    span = tape.tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"})
    until(lambda: stages(tape.base_dir) == ["started"])
    assert tape.recordings.get_running_interactions()[0]["prompt"] is None
    span.set_attribute("gen_ai.input.messages", messages("later"))
    until(lambda: tape.recordings.get_running_interactions()[0]["prompt"] == "later")
    end(span)
    until(lambda: stages(tape.base_dir) == ["completed"])


def test_attributes_that_change_all_the_time(tape: Tape) -> None:
    spans = [tape.start("5") for _ in range(20)]
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            for number in range(200):
                spans[number % 20].set_attribute(f"key{number % 7}", number)

    changing = threading.Thread(target=change)
    changing.start()
    for _ in range(50):
        tape.processor.force_flush()
    done.set()
    changing.join()
    tape.processor.force_flush()
    assert stages(tape.base_dir) == ["started"] * 20
    for span in spans:
        end(span)


def test_a_failed_call(tape: Tape) -> None:
    span_id = tape.call("5", error="Oops")
    tape.flush()
    (record,) = loaded(tape.base_dir / "real_time" / "latest.json")
    assert (record["span_id"], record["success"], record["error"]["type"]) == (span_id, False, "Oops")


def test_only_the_last_ones_stay(taped: Callable[..., Tape]) -> None:
    tape = taped(latest_size=5)
    for first in range(0, 40, 4):
        ids = [tape.call("5", at=NOON + number * SECOND) for number in range(first, first + 4)]
        tape.flush()
    assert list(latest(tape.base_dir))[-4:] == ids
    assert stages(tape.base_dir) == ["completed"] * 5
    assert len(tape.recordings.get_latest_interactions()) == 40


def test_the_number_of_running_calls_is_bounded(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_MOST_RUNNING", 10)
    spans = [tape.start("5") for _ in range(30)]
    tape.flush()
    assert stages(tape.base_dir) == ["started"] * 10
    for span in spans:
        end(span)
    tape.flush()
    assert stages(tape.base_dir) == ["completed"] * 30


def test_the_size_of_a_preview_is_bounded(tape: Tape) -> None:
    large = {"text": "x" * 10_000, "list": ["y" * 10_000] * 500, "deep": {"a": {"b": ["z" * 10_000] * 500}}}
    large |= {f"key{number}": number for number in range(5000)}
    more: dict[str, Any] = {
        "spantape.metadata": json.dumps(large),
        "gen_ai.tool.definitions": json.dumps([{"name": "t" * 10_000}] * 100),
        "spantape.request.parameters": json.dumps({"stop": ["s" * 10_000], "user": "u" * 10_000}),
        "gen_ai.output.messages": messages("o" * 100_000),
        "spantape.error.message": "e" * 100_000,
        "error.type": "Oops",
    }
    span = tape.start("5", "天" * 1_000_000, **more)
    tape.flush()
    assert (tape.base_dir / "real_time" / "latest.json").stat().st_size < 200_000
    (record,) = tape.recordings.get_running_interactions()
    assert record["prompt"] == "天" * 500 + "…"
    assert (record["messages"], record["output_messages"]) == (None, None)
    end(span)
    tape.flush()
    assert tape.recordings.get_latest_interactions()[0]["prompt"] == "天" * 1_000_000


def test_it_is_not_rewritten_all_the_time(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_PACE", 3600)
    tape.call("5")
    tape.flush()
    second = tape.call("5")
    until(lambda: second in span_ids(tape.base_dir))
    assert stages(tape.base_dir) == ["completed"]
    tape.flush()
    assert stages(tape.base_dir) == ["completed"] * 2


def test_what_waited_for_its_turn_comes_by_itself(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_PACE", 0.1)
    tape.call("5")
    tape.flush()
    tape.call("5")
    until(lambda: stages(tape.base_dir) == ["completed"] * 2)


def test_it_is_read_again_only_when_somebody_else_has_written_it(
    tape: Tape, base_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, reading = list[bytes](), live._read
    monkeypatch.setattr(live, "_read", lambda data: reading(read.append(data) or data))  # type: ignore[func-returns-value]
    for _ in range(3):
        tape.call("5")
        tape.flush()
    assert read == []

    file = base_dir / "real_time" / "latest.json"
    file.write_text(json.dumps([{**loaded(file)[0], "id": "theirs"}]))
    written = file.read_bytes()
    tape.call("5")
    tape.flush()
    assert read == [written]
    assert [record["id"] == "theirs" for record in loaded(file)] == [True, False]

    file.unlink()
    tape.call("5")
    tape.flush()
    assert len(loaded(file)) == 1


def test_two_recorders_take_turns(taped: Callable[..., Tape]) -> None:
    one, other = taped(), taped()
    ids = []
    for tape in (one, other) * 3:
        ids.append(tape.call("5"))
        tape.flush()
    assert sorted(latest(one.base_dir)) == sorted(ids)


def test_several_processes_share_it(tape: Tape) -> None:
    script = """
        import sys
        from pathlib import Path
        from sinks_tape import Tape, end

        tape = Tape(Path(sys.argv[1]))
        span = tape.start("child")
        tape.flush()
        print(f"{span.context.span_id:016x}", flush=True)
        sys.stdin.readline()
        end(span)
        tape.close()
    """
    ours = tape.start("parent")
    children = [python(script, tape.base_dir) for _ in range(3)]
    theirs = [child.stdout.readline().strip() for child in children if child.stdout]
    tape.call("parent")
    tape.flush()
    assert stages(tape.base_dir) == ["completed"] + ["started"] * 4
    assert {"started"} == {latest(tape.base_dir)[span_id] for span_id in theirs}

    for child in children:
        child.communicate("go on\n", timeout=PATIENCE)
        assert child.returncode == 0
    assert {"completed"} == {latest(tape.base_dir)[span_id] for span_id in theirs}
    assert stages(tape.base_dir) == ["completed"] * 4 + ["started"]
    end(ours)
    tape.flush()
    assert stages(tape.base_dir) == ["completed"] * 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_child_does_not_show_what_runs_in_its_parent(base_dir: Path) -> None:
    script = """
        import os, sys
        from pathlib import Path
        from sinks_tape import Tape, end

        tape = Tape(Path(sys.argv[1]))
        running = tape.start("parent")
        tape.flush()
        child = os.fork()
        if not child:
            tape.call("child")
            tape.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        end(running)
        tape.close()
    """
    process = python(script, base_dir)
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, error
    assert stages(base_dir) == ["completed"] * 2


@pytest.mark.parametrize(
    "text",
    ["", "garbage", "5", '{"id": "x"}', '[5, null, {}, {"id": 5}, {"id": "x", "metadata": "stage"}]', "[[]]", "[" * 9],
)
def test_what_else_may_be_in_the_file(tape: Tape, text: str) -> None:
    file = tape.base_dir / "real_time" / "latest.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert tape.recordings.get_running_interactions() == []
    span = tape.start("5")
    tape.flush()
    assert stages(tape.base_dir) == ["started"]
    end(span)


def test_nothing_is_forgotten_while_it_can_not_be_written(tape: Tape) -> None:
    obstacle = tape.base_dir / "real_time"
    tape.base_dir.mkdir()
    obstacle.write_text("not a folder")
    running, finished = tape.start("5"), tape.call("5")
    assert tape.flush()
    obstacle.unlink()
    until(lambda: len(latest(tape.base_dir)) == 2)
    assert latest(tape.base_dir) == {f"{running.context.span_id:016x}": "started", finished: "completed"}
    assert span_ids(tape.base_dir) == [finished]
    end(running)
