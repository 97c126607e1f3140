"""`call(...)` and the three functions: what no instrumentor sees is one span and one record like any other."""

from __future__ import annotations

import asyncio
import gc
import logging
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import spantape
from programs import run
from recorded import Recorded

CLAUDE: dict[str, Any] = {
    "id": "msg_1",
    "model": "claude-3-5-sonnet-20241022",
    "role": "assistant",
    "content": [
        {"type": "text", "text": "It is sunny."},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "sky"}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 90},
}


@pytest.fixture(autouse=True)
def _forget() -> None:
    from spantape.guard import guard

    guard.forget()


def test_one_span_and_one_record(recorded: Recorded) -> None:
    with (
        spantape.session("5", user_id="ada"),
        spantape.call(
            provider="anthropic", model="claude-3-5-sonnet-20241022", messages="你好 🎉", temperature=0.3, max_tokens=60
        ) as call,
    ):
        inside = trace.get_current_span().get_span_context().span_id
        call.finish("你好！", {"input_tokens": 10, "output_tokens": 5})
    span, record = recorded.span, recorded.record
    assert span.name == "chat claude-3-5-sonnet-20241022"
    assert span.instrumentation_scope.name == "spantape.manual"
    assert span.kind is trace.SpanKind.CLIENT
    assert inside == span.context.span_id
    assert span.attributes["gen_ai.provider.name"] == record["provider"] == "anthropic"
    assert span.attributes["gen_ai.request.temperature"] == record["request"]["temperature"] == 0.3
    assert "openai.api.type" not in span.attributes
    assert (record["prompt"], record["response"], record["success"]) == ("你好 🎉", "你好！", True)
    assert (record["session_id"], record["user_id"]) == ("5", "ada")
    assert record["usage"] == {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    assert record["cost"]["total"] == pytest.approx(10 * 3e-6 + 5 * 15e-6)
    assert record["id"] == call.id
    assert record["source"]["function"].endswith("test_one_span_and_one_record")


def test_async(recorded: Recorded) -> None:
    async def ask(text: str) -> None:
        async with spantape.call(model="m", messages=text, session_id=text) as call:
            await asyncio.sleep(0)
            call.finish(text.upper())

    async def main() -> None:
        await asyncio.gather(*(ask(text) for text in "abc"))

    asyncio.run(main())
    assert {(one["session_id"], one["prompt"], one["response"]) for one in recorded.records} == {
        (text, text, text.upper()) for text in "abc"
    }


LOOK = '[call look {"at":"sky"}]'
ANSWERS: list[tuple[Any, str, str]] = [
    ("text", "text", "stop"),
    ({"choices": [{"message": {"role": "assistant", "content": "text"}, "finish_reason": "length"}]}, "text", "length"),
    ({"message": {"role": "assistant", "content": "text"}, "done_reason": "stop"}, "text", "stop"),
    ({"role": "assistant", "content": "text"}, "text", "stop"),
    (AIMessage("text"), "text", "stop"),
    (AIMessage("", tool_calls=[{"name": "look", "args": {"at": "sky"}, "id": "t1"}]), LOOK, "tool_calls"),
    (
        {"message": {"content": "", "tool_calls": [{"function": {"name": "look", "arguments": {"at": "sky"}}}]}},
        LOOK,
        "tool_calls",
    ),
    (CLAUDE, f"It is sunny.\n{LOOK}", "tool_calls"),
]


@pytest.mark.parametrize(("answer", "said", "reason"), ANSWERS, ids=lambda value: type(value).__name__)
def test_what_clients_answer(recorded: Recorded, answer: Any, said: str, reason: str) -> None:
    with spantape.call(model="m") as call:
        call.finish(answer)
    assert (recorded.record["response"], recorded.record["finish_reasons"]) == (said, [reason])


def test_what_a_provider_counts_beside_is_counted_as_input(recorded: Recorded) -> None:
    with spantape.call(provider="anthropic") as call:
        call.finish(CLAUDE)
    assert recorded.record["usage"] == {
        "input_tokens": 100,
        "output_tokens": 5,
        "cache_read_input_tokens": 90,
        "total_tokens": 105,
    }
    assert (recorded.record["model"], recorded.record["response_id"]) == ("claude-3-5-sonnet-20241022", "msg_1")


MESSAGES: list[Any] = [
    [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}],
    [("system", "be kind"), ("human", "hi")],
    [{"role": "system", "content": [{"type": "text", "text": "be kind"}]}, HumanMessage("hi")],
]


@pytest.mark.parametrize("messages", MESSAGES)
def test_how_messages_are_given(recorded: Recorded, messages: Any) -> None:
    spantape.call(messages=messages).finish()
    assert recorded.record["prompt"] == "system: be kind\n\nuser: hi"


def test_instructions_beside_the_messages(recorded: Recorded) -> None:
    spantape.call(messages="hi", system="be kind").finish("hello")
    assert recorded.record["prompt"] == "system: be kind\n\nuser: hi"


def test_an_exception_is_recorded_and_goes_on(recorded: Recorded) -> None:
    with pytest.raises(TimeoutError), spantape.call(model="m"):
        raise TimeoutError("too late")
    record = recorded.record
    assert (record["success"], record["status"], record["error_message"]) == (False, "timeout", "too late")
    assert spantape.recordings(recorded.base_dir).get_error_interactions() == [record]
    assert recorded.span.status.status_code is trace.StatusCode.ERROR


