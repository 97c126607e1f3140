"""The call log: the shape that was asked for, rotation, several processes, and the standard library's logger."""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openai_ways import BODY, sync_client
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from sinks_tape import PATIENCE, python, run

import openai
import spantape
from spantape.sinks import _lines
from spantape.testing import ScriptedServer, completion, error

SHAPE: dict[str, list[str]] = {
    "request": [
        *("model", "temperature", "max_tokens", "messages_count", "system_prompt_length", "user_prompt_length"),
        *("has_images", "image_count"),
    ],
    "response": ["content_length", "finish_reason"],
    "usage": ["prompt_tokens", "completion_tokens", "total_tokens"],
    "timing": ["duration_ms", "start_time", "end_time"],
    "cost": ["prompt_cost_usd", "completion_cost_usd", "total_cost_usd"],
}
KEYS = ["timestamp", "level", "logger", "event", "context", *SHAPE]
LOG = Path("logs/llm_calls.jsonl")


def entries(path: Path = LOG) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_shape(server: ScriptedServer) -> None:
    server.replies(completion("你好！", usage={"prompt_tokens": 100, "completion_tokens": 10}))
    spantape.instrument(jsonl=True, files=False)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages: Any = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "what?"}, image, image]},
    ]
    with sync_client(server.url) as client, spantape.session("5", lens_key="default_summary", service="RunnerService"):
        client.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0.7)
    assert spantape.flush()
    (entry,) = entries()
    assert list(entry) == KEYS
    for name, keys in SHAPE.items():
        assert list(entry[name]) == keys
    assert (entry["level"], entry["logger"], entry["event"]) == ("INFO", "llm_monitor", "llm_api_call")
    assert (
        entry["context"] | {"lens_key": "default_summary", "service": "RunnerService", "session_id": "5"}
        == (entry["context"])
    )
    assert {"trace_id", "interaction_id"} <= set(entry["context"])
    assert "stage" not in entry["context"]
    assert entry["request"] == {
        "model": "gpt-4o-mini",
        "temperature": 0.7,
        "max_tokens": None,
        "messages_count": 2,
        "system_prompt_length": 7,
        "user_prompt_length": 5,
        "has_images": True,
        "image_count": 2,
    }
    assert entry["response"] == {"content_length": 3, "finish_reason": "stop"}
    assert entry["usage"] == {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    assert entry["cost"]["total_cost_usd"] == pytest.approx(100 * 0.15e-6 + 10 * 0.6e-6)
    start, end = (datetime.fromisoformat(entry["timing"][name].replace("Z", "+00:00")) for name in SHAPE["timing"][1:])
    assert entry["timestamp"] == entry["timing"]["end_time"]
    assert (end - start).total_seconds() * 1000 == pytest.approx(entry["timing"]["duration_ms"], abs=2)
    if sys.platform != "win32":
        assert stat.S_IMODE(LOG.stat().st_mode) == 0o600


def test_a_failure_and_what_is_not_known(server: ScriptedServer) -> None:
    server.replies(error(500, "broken"))
    spantape.instrument(jsonl=True, files=False, capture_content=False)
    with sync_client(server.url, max_retries=0) as client, pytest.raises(openai.InternalServerError):
        client.chat.completions.create(**BODY)
    assert spantape.flush()
    (entry,) = entries()
    assert (entry["level"], entry["error"]["status_code"]) == ("ERROR", 500)
    for name in ("response", "usage", "cost"):
        assert set(entry[name].values()) == {None}
    assert entry["request"]["messages_count"] is None


def test_a_cost_in_another_currency_is_under_names_that_do_not_say_usd(server: ScriptedServer) -> None:
    server.replies(completion("x", usage={"prompt_tokens": 1000, "completion_tokens": 100}))
    prices = [{"model": "gpt-4o-mini", "currency": "CNY", "input_price_per_1k": 2, "output_price_per_1k": 10}]
    spantape.instrument(jsonl=True, files=False, prices=prices)
    with sync_client(server.url) as client:
        client.chat.completions.create(**BODY)
    assert spantape.flush()
    cost = entries()[0]["cost"]
    assert [cost.pop(name) for name in SHAPE["cost"]] == [None] * 3
    assert cost == {"prompt_cost": 2, "completion_cost": 1, "total_cost": 3, "currency": "CNY"}


def test_the_log_has_what_is_recorded_and_says_what_part_that_is(server: ScriptedServer, tmp_path: Path) -> None:
    server.replies(*[completion("x")] * 40, error(500, "broken"))
    spantape.instrument(jsonl=True, base_dir=tmp_path, sample_rate=0.5)
    with sync_client(server.url, max_retries=0) as client:
        for number in range(40):
            with spantape.session(f"s{number}"):
                client.chat.completions.create(**BODY)
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(**BODY)
    assert spantape.flush()
    *told, failed = entries()
    records = spantape.recordings(tmp_path).get_latest_interactions()
    assert 5 < len(told) < 35
    assert {entry["context"]["sample_rate"] for entry in told} == {0.5}
    assert (failed["level"], "sample_rate" in failed["context"]) == ("ERROR", False)
    assert {entry["context"]["interaction_id"] for entry in entries()} == {record["id"] for record in records}


def test_what_a_sampler_leaves_out_is_logged_all_the_same() -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    spantape.instrument(jsonl=True, files=False, tracer_provider=provider)
    spantape.call(model="m").finish("x")
    assert spantape.flush()
    assert len(entries()) == 1


def test_what_is_lost_is_counted_logged_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_lines, "_MOST", 2)
    (tmp_path / "logs").write_text("a file where a folder should be")
    spantape.instrument(jsonl=True, jsonl_path=tmp_path / "logs" / "calls.jsonl", flush_interval=3600)
    for _ in range(5):
        spantape.call(model="m").finish("x")
    assert not spantape.flush(1)
    health = spantape.recordings().get_health_status()
    assert (health["status"], health["lost"], health["problems"]) == ("degraded", 3, ["3 records were lost"])
    spantape.uninstrument()
    assert [line for line in caplog.messages if "lost 3 lines that it could not write to" in line]


