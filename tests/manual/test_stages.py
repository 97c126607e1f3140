"""The recording system that spantape grew from: its functions, and every snippet of its document."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sinks_tape import SEED_KEYS, loaded

import spantape
from recorded import Recorded

DOCUMENT = (Path(__file__).parent / "recording_system.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
ONE_LINERS = re.findall(r'python -c "(.*?[^\\])"', DOCUMENT, re.DOTALL)
SAME: dict[str, Any] = {"session_id": 5, "role_name": "产品专员", "step_id": 1, "prompt": "完整的提示词"}


def ours(code: str) -> str:
    """Change the import lines, and nothing else."""
    return code.replace("app.services.llm_file_record_service", "spantape")


def record(stage: str | None, **more: Any) -> str | None:
    metadata = {**more.pop("metadata", {}), **({"stage": stage} if stage else {})}
    return spantape.record_llm_interaction(**{**SAME, **more}, metadata=metadata)


def test_three_stages_are_one_record(recorded: Recorded) -> None:
    ids = {
        record("started", response="", success=False, metadata={"task_type": "ask_question"}),
        record("completed", response="好", performance_metrics={"response_time_ms": 28909, "retries": 1}),
    }
    assert recorded.record["metadata"]["stage"] == "completed"
    ids.add(record("finalized", response="好", message_id=12, metadata={"finalized": True}))
    found = recorded.record
    assert ids == {found["id"]}
    assert list(found)[: len(SEED_KEYS)] == SEED_KEYS
    assert (found["session_id"], found["message_id"], found["role_name"], found["step_id"]) == ("5", 12, "产品专员", 1)
    assert (found["prompt"], found["response"], found["success"]) == ("完整的提示词", "好", True)
    assert found["metadata"] == {"stage": "finalized", "task_type": "ask_question", "finalized": True}
    metrics = found["performance_metrics"]
    assert (metrics["response_time_ms"], metrics["retries"], metrics["prompt_length"]) == (28909, 1, 6)
    lines = loaded(next((recorded.base_dir / "by_session" / "session_5").iterdir()))
    assert [line["metadata"]["stage"] for line in lines] == ["completed", "finalized"]
    assert lines[-1] == found
    assert [span.name for span in recorded.spans] == ["chat", "finalize"]


def test_what_runs_is_live(recorded: Recorded) -> None:
    key = record("started", provider="claude", model="claude-3-5-sonnet-20241022")
    assert spantape.flush()
    assert [one["id"] for one in spantape.recordings(recorded.base_dir).get_running_interactions()] == [key]
    record("completed", response="x")
    assert recorded.record["id"] == key


def test_at_once(recorded: Recorded) -> None:
    began = time.monotonic()
    key = record(None, response="好", performance_metrics={"response_time_ms": 28909}, message_id="m1", topic="茶")
    told_in = (time.monotonic() - began) * 1000
    found = recorded.record
    assert (found["id"], found["message_id"], found["metadata"]["session_topic"]) == (key, "m1", "茶")
    assert 28908 < found["timing"]["duration_ms"] < 28910 + told_in


def test_an_unknown_time_is_absent(recorded: Recorded) -> None:
    spantape.record_llm_interaction(1, "test", "test", "test")
    assert recorded.record["performance_metrics"]["response_time_ms"] is None


def test_a_failure(recorded: Recorded) -> None:
    record("started", response="", success=False)
    record("completed", response="", success=False, error_message="no such model")
    found = recorded.record
    assert (found["success"], found["error_message"], found["response"]) == (False, "no such model", None)
    assert spantape.recordings(recorded.base_dir).get_error_interactions() == [found]


def test_what_is_told_in_other_forms_costs_no_record(recorded: Recorded) -> None:
    told = SimpleNamespace(response_time_ms=28909, retries=1)
    record(None, response="x", performance_metrics=told)
    spantape.record_llm_interaction(5, "r", "p", "a", metadata={7: "seven", "stage": "completed"})  # type: ignore[arg-type]
    spantape.record_llm_interaction(5, "r", "p", {"answer": [42, "好"]}, metadata="a text")
    spantape.record_llm_interaction(5, "r", "p", None, False, error_message=ValueError("boom"))
    spantape.record_llm_interaction(5, "r", "p", None, False, error_message={"code": 7})
    first, second, third, fourth, fifth = recorded.records
    assert (first["performance_metrics"]["response_time_ms"], first["performance_metrics"]["retries"]) == (28909, 1)
    assert second["metadata"] == {"stage": "completed", "7": "seven"}
    assert (third["response"], third["success"]) == ('{"answer":[42,"好"]}', True)
    assert (fourth["error_message"], fourth["error"]["type"]) == ("boom", "ValueError")
    assert (fifth["error_message"], fifth["success"]) == ('{"code":7}', False)


def test_what_is_only_finalized_is_one_record(recorded: Recorded) -> None:
    record("finalized", response="好", message_id=3)
    assert (recorded.record["metadata"]["stage"], recorded.record["message_id"]) == ("finalized", 3)


def test_the_same_words_again_are_another_call(recorded: Recorded) -> None:
    for answer in "ab":
        record("started")
        record("completed", response=answer)
        record("finalized", response=answer, message_id=answer)
    assert [(one["response"], one["message_id"]) for one in recorded.records] == [("a", "a"), ("b", "b")]


def test_a_stage_that_never_comes_costs_nothing_but_its_record(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spantape.manual.stages._MOST", 2)
    for number in range(4):
        record("started", prompt=str(number))
    assert {one["prompt"] for one in recorded.records} == {"0", "1"}
    from spantape.manual import stages

    assert len(stages._begun) == 2


def test_model_and_cost_that_are_told_at_the_end(recorded: Recorded) -> None:
    record("started")
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    record("completed", response="好", provider="anthropic", model="claude-3-5-sonnet-20241022", usage=usage, lens="x")
    assert (recorded.record["provider"], recorded.record["model"]) == ("anthropic", "claude-3-5-sonnet-20241022")
    assert recorded.record["cost"]["total"] == pytest.approx(100 * 3e-6 + 10 * 15e-6)
    assert recorded.record["metadata"]["lens"] == "x"


def surroundings() -> dict[str, Any]:
    """What the document's snippets take for granted."""
    answer = SimpleNamespace(content="完整的LLM响应内容...", success=True, metrics={"response_time_ms": 28909})
    return {
        "Path": Path,
        "llm_file_record": spantape.llm_file_record,
        "self": SimpleNamespace(_real_time_buffer=[1]),
        "prompt": "完整的原始提示词内容...",
        "message": SimpleNamespace(id=12),
        "llm_service": SimpleNamespace(generate_response=lambda prompt, context: answer),
        "session": SimpleNamespace(id=5),
        "role": SimpleNamespace(name="产品专员"),
        "step": SimpleNamespace(id=1),
        "messages": [SimpleNamespace(id=12, content="…")],
    }


