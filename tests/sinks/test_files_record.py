"""What a file holds: an array of records with seed 000's keys, private to its owner."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult
from sinks_tape import SEED_KEYS, Tape, end, ended, files, loaded, messages, provider, run, span_ids, start, until

import openai
import spantape
from spantape.sinks import files as files_package
from spantape.sinks.files import FileSpanExporter
from spantape.testing import ScriptedServer, completion, error


def test_a_real_call(server: ScriptedServer, base_dir: Path) -> None:
    server.replies(completion("你好！🎉"), error(500, "broken"))
    spantape.instrument(base_dir=base_dir)
    with openai.OpenAI(base_url=server.url, api_key="test", max_retries=0) as client, spantape.session(5, topic="茶"):
        ask = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "说你好"}]}
        client.chat.completions.create(**ask)  # type: ignore[call-overload]
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(**ask)  # type: ignore[call-overload]
    assert spantape.flush()

    good, bad = loaded(next((base_dir / "by_date").iterdir()))
    assert list(good)[: len(SEED_KEYS)] == list(bad)[: len(SEED_KEYS)] == SEED_KEYS
    assert (good["prompt"], good["response"], good["success"], good["session_id"]) == ("说你好", "你好！🎉", True, "5")
    assert good["metadata"]["stage"] == "completed"
    assert good["metadata"]["session_topic"] == "茶"
    assert {"response_time_ms", "prompt_length", "response_length", "history_messages_count"} <= set(
        good["performance_metrics"]
    )
    assert (bad["success"], bad["error"]["status_code"]) == (False, 500)
    assert loaded(next((base_dir / "errors").iterdir())) == [bad]
    assert loaded(next((base_dir / "by_session" / "session_5").iterdir())) == [good, bad]
    assert spantape.recordings().get_session_interactions(5) == [good, bad]


def test_one_record_is_one_line(tape: Tape) -> None:
    for prompt in ("line\nbreak\r\n\u2028", "[]", "\n]\n", '{"id": 1}'):
        tape.call("5", prompt)
    tape.close()

    text = tape.date_file.read_text(encoding="utf-8")
    first, *lines, last, nothing = text.split("\n")
    assert (first, last, nothing) == ("[", "]", "")
    assert [json.loads(line.rstrip(","))["prompt"] for line in lines] == [
        record["prompt"] for record in loaded(tape.date_file)
    ]


@pytest.mark.parametrize("text", ["中文", "👩‍👩‍👧🎉", "\ud83d", "a\ude00b", "\x00\x1f\x7f", "\\u0041", "﷽" * 50])
def test_text_comes_back_as_it_was(tape: Tape, text: str) -> None:
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    tape.call("5", whole, **{"spantape.metadata": json.dumps({"note": text})})
    tape.close()

    (record,) = tape.recordings.get_session_interactions("5")
    assert record["prompt"] == whole
    assert loaded(tape.date_file) == [record]


def test_failed_calls_are_in_errors_too(tape: Tape) -> None:
    tape.call("5")
    failed = tape.call("6", error="openai.RateLimitError")
    tape.close()

    assert span_ids(tape.base_dir, "errors") == [failed]
    (record,) = tape.recordings.get_error_interactions()
    assert record["error"] == {"type": "openai.RateLimitError", "message": "openai.RateLimitError!"}
    assert record["error_message"] == "openai.RateLimitError!"


def test_spans_of_others_are_none_of_our_business(tape: Tape) -> None:
    tape.provider.get_tracer("the.app").start_span("work", attributes={"gen_ai.operation.name": "chat"}).end()
    tape.provider.get_tracer("spantapes").start_span("work", attributes={"gen_ai.operation.name": "chat"}).end()
    tape.tracer.start_span("no operation").end()
    tape.close()

    assert not tape.base_dir.exists()


@pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor])
def test_the_exporter_alone(base_dir: Path, processor: Callable[[FileSpanExporter], Any]) -> None:
    made = provider(processor(FileSpanExporter(base_dir)))
    tracer = made.get_tracer("spantape.test")
    ids = [end(start(tracer, "5")) for _ in range(20)]
    tracer.start_span("no operation").end()
    made.shutdown()

    assert span_ids(base_dir) == span_ids(base_dir, "by_session") == ids
    assert not (base_dir / "real_time").exists()


def test_the_exporter_takes_its_folder_from_the_settings(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_RECORDS_BASE_DIR", str(base_dir))
    assert FileSpanExporter().export([ended()]) is SpanExportResult.SUCCESS
    monkeypatch.delenv("LLM_RECORDS_BASE_DIR")
    assert FileSpanExporter().export([ended()]) is SpanExportResult.SUCCESS

    assert len(span_ids(base_dir)) == len(span_ids(Path("logs/llm_interactions"))) == 1


def test_a_relative_folder_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = FileSpanExporter("relative")
    here = Path.cwd()
    monkeypatch.chdir(tmp_path)
    exporter.export([ended()])

    assert len(span_ids(here / "relative")) == 1


def test_one_span_that_makes_no_record_takes_no_other_with_it(base_dir: Path, forgiving: None) -> None:
    class Unreadable(ReadableSpan):
        @property
        def start_time(self) -> int:
            raise ValueError

    good = ended("5")
    bad = Unreadable("chat", good.context, attributes=good.attributes, instrumentation_scope=good.instrumentation_scope)
    exporter = FileSpanExporter(base_dir)
    exporter.export([bad, good])

    assert len(span_ids(base_dir)) == 1
    assert exporter.lost == 1


@pytest.mark.parametrize("umask", ["0", "022", "077", "0777"])
def test_only_the_owner_may_look(base_dir: Path, umask: str) -> None:
    script = """
        import os, sys
        from pathlib import Path
        from sinks_tape import Tape

        Path(sys.argv[1]).parent.mkdir(exist_ok=True)
        os.umask(int(sys.argv[2], 8))
        tape = Tape(Path(sys.argv[1]))
        tape.call("5", error="Oops")
        tape.flush()
        tape.call("5")
        tape.close()
    """
    run(script, base_dir, umask)

    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [base_dir, *base_dir.rglob("*")]}
    assert len(files(base_dir)) == 4
    assert set(modes) > {base_dir / ".lock", base_dir / "real_time" / "latest.json"}
    assert {path: oct(mode) for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}


def test_nothing_else_is_left_behind(tape: Tape) -> None:
    tape.call("5", error="Oops")
    tape.close()
    until((tape.base_dir / ".upkeep").exists)

    names = {path.name for path in tape.base_dir.rglob("*") if path.is_file()}
    date = tape.date_file.name[:10]
    assert names == {
        ".lock",
        ".upkeep",
        "latest.json",
        f"{date}.json",
        f"{date}_all_interactions.json",
        f"{date}_errors.json",
    }


def test_a_cut_prompt_is_kept_as_text(base_dir: Path) -> None:
    cut = messages("x" * 100)[:60]
    FileSpanExporter(base_dir).export([ended("5", **{"gen_ai.input.messages": cut})])

    (record,) = spantape.recordings(base_dir).get_session_interactions("5")
    assert (record["prompt"], record["messages"]) == (cut, None)


def test_the_names_of_the_package() -> None:
    assert sorted(files_package.__all__) == ["FileSpanExporter", "FileSpanProcessor", "Recordings"]
    assert all(getattr(files_package, name).__name__ == name for name in files_package.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        files_package.nothing  # noqa: B018
