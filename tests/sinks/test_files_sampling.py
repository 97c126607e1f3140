"""The part of the calls that is recorded: by session or trace, and all that failed or took long."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from sinks_tape import NOON, SECOND, Tape, end, ended, loaded, run, span_ids, start, until

import openai
import spantape
from recorded import Recorded
from spantape import sampling
from spantape.filter import Filter
from spantape.sinks.files import FileSpanExporter
from spantape.testing import ScriptedServer, completion, error

Taped = Callable[..., Tape]
MANY = 2000


def ask(server: ScriptedServer, *sessions: str) -> None:
    """Make a call, or one in each of some sessions."""
    with openai.OpenAI(base_url=server.url, api_key="test", max_retries=0) as client:
        for session in sessions or (None,):
            with spantape.session(session):
                client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])


def records_of(tape: Tape) -> list[dict[str, Any]]:
    assert tape.flush()
    files = sorted((tape.base_dir / "by_date").glob("*.json"))
    return [record for file in files for record in loaded(file)]


# --- the public path


def test_nothing_but_errors_at_a_rate_of_0(server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", sample_rate=0)
    ask(server)
    server.replies(error(500, "it broke"))
    with pytest.raises(openai.InternalServerError):
        ask(server)
    ask(server)
    record = recorded.record
    assert (record["success"], "sample_rate" in record["metadata"]) == (False, False)
    assert len(spantape.recordings(recorded.base_dir).get_error_interactions()) == 1


def test_the_applications_exporter_gets_every_call_all_the_same(server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", sample_rate=0)
    ask(server)
    assert recorded.records == []
    assert len(recorded.spans) == 1
    assert "spantape.sample_rate" not in recorded.attributes


def test_what_the_applications_sampler_leaves_out_is_recorded_at_our_own_rate(
    server: ScriptedServer, tmp_path: Path
) -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    spantape.instrument(base_dir=tmp_path / "records", tracer_provider=provider, sample_rate=0.5)
    ask(server, *(f"session {number}" for number in range(60)))
    assert spantape.flush()
    assert 10 < len(spantape.recordings().get_latest_interactions(100)) < 50


@pytest.mark.parametrize("name", ["SPANTAPE_SAMPLE_RATE", "LLM_LOG_SAMPLE_RATE"])
def test_by_the_environment(name: str, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "0.0")
    recorded = Recorded(tmp_path / "records")
    ask(server)
    assert recorded.records == []


@pytest.mark.parametrize("rate", [-0.1, 1.1, "half", True, "nan"])
def test_a_rate_that_can_not_be(rate: Any) -> None:
    with pytest.raises(spantape.SettingError, match="sample_rate= is .*: give a number from 0 to 1"):
        spantape.instrument(sample_rate=rate)


def test_everything_by_default(server: ScriptedServer, recorded: Recorded) -> None:
    ask(server)
    assert "sample_rate" not in recorded.record["metadata"]


# --- what is kept


def test_a_slow_call_is_kept(taped: Taped) -> None:
    tape = taped(sample_rate=0, slow_call=2)
    for nanoseconds in (SECOND, 2 * SECOND - 1, 2 * SECOND, 60 * SECOND):
        span = tape.start(prompt=str(nanoseconds), at=NOON)
        span.end(NOON + nanoseconds)
    assert [record["prompt"] for record in records_of(tape)] == [str(2 * SECOND), str(60 * SECOND)]
    assert all("sample_rate" not in record["metadata"] for record in records_of(tape))


def test_a_call_that_failed_is_kept(taped: Taped) -> None:
    tape = taped(sample_rate=0)
    tape.call("5")
    failed = tape.call("5", error="Timeout")
    assert tape.flush()
    assert span_ids(tape.base_dir) == span_ids(tape.base_dir, "errors") == [failed]


def test_a_session_is_recorded_as_a_whole_or_not_at_all(taped: Taped) -> None:
    tape = taped(sample_rate=0.5, buffer_size=MANY)
    for _ in range(3):
        for number in range(200):
            tape.call(f"session-{number}")
    found = Counter(record["session_id"] for record in records_of(tape))
    assert set(found.values()) == {3}
    assert 60 < len(found) < 140
    assert {record["metadata"]["sample_rate"] for record in records_of(tape)} == {0.5}


def test_a_trace_is_recorded_as_a_whole_or_not_at_all(taped: Taped) -> None:
    tape = taped(sample_rate=0.5, buffer_size=MANY)
    for _ in range(200):
        with tape.tracer.start_as_current_span("request"):
            tape.call()
            tape.call()
    found = Counter(record["trace_id"] for record in records_of(tape))
    assert set(found.values()) == {2}
    assert 60 < len(found) < 140


DECIDE = """
from sinks_tape import Tape
from pathlib import Path
import sys
tape = Tape(Path(sys.argv[1]), sample_rate=0.5)
for number in range(40):
    tape.call(f"会话 {number}")