def test_every_snippet_of_the_document_runs(recorded: Recorded) -> None:
    names = surroundings()
    assert len(PYTHON) == 12
    for code in PYTHON:
        exec(ours(code), names)
        for name in ("LLMFileRecordService", "_flush_real_time_buffer"):
            if name in code and name in names:
                names[name](*([names["self"]] if name.startswith("_") else []))
        if "class FlowEngineService" in code:
            run = names["FlowEngineService"]._generate_llm_response_sync
            run(names["session"], names["role"], names["step"], {})
        if "def _export_to_json" in code:
            names["_export_to_json"](names["session"], names["messages"])
    first, second = recorded.records
    assert first["id"] == names["interaction_id"]
    assert (first["session_id"], first["performance_metrics"]["response_time_ms"]) == ("5", 28909)
    assert (second["prompt"], second["message_id"], second["metadata"]["stage"]) == (names["prompt"], 12, "finalized")
    assert second["metadata"]["finalized"] is True
    assert [one["id"] for one in spantape.get_session_llm_interactions(5)] == [first["id"], second["id"]]


@pytest.mark.parametrize("code", ONE_LINERS)
def test_every_one_liner_of_the_document_runs(code: str, tmp_path: Path) -> None:
    code = ours(code.replace('\\"', '"'))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    found = spantape.recordings(tmp_path / "logs" / "llm_interactions").get_latest_interactions()
    assert [one["prompt"] for one in found] == (["test"] if "record_llm_interaction(" in code else [])
