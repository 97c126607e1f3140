"""What is masked is masked in files, OTLP, spans, events, metrics and logs, wherever in a call it was said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from outputs import Outputs, listening

import openai
import spantape
from recorded import Recorded
from spantape import semconv
from spantape.content import ContentPolicy
from spantape.masking import Masking
from spantape.testing import ScriptedServer, completion, error, stream

PHONE, EMAIL, CARD = "13812345678", "zhangsan@example.com", "4111111111111111"
SECRET = "ghp_" + "a1B2" * 9
EVERYWHERE = {"files", "OTLP", "spans", "events"}

Ask = Callable[..., Any]


@pytest.fixture
def everything(tmp_path: Path) -> Iterator[Outputs]:
    with listening(tmp_path / "records", mask=True) as outputs:
        yield outputs


# --- wherever it is said


def test_nothing_said_in_prompts_tools_and_answers_gets_out(
    everything: Outputs, ask: Ask, server: ScriptedServer
) -> None:
    said = f"我是张三{PHONE}，邮箱{EMAIL}；token {SECRET}"
    tool = {"type": "function", "function": {"name": "f", "description": said, "parameters": {"default": said}}}
    answers = json.dumps({"user": {"phone": int(PHONE), "说明": said, "inner": json.dumps({"a": said})}})
    server.replies(completion(said, reasoning=said, tool_calls=[("f", {"who": said, "phone": int(PHONE), EMAIL: 1})]))
    ask(
        messages=[
            {"role": "system", "content": said},
            {"role": "user", "name": "zhang", "content": [{"type": "text", "text": said}] * 2},
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": answers}}]},
            {"role": "tool", "tool_call_id": "1", "content": answers},
        ],
        tools=[tool],
        user=EMAIL,
        stop=[PHONE],
        extra_body={"metadata": {"phone": PHONE, EMAIL: "x"}, "prediction": {"type": "content", "content": said}},
    )  # fmt: skip
    assert everything.has_told(PHONE, EMAIL, SECRET) == set()
    assert everything.has_told("138****5678") == EVERYWHERE
    assert everything.has_told("z***@example.com") == EVERYWHERE
    assert server.requests[-1].body["messages"][0]["content"] == said, "the request is as it was"


def test_nothing_said_of_a_session_gets_out(everything: Outputs, ask: Ask) -> None:
    whose = {"user_id": EMAIL, "conversation_id": EMAIL, "agent_key": EMAIL, "role_name": EMAIL}
    where = {"step_id": f"call {PHONE}", "round_index": f"call {PHONE}", "topic": f"about {PHONE}"}
    with spantape.session(PHONE, **whose, **where, note={"to": [EMAIL]}, number=int(PHONE)):
        spantape.finalize(ask(), message_id=EMAIL, note=PHONE)
    assert everything.has_told(PHONE, EMAIL) == set()
    assert everything.record["message_id"].startswith("[email:")


def test_nothing_said_in_names_gets_out(everything: Outputs) -> None:
    from langchain_core.runnables import RunnableLambda
    from langchain_core.tools import tool

    @tool
    def look_up(whom: str) -> str:
        """Look up."""
        return whom

    step = RunnableLambda(look_up.with_config(run_name=f"look up {EMAIL}").invoke, name=f"step {EMAIL}")
    (step | RunnableLambda(str)).with_config(run_name=f"for {EMAIL}").invoke(PHONE)
    assert everything.has_told(PHONE, EMAIL) == set()
    assert "invoke_workflow for z***@example.com" in {span.name for span in everything.spans}


def test_nothing_told_by_hand_gets_out(everything: Outputs) -> None:
    said = f"我是张三{PHONE}，邮箱{EMAIL}；token {SECRET}"
    spantape.record_llm_interaction(
        session_id=PHONE,
        role_name=said,
        prompt=said,
        response=said,
        success=False,
        error_message=said,
        performance_metrics={"response_time_ms": 20_000_000, "note": said, EMAIL: [said]},
        metadata={"note": said, "number": int(PHONE)},
    )
    with pytest.raises(ValueError, match=PHONE), spantape.call(model="m", messages=[{"role": "user", "content": said}]):
        raise ValueError(said)
    assert everything.has_told(PHONE, EMAIL, SECRET) == set()
    metrics = everything.records[0]["performance_metrics"]
    assert metrics["response_time_ms"] == 20_000_000
    assert "z***@example.com" in metrics["note"]


def test_sessions_that_are_masked_stay_apart(everything: Outputs, ask: Ask) -> None:
    for number in (PHONE, "13912345678", PHONE):
        with spantape.session(number):
            ask()
    ids = [record["session_id"] for record in everything.records]
    assert len(set(ids)) == 2
    assert ids[0] == ids[2] != ids[1]
    assert all(one.startswith("[phone:") for one in ids)


def test_an_errors_message_is_masked_in_all_its_places(everything: Outputs, ask: Ask, server: ScriptedServer) -> None:
    server.replies(error(400, f"no {PHONE} here, {EMAIL}", code=f"bad {SECRET}"))
    with pytest.raises(openai.BadRequestError, match=PHONE):
        ask()
    assert everything.has_told(PHONE, EMAIL, SECRET) == set()
    assert "138****5678" in everything.span.status.description
    assert "138****5678" in everything.record["error_message"]


def test_an_errors_code_that_is_a_sentence_is_no_kind_of_error(everything: Outputs) -> None:
    for said in (f"no {PHONE}", EMAIL, f"token {SECRET}"):
        with spantape.call(model="m", messages="hi") as call:
            call.fail("it failed", code=said)
    assert everything.has_told(PHONE, EMAIL, SECRET) == set()
    assert {span.attributes[semconv.ERROR_TYPE] for span in everything.spans} == {"_OTHER"}
    assert "z***@example.com" in {record["error"]["code"] for record in everything.records}


def test_an_errors_message_is_masked_before_it_is_cut(everything: Outputs, ask: Ask, server: ScriptedServer) -> None:
    server.replies(error(400, "x" * 9_940 + f" {SECRET}"))
    with pytest.raises(openai.BadRequestError):
        ask()
    assert everything.has_told(SECRET[:8]) == set()


def test_what_is_split_over_chunks_is_masked(everything: Outputs, ask: Ask, server: ScriptedServer) -> None:
    pieces = [*f"电话{PHONE}，{EMAIL}，{SECRET}。"]
    server.replies(stream(pieces))
    assert len(list(ask(stream=True))) >= len(pieces)
    assert everything.record["response"] == "电话138****5678，z***@example.com，ghp_***。"
    assert everything.has_told(PHONE, EMAIL, SECRET) == set()


def test_what_is_split_over_chunks_of_arguments_is_masked(
    everything: Outputs, ask: Ask, server: ScriptedServer
) -> None:
    server.replies(stream(tool_calls=[("f", {"电话": PHONE, "n": int(PHONE)})]))
    list(ask(stream=True))
    (part,) = everything.record["output_messages"][0]["parts"]
    assert part["arguments"] == {"电话": "138****5678", "n": "138****5678"}


def test_a_text_is_masked_before_it_is_cut(ask: Ask, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", mask=True, max_content_chars=10)
    ask(f"call {PHONE}")
    assert recorded.record["prompt"] == "call 138**"


def test_a_filter_sees_what_is_masked(ask: Ask, tmp_path: Path) -> None:
    seen: list[str] = []

    def look(text: str) -> str:
        seen.append(text)
        return text

    recorded = Recorded(tmp_path / "records", mask=True, content_filter=look)
    ask(f"call {PHONE}")
    assert recorded.record["prompt"] == "call 138****5678"
    assert not any(PHONE in text for text in seen)


# --- JSON stays JSON


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_json_within_strings_stays_json(ascii_only: bool, depth: int) -> None:
    value: Any = {"电话": int(PHONE), "说": f'他说："{PHONE}"\n{EMAIL}\t张三{PHONE}李四', "ok": [True, None, 1.5, 12]}
    text: Any = value
    for _ in range(depth):
        text = json.dumps(text, ensure_ascii=ascii_only)
    masked = Masking().text(text)
    assert PHONE not in masked
    assert EMAIL not in masked
    for _ in range(depth):
        masked = json.loads(masked)
    assert masked == {
        "电话": "138****5678",
        "说": '他说："138****5678"\nz***@example.com\t张三138****5678李四',
        "ok": [True, None, 1.5, 12],
    }  # type: ignore[comparison-overlap]


@pytest.mark.parametrize(
    "text", [f'{{"a":"张三{PHONE}', f'see {{"a": "\\u4e09{PHONE}\\n{EMAIL}"}}', f'[{{"p":{PHONE}}}']
)
def test_json_that_was_cut_is_masked_as_text(text: str) -> None:
    masked = Masking().text(text)
    assert PHONE not in masked
    assert EMAIL not in masked
    assert masked.startswith(text[:8])


def test_what_has_nothing_to_mask_stays_as_it_was_written() -> None:
    for text in ('{ "a" :  1.0, "b": 10000000 }', '[1,  "x\\u4e09"]', "https://example.com/a?b=c"):
        assert Masking().text(text) == text


def test_two_keys_that_become_one_keep_their_values() -> None:
    masked = json.loads(Masking().text(json.dumps({"13812345678": 1, "13800005678": 2})))
    assert sorted(masked.values()) == [1, 2]


def test_a_secret_is_found_by_its_key() -> None:
    arguments = {"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"}
    part = {"type": "tool_call", "id": "1", "name": "f", "arguments": arguments}
    kept = ContentPolicy(masking=Masking()).keep({semconv.OUTPUT_MESSAGES: [{"role": "assistant", "parts": [part]}]})
    assert json.loads(kept[semconv.OUTPUT_MESSAGES])[0]["parts"][0]["arguments"] == {"SecretAccessKey": "***"}


# --- what is masked, and what is not


def test_only_secrets_are_masked_when_nobody_says_anything(tmp_path: Path, ask: Ask) -> None:
    with listening(tmp_path / "records") as outputs:
        ask(f"{PHONE} {EMAIL} {SECRET}")
        assert outputs.has_told(SECRET) == set()
        assert outputs.record["prompt"] == f"{PHONE} {EMAIL} ghp_***"


@pytest.mark.parametrize(
    ("mask", "prompt"),
    [
        ("false", f"{PHONE} {EMAIL} {SECRET}"),
        ("true", "138****5678 z***@example.com ghp_***"),
        ("phone", f"138****5678 {EMAIL} ghp_***"),
        ("personal,-email", f"138****5678 {EMAIL} ghp_***"),
        ("-email", f"138****5678 {EMAIL} ghp_***"),
        ("email,-secrets", f"{PHONE} z***@example.com {SECRET}"),
    ],
)
def test_the_environment_says_what_is_masked(
    mask: str, prompt: str, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPANTAPE_MASK", mask)
    recorded = Recorded(tmp_path / "records")
    ask(f"{PHONE} {EMAIL} {SECRET}")
    assert recorded.record["prompt"] == prompt


@pytest.mark.parametrize(
    "mask",
    [
        ["email", spantape.Detector("order", r"ORD-\d+")],
        spantape.Masking(["secrets", "email", spantape.Detector("order", r"ORD-\d+")]),
    ],
)
def test_code_says_what_is_masked(mask: Any, ask: Ask, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", mask=mask)
    ask(f"{PHONE} {EMAIL} {SECRET} ORD-17")
    assert recorded.record["prompt"] == f"{PHONE} z***@example.com ghp_*** ***"


def test_mode_and_key_come_from_the_environment(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANTAPE_MASK", "true")
    monkeypatch.setenv("SPANTAPE_MASK_MODE", "hash")
    monkeypatch.setenv("SPANTAPE_MASK_KEY", "k")
    recorded = Recorded(tmp_path / "records")
    ask(PHONE)
    assert recorded.record["prompt"] == Masking(mode="hash", key="k").text(PHONE)


@pytest.mark.parametrize("wrong", ["emial", ["emial"], ["email", 3], 3.5, "", []])
def test_what_can_not_be_used_is_refused(wrong: Any) -> None:
    with pytest.raises(spantape.SettingError, match="mask"):
        spantape.instrument(mask=wrong)


# --- when a detector fails


@pytest.mark.usefixtures("forgiving")
@pytest.mark.parametrize("result", [ValueError, [(0, "x")], [3], None])
def test_a_detector_that_fails_drops_the_content_and_says_so(result: Any, tmp_path: Path, ask: Ask) -> None:
    def find(text: str) -> Any:
        if result is ValueError:
            raise ValueError(f"can't read {text}")
        return result

    with listening(tmp_path / "records", mask=[spantape.Detector("broken", find)]) as outputs:
        assert ask(EMAIL).choices[0].message.content == f"You said: {EMAIL}"
        assert outputs.has_told(EMAIL) == set()
        assert semconv.INPUT_MESSAGES in outputs.attributes[semconv.CONTENT_DROPPED]
        assert outputs.record["metadata"]["content_dropped"]
        assert outputs.record["usage"]["input_tokens"] > 0
        assert "drops it" in outputs.told()["logs"]