@pytest.mark.parametrize("error", [ValueError("no"), "no"])
def test_a_failure_without_an_exception_around(recorded: Recorded, error: Any) -> None:
    with spantape.call(model="m") as call:
        call.fail(error)
        call.finish("too late")
    assert (recorded.record["success"], recorded.record["error_message"], recorded.record["response"]) == (
        False,
        "no",
        None,
    )


def test_nothing_of_the_caller_is_consumed_or_changed(recorded: Recorded) -> None:
    messages = (message for message in [{"role": "user", "content": "hi"}])
    parameters = {"tags": ["a"]}
    with spantape.call(messages=messages, extra=parameters) as call:
        call.finish(object())
    assert list(messages) == [{"role": "user", "content": "hi"}]
    assert parameters == {"tags": ["a"]}
    assert recorded.record["success"] is True


def test_a_call_that_is_dropped_is_recorded(recorded: Recorded) -> None:
    call = spantape.call(model="m", messages="hi")
    del call
    gc.collect()
    assert recorded.record["prompt"] == "hi"


def test_calls_that_are_open_at_exit_are_recorded(tmp_path: Path) -> None:
    run(
        "import spantape; spantape.instrument(base_dir=sys.argv[1])\n"
        "kept = spantape.call(messages='one'); spantape.start_call(messages='two')\n"
        "spantape.record_llm_interaction(1, 'r', 'three', metadata={'stage': 'started'})",
        tmp_path,
    )
    found = spantape.recordings(tmp_path).get_latest_interactions()
    assert sorted(record["prompt"] for record in found) == ["one", "three", "two"]


def test_content_policy_and_metrics_hold(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    recorded = Recorded(tmp_path / "records", capture_content=False, meter_provider=MeterProvider([reader]))
    with spantape.call(provider="anthropic", model="m", messages="secret") as call:
        call.finish("secret", {"input_tokens": 3, "output_tokens": 4})
    assert "secret" not in str(recorded.record)
    assert "secret" not in recorded.span.to_json()
    names = [metric.name for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics]
    assert "gen_ai.client.token.usage" in names


# --- three functions


def test_three_functions(recorded: Recorded) -> None:
    call_id = spantape.start_call(model="m", messages="hi", user_id="u", agent_key="router", metadata={"lens": "x"})
    other = spantape.start_call(model="m", messages="ho")
    spantape.fail_call(other, "rate_limit", "too many")
    spantape.finish_call(call_id, "hello", {"prompt_tokens": 1, "completion_tokens": 2}, finish_reason="length")
    good = next(record for record in recorded.records if record["id"] == call_id)
    bad = next(record for record in recorded.records if record["id"] == other)
    assert (good["response"], good["user_id"], good["agent_key"]) == ("hello", "u", "router")
    assert good["metadata"]["lens"] == "x"
    assert (good["finish_reasons"], good["usage"]["total_tokens"]) == (["length"], 3)
    assert (bad["success"], bad["error"]["code"], bad["error_message"]) == (False, "rate_limit", "too many")


def test_an_id_that_is_not_open_is_said_once(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "spantape")
    call_id = spantape.start_call(messages="hi")
    spantape.finish_call(call_id, "first")
    spantape.finish_call(call_id, "second")
    spantape.fail_call("nobody's")
    assert recorded.record["response"] == "first"
    assert len(caplog.messages) == 1
    assert "start_call()" in caplog.text


def test_calls_that_nobody_ends_are_few(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spantape.manual.held._MOST", 3)
    ids = [spantape.start_call(messages=str(number)) for number in range(5)]
    gc.collect()
    assert {record["prompt"] for record in recorded.records} == {"0", "1"}
    for call_id in ids[2:]:
        spantape.finish_call(call_id)
    assert len(recorded.records) == 5


# --- switched off


def test_off_is_off(tmp_path: Path) -> None:
    out = run(
        """
        import spantape
        with spantape.call(model="m", messages="hi") as call:
            call.finish("ho")
        spantape.finish_call(spantape.start_call(model="m"))
        print(call.id, spantape.record_llm_interaction(1, "a", "b", "c"), spantape.finalize("x", 1))
        """,
        SPANTAPE_ENABLED="false",
        SPANTAPE_BASE_DIR=str(tmp_path / "records"),
    )
    assert out.split() == ["None"] * 3
    assert not (tmp_path / "records").exists()


def test_the_first_call_by_hand_begins_a_recording_and_gives_way_to_instrument(tmp_path: Path) -> None:
    out = run(
        """
        import spantape
        spantape.call(messages="one").finish("1")
        print("openai" in sys.modules)
        spantape.instrument(base_dir=sys.argv[1])
        spantape.call(messages="two").finish("2")
        spantape.uninstrument()
        print(spantape.call(messages="three").id)
        """,
        tmp_path / "b",
        SPANTAPE_BASE_DIR=str(tmp_path / "a"),
    )
    assert out.split() == ["False", "None"]
    found = [spantape.recordings(tmp_path / name).get_latest_interactions() for name in "ab"]
    assert [[record["prompt"] for record in records] for records in found] == [["one"], ["two"]]