tape.close()
"""


def test_every_process_decides_alike(tmp_path: Path) -> None:
    for folder, seed in (("a", "1"), ("b", "2")):
        run(DECIDE, tmp_path / folder, environment={"PYTHONHASHSEED": seed})
    first, second = (
        {path.parent.name for path in (tmp_path / folder / "by_session").rglob("*.json")} for folder in "ab"
    )
    assert first == second
    assert 5 < len(first) < 35


def test_a_higher_rate_records_what_a_lower_one_did_and_more() -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("spantape.test")
    spans: list[Any] = [start(tracer, f"s{number}") for number in range(MANY)]
    kept: list[set[int]] = []
    for rate in (0.1, 0.5, 0.9):
        chosen = sampling.Sampling(rate)
        kept.append({n for n in range(MANY) if chosen.rate_of(spans[n]) is not None})
        assert len(kept[-1]) == pytest.approx(MANY * rate, rel=0.15)
    assert kept[0] < kept[1] < kept[2]


@pytest.mark.parametrize("session", ["", "\x00/../😀", "x" * 10_000])
def test_a_session_id_may_be_any_text(session: str) -> None:
    assert sampling.Sampling(1e-12).rate_of(ended(session)) is None


# --- what a record stands for


def test_sums_of_a_sample_stand_for_all(taped: Taped) -> None:
    tape = taped(sample_rate=0.25, buffer_size=MANY, slow_call=10)
    for number in range(1000):
        tape.call(f"session-{number}", error="Timeout" if number % 10 == 0 else None)
    records = records_of(tape)
    failed = [record for record in records if not record["success"]]
    assert sum(1 / sampling.rate(record) for record in failed) == len(failed) == 100
    assert sum(1 / sampling.rate(record) for record in records) == pytest.approx(1000, rel=0.15)
    assert len(records) < 450


@pytest.mark.parametrize(
    ("metadata", "rate"),
    [({"sample_rate": 0.1}, 0.1), ({}, 1), (None, 1), ("x", 1), ({"sample_rate": 0}, 1), ({"sample_rate": "x"}, 1)],
)
def test_the_rate_of_a_record(metadata: Any, rate: float) -> None:
    assert sampling.rate({"metadata": metadata}) == rate


def statistics_of(tape: Tape, **where: Any) -> dict[str, Any]:
    assert tape.flush()
    return tape.recordings.get_statistics(Filter(**where)) if where else tape.recordings.get_statistics()


@pytest.mark.parametrize(
    "where", [{}, {"since": datetime(2000, 1, 1, tzinfo=timezone.utc)}], ids=["from summaries", "counted"]
)
def test_statistics_scale_up_and_say_so(taped: Taped, where: dict[str, Any]) -> None:
    tape = taped(sample_rate=0.25, buffer_size=MANY)
    used = {
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 0,
        "spantape.cost.total": 0.5,
        "spantape.cost.currency": "CNY",
        "user.id": "ada",
    }
    for number in range(400):
        span = tape.start(f"session-{number}", at=NOON, **used)
        span.end(NOON + SECOND)
    for _ in range(3):
        tape.call("failed", error="Timeout", **used)
    told = statistics_of(tape, **where)
    recorded = len(records_of(tape))
    calls = (recorded - 3) * 4 + 3
    assert told["sampled"] == {"recorded_interactions": recorded, "rates": [0.25]}
    assert told["total_interactions"] == calls
    assert (told["successful_interactions"], told["failed_interactions"]) == (calls - 3, 3)
    assert told["usage"]["input_tokens"] == calls * 30
    assert told["cost"] == {"CNY": pytest.approx(calls * 0.5)}
    assert told["by_model"]["m"]["calls"] == told["by_user"]["ada"]["calls"] == calls
    assert told["latency_ms"]["p50"] == pytest.approx(1000, rel=0.03)
    assert told["total_sessions"] == len({record["session_id"] for record in records_of(tape)})
    assert sum(day["calls"] for day in told["by_date"].values()) == calls


def test_statistics_of_whole_recordings_say_nothing_of_samples(tape: Tape) -> None:
    tape.call("5")
    assert "sampled" not in statistics_of(tape)


@pytest.mark.parametrize("rate", [1, 0.999999])
def test_metadata_of_the_applications_says_nothing_about_the_rate(
    rate: float, server: ScriptedServer, tmp_path: Path
) -> None:
    recorded = Recorded(tmp_path / "records", sample_rate=rate)
    with spantape.session("5", sample_rate=0.01):
        ask(server)
    assert recorded.record["metadata"]["sample_rate"] == rate


# --- while it runs


def test_a_call_that_is_not_recorded_shows_while_it_runs_and_is_gone_afterwards(
    server: ScriptedServer, base_dir: Path
) -> None:
    hold = threading.Event()
    server.replies(completion("done").but(hold=hold))
    spantape.instrument(base_dir=base_dir, sample_rate=0)
    asking = threading.Thread(target=ask, args=(server,))
    asking.start()
    until(lambda: spantape.recordings().get_running_interactions())
    hold.set()
    asking.join()
    assert spantape.flush()
    assert loaded(base_dir / "real_time" / "latest.json") == []
    assert span_ids(base_dir) == []


# --- an exporter alone


def test_an_exporter_alone_samples_too(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANTAPE_SAMPLE_RATE", "0")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(FileSpanExporter(base_dir)))
    tracer = provider.get_tracer("spantape.test")
    end(tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"}))
    failed = end(tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"}), "Timeout")
    assert span_ids(base_dir) == [failed]