def test_many_lines_at_once_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lines, "_MOST", 2)
    spantape.instrument(jsonl=True, flush_interval=3600)
    for _ in range(5):
        spantape.call(model="m").finish("x")
    assert spantape.flush()
    assert spantape.recordings().get_health_status()["lost"] == 0
    assert len(entries()) == 5


def test_lines_that_wait_are_bounded_in_bytes_too(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where a folder should be")
    log = tmp_path / "logs" / "calls.jsonl"
    spantape.instrument(jsonl=True, jsonl_path=log, flush_interval=3600, buffer_size=1000, buffer_bytes=64 * 1024)
    for number in range(10):
        with spantape.session("5", number=number, more="x" * 20_000):
            spantape.call(model="m").finish("x")
        assert not spantape.flush(1)
    (tmp_path / "logs").unlink()
    assert spantape.flush()
    assert [entry["context"]["number"] for entry in entries(log)] == [7, 8, 9]
    assert spantape.recordings().get_health_status()["lost"] == 7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_what_waits_at_a_fork_is_the_parents(tmp_path: Path) -> None:
    script = """
    import os, pathlib, spantape, sys
    blocked = pathlib.Path(sys.argv[1])
    blocked.write_text("a file where a folder should be")
    spantape.instrument(files=False, jsonl=True, jsonl_path=blocked / "calls.jsonl", flush_interval=60)
    spantape.call(model="parent").finish("x")
    spantape.flush()
    spantape.call(model="parent too").finish("x")
    child = os.fork()
    if child == 0:
        blocked.unlink()
        spantape.call(model="child").finish("x")
        spantape.flush()
        os._exit(0)
    os.waitpid(child, 0)
    spantape.flush()
    """
    run(script, tmp_path / "logs")
    models = [entry["request"]["model"] for entry in entries(tmp_path / "logs" / "calls.jsonl")]
    assert models == ["child", "parent", "parent too"]


def test_off_by_default(server: ScriptedServer) -> None:
    spantape.instrument()
    with sync_client(server.url) as client:
        client.chat.completions.create(**BODY)
    assert spantape.flush()
    assert not LOG.exists()


def test_the_logger(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "llm_monitor")
    spantape.instrument(log_calls=True, files=False)
    with sync_client(server.url) as client:
        client.chat.completions.create(**BODY)
    assert spantape.flush()
    (entry,) = (entry for entry in caplog.records if entry.name == "llm_monitor")
    assert json.loads(entry.getMessage())["event"] == "llm_api_call"
    assert entry.llm_call["request"]["model"] == "gpt-4o-mini"  # type: ignore[attr-defined]
    assert not LOG.exists()


def test_a_handler_that_fails_costs_nothing_but_its_own(server: ScriptedServer, forgiving: None) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError

    handler = Broken()
    logging.getLogger("llm_monitor").addHandler(handler)
    logging.getLogger("llm_monitor").setLevel(logging.INFO)
    try:
        spantape.instrument(log_calls=True, base_dir="records")
        with sync_client(server.url) as client:
            client.chat.completions.create(**BODY)
        spantape.flush()
    finally:
        logging.getLogger("llm_monitor").removeHandler(handler)
    assert len(spantape.recordings("records").get_latest_interactions()) == 1


CALLS = """
import sys, spantape
spantape.instrument(files=False, jsonl=True, jsonl_path=sys.argv[1], jsonl_max_bytes=sys.argv[2], jsonl_backups=50)
for number in range(int(sys.argv[3])):
    spantape.call(model="m", metadata={"number": number, "who": sys.argv[4]}).finish("x")
    if number % 7 == 0:
        spantape.flush()
"""


def test_it_rotates_while_several_processes_write(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "calls.jsonl"
    started = [python(CALLS, log, 20_000, 60, who) for who in "abc"]
    for process in started:
        assert process.wait(PATIENCE) == 0, process.communicate()[1]
    files = sorted(log.parent.glob("calls.jsonl*"))
    assert len(files) > 3
    assert all(file.stat().st_size <= 20_000 for file in files)
    contexts = [entry["context"] for file in files for entry in entries(file)]
    assert sorted((one["who"], one["number"]) for one in contexts) == [(who, n) for who in "abc" for n in range(60)]


def test_few_older_logs_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    script = CALLS.replace("jsonl_backups=50", "jsonl_backups=2")
    run(script, log, 5_000, 60, "a")
    assert sorted(file.name for file in tmp_path.glob("calls.jsonl*")) == [
        "calls.jsonl",
        "calls.jsonl.1",
        "calls.jsonl.2",
    ]
    assert entries(log)[-1]["context"]["number"] == 59


def test_what_could_not_be_written_is_written_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "logs"
    blocked.write_text("a file where a folder should be")
    spantape.instrument(files=False, jsonl=True, jsonl_path=blocked / "calls.jsonl", flush_interval=0.05)
    spantape.call(model="m").finish("x")
    assert not spantape.flush()
    assert "can't write" in caplog.text
    blocked.unlink()
    assert spantape.flush()
    assert len(entries(blocked / "calls.jsonl")) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_full_disk(tmp_path: Path) -> None:
    """What did not fit is written later, and no part of it twice."""
    script = """
        import resource, signal, sys
        import spantape

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        spantape.instrument(files=False, jsonl=True, jsonl_path=sys.argv[1], flush_interval=3600)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
        for number in range(10):
            with spantape.session("5", number=number):
                spantape.call(model="m").finish("x")
        print(spantape.flush(1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print(spantape.flush())
    """
    assert run(script, tmp_path / "calls.jsonl") == ["False", "True"]
    assert [entry["context"]["number"] for entry in entries(tmp_path / "calls.jsonl")] == list(range(10))


def test_half_a_line_stays_alone(tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    log.write_bytes(b'{"half')
    spantape.instrument(files=False, jsonl=True, jsonl_path=log)
    spantape.call(model="m").finish("x")
    assert spantape.flush()
    half, whole = log.read_bytes().splitlines()
    assert half == b'{"half'
    assert json.loads(whole)["event"] == "llm_api_call"
