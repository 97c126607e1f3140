"""`Interaction`: what a span tells, as the record that is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import uuid
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import spantape
from spantape.interaction import Interaction, is_ours
from spantape.jsontext import dumps
from spantape.record import interaction_id, record_of

START = 1_795_262_400_123_456_000
MS = 1_000_000
NAMESPACE = uuid.UUID("6f6a7a9e-0d5c-5c0f-9d5b-7b7e5d2f3a11")

SEED_KEYS = ["id", "timestamp", "session_id", "message_id", "role_name", "step_id", "round_index", "provider", "model"]
SEED_KEYS += ["prompt", "response", "success", "error_message", "performance_metrics", "metadata"]
OUR_KEYS = ["trace_id", "span_id", "parent_span_id", "operation", "user_id", "agent_key", "conversation_id", "request"]
OUR_KEYS += ["messages", "output_messages", "finish_reasons", "usage", "cost", "timing", "error", "status", "retries"]
OUR_KEYS += ["response_id", "request_id", "server", "source"]


class Provider:
    """Makes spans as an instrumentor of ours does."""

    def __init__(self, service: str | None = None, **limits: int) -> None:
        self.memory = InMemorySpanExporter()
        resource = Resource({"service.name": service}) if service else Resource.create()
        self.provider = TracerProvider(resource=resource, span_limits=SpanLimits(**limits), shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.memory))

    def start(self, scope: str = "spantape.test", /, **attributes: Any) -> Span:
        said = {"gen_ai.operation.name": "chat"} | {
            name.replace("__", "."): value for name, value in attributes.items()
        }
        span: Any = self.provider.get_tracer(scope).start_span("chat", attributes=said, start_time=START)
        return span  # type: ignore[no-any-return]

    def end(self, span: Span) -> ReadableSpan:
        span.end(START + 1500 * MS)
        return self.memory.get_finished_spans()[-1]

    def ended(self, scope: str = "spantape.test", /, **attributes: Any) -> ReadableSpan:
        return self.end(self.start(scope, **attributes))


@pytest.fixture
def provider() -> Provider:
    return Provider()


def record(**attributes: Any) -> dict[str, Any]:
    """Give the record of an ended span; `__` in a name stands for its dots."""
    return Interaction.from_span(Provider().ended(**attributes)).to_json()


def said(*messages: tuple[str, str]) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in messages])


def part(**part: Any) -> str:
    return json.dumps([{"role": "user", "parts": [part]}])


def test_the_keys_are_those_of_the_record_on_disk() -> None:
    assert list(record()) == [field.name for field in fields(Interaction)] == SEED_KEYS + OUR_KEYS


def test_a_whole_record() -> None:
    provider = Provider("shop")
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.conversation.id": "conv",
        "gen_ai.output.type": "json",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.stop_sequences": ("a", "b"),
        "gen_ai.request.seed": 7,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.1234567,
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.input.messages": said(
            ("system", "be kind"), ("user", "你好"), ("assistant", "Yes?"), ("user", "今天？")
        ),
        "gen_ai.output.messages": said(("assistant", "晴 ☀️")),
        "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "weather"}]),
        "session.id": "5",
        "user.id": "u1",
        "spantape.agent_key": "key",
        "spantape.role_name": "产品专员",
        "spantape.step_id": 1,
        "spantape.round_index": 2,
        "spantape.topic": "茶",
        "spantape.metadata": json.dumps({"task_type": "ask", "stage": "never", "list": [1]}),
        "spantape.request.parameters": json.dumps({"logit_bias": {"1": 2}}),
        "spantape.retries": 0,
        "spantape.request_id": "req_1",
        "spantape.server_time_ms": 900,
        "spantape.stream.end": "completed",
        "spantape.cost.total": 0.5,
        "spantape.cost.currency": "USD",
        "server.address": "api.openai.com",
        "server.port": 443,
        "code.function.name": "Shop.advise",
        "code.file.path": "/shop/shop.py",
        "code.line.number": 12,
    }
    parent = provider.provider.get_tracer("the.app").start_span("request")
    span = provider.provider.get_tracer("spantape.openai").start_span(
        "chat", trace.set_span_in_context(parent), attributes=attributes, start_time=START
    )
    found = Interaction.from_span(provider.end(span)).to_json()

    context = span.get_span_context()
    trace_id, span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    start, end = found["timing"]["start_time"], found["timing"]["end_time"]
    assert found == {
        "id": interaction_id(trace_id, span_id),
        "timestamp": start,
        "session_id": "5",
        "message_id": None,
        "role_name": "产品专员",
        "step_id": 1,
        "round_index": 2,
        "provider": "openai",
        "model": "gpt-4o-mini",
        "prompt": "system: be kind\n\nuser: 你好\n\nassistant: Yes?\n\nuser: 今天？",
        "response": "晴 ☀️",
        "success": True,
        "error_message": None,
        "performance_metrics": {
            "response_time_ms": 1500,
            "prompt_length": len(found["prompt"]),
            "response_length": 4,
            "history_messages_count": 2,
        },
        "metadata": {
            "stage": "completed",
            "session_topic": "茶",
            "api_response_time": 900,
            "model_used": "gpt-4o-mini-2024-07-18",
            "stream_end": "completed",
            "task_type": "ask",
            "list": [1],
        },
        "trace_id": trace_id,
        "span_id": span_id,
        "parent_span_id": f"{parent.get_span_context().span_id:016x}",
        "operation": "chat",
        "user_id": "u1",
        "agent_key": "key",
        "conversation_id": "conv",
        "request": {
            "model": "gpt-4o-mini",
            "temperature": 0.5,
            "stop": ["a", "b"],
            "seed": 7,
            "output_type": "json",
            "logit_bias": {"1": 2},
            "tools": [{"type": "function", "name": "weather"}],
        },
        "messages": json.loads(str(attributes["gen_ai.input.messages"])),
        "output_messages": json.loads(str(attributes["gen_ai.output.messages"])),
        "finish_reasons": ["stop"],
        "usage": {"input_tokens": 12, "output_tokens": 3, "cache_read_input_tokens": 0, "total_tokens": 15},
        "cost": {"total": 0.5, "currency": "USD"},
        "timing": {"start_time": start, "end_time": end, "duration_ms": 1500.0, "time_to_first_chunk_ms": 123.457},
        "error": None,
        "status": "success",
        "retries": 0,
        "response_id": "chatcmpl-1",
        "request_id": "req_1",
        "server": {"address": "api.openai.com", "port": 443},
        "source": {"service": "shop", "function": "Shop.advise", "file": "/shop/shop.py", "line": 12},
    }
    assert json.loads(json.dumps(found)) == found


def test_what_is_unknown_is_none() -> None:
    found = record()
    known = {"id", "timestamp", "success", "performance_metrics", "metadata", "trace_id", "span_id", "operation"}
    known |= {"request", "timing", "status"}
    assert {key for key, value in found.items() if value is not None} == known
    assert found["request"] == {}
    assert found["metadata"] == {"stage": "completed"}
    assert found["performance_metrics"] == {
        "response_time_ms": 1500,
        "prompt_length": None,
        "response_length": None,
        "history_messages_count": None,
    }


def test_a_call_that_runs(provider: Provider) -> None:
    span = provider.start(gen_ai__input__messages=said(("user", "Hi")))
    running = Interaction.from_span(span).to_json()
    finished = Interaction.from_span(provider.end(span)).to_json()

    assert running["metadata"] == {"stage": "started"}
    assert (running["success"], running["prompt"]) == (None, "Hi")
    assert running["performance_metrics"]["response_time_ms"] is None
    assert (running["timing"]["end_time"], running["timing"]["duration_ms"]) == (None, None)
    changed = {key for key in finished if finished[key] != running[key]}
    assert changed == {"success", "performance_metrics", "metadata", "timing", "status"}
    assert (running["status"], finished["status"]) == (None, "success")


def test_a_call_that_failed() -> None:
    found = record(
        error__type="openai.RateLimitError",
        spantape__error__message="slow down",
        spantape__error__code="rate_limit",
        spantape__error__type="insufficient_quota",
        http__response__status_code=429,
    )
    assert (found["success"], found["error_message"]) == (False, "slow down")
    assert found["error"] == {
        "type": "openai.RateLimitError",
        "message": "slow down",
        "code": "rate_limit",
        "status_code": 429,
        "provider_type": "insufficient_quota",
    }


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({}, "success"),
        ({"error__type": "openai.RateLimitError"}, "failed"),
        ({"error__type": "openai.APITimeoutError"}, "timeout"),
        ({"error__type": "TimeoutError"}, "timeout"),
        ({"error__type": "asyncio.CancelledError"}, "cancelled"),
        ({"error__type": "asyncio.CancelledError", "spantape__status": "failed"}, "failed"),
        ({"spantape__status": "cancelled"}, "cancelled"),
    ],
)
def test_how_a_call_ended(provider: Provider, attributes: dict[str, str], status: str) -> None:
    span = provider.start(**attributes)
    assert Interaction.from_span(span).status is None
    assert Interaction.from_span(provider.end(span)).status == status


def test_a_status_code_alone_is_no_failure() -> None:
    assert record(http__response__status_code=200)["error"] is None
    assert record(http__response__status_code=200)["success"] is True


def test_the_model_may_only_be_known_from_the_response() -> None:
    assert record(gen_ai__response__model="m")["model"] == "m"
    assert record(gen_ai__response__model="m", gen_ai__request__model="n")["model"] == "n"


def test_total_tokens_need_both() -> None:
    assert record(gen_ai__usage__input_tokens=3)["usage"] == {"input_tokens": 3}
    assert record(gen_ai__usage__input_tokens=3, gen_ai__usage__output_tokens=0)["usage"]["total_tokens"] == 3


def test_tokens_of_every_kind() -> None:
    kinds = [
        f"{kind}.{what}" for kind in ("text", "image", "audio") for what in ("input", "output", "cache_read.input")
    ]
    counts = {f"gen_ai.usage.{kind}_tokens": number for number, kind in enumerate(kinds)}
    usage = {f"{kind.replace('.', '_')}_tokens": number for number, kind in enumerate(kinds)}
    assert record(**counts)["usage"] == usage
    assert record(**counts, spantape__usage__estimated=True)["usage"] == {**usage, "estimated": True}
    assert record(**counts, spantape__usage__estimated=False)["usage"] == usage


@pytest.mark.parametrize("given", ["[1]", "7", '"a"', "{", "null"])
def test_metrics_that_are_none(given: str) -> None:
    assert record(spantape__performance_metrics=given)["performance_metrics"]["response_time_ms"] == 1500


INSTRUCTIONS = json.dumps([{"type": "text", "content": "be kind"}, {"type": "text", "content": "好"}])


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        (said(("user", "Hi")), "system: be kind\n好\n\nuser: Hi"),
        ("\n " + said(("developer", "d"), ("user", "Hi")), "system: be kind\n好\n\ndeveloper: d\n\nuser: Hi"),
        ("[ ]", "be kind\n好"),
        (None, "be kind\n好"),
    ],
)
def test_instructions_beside_the_messages_are_a_system_message(messages: str | None, prompt: str) -> None:
    attributes = {} if messages is None else {"gen_ai.input.messages": messages}
    found = record(gen_ai__system_instructions=INSTRUCTIONS, **attributes)
    first, *rest = found["messages"]
    assert found["prompt"] == prompt
    assert first == {"role": "system", "parts": json.loads(INSTRUCTIONS)}
    assert rest == json.loads(messages or "[]")
    assert found["request"] == {}
    assert found["performance_metrics"]["history_messages_count"] == 0


@pytest.mark.parametrize("cut", [1, 30])
def test_instructions_that_the_sdk_has_cut(cut: int) -> None:
    found = record(gen_ai__system_instructions=INSTRUCTIONS[:cut], gen_ai__input__messages=said(("user", "Hi")))
    assert found["messages"] is None
    assert INSTRUCTIONS[:cut] in found["prompt"]
    assert "Hi" in found["prompt"]


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        (said(("user", "one")), "one"),
        (said(("system", "s"), ("user", "u")), "system: s\n\nuser: u"),
        (said(), ""),
        (part(type="refusal", content="no"), "no"),
        (part(type="reasoning", content="hm"), ""),
        (part(type="tool_call", name="f", arguments='{"a": 1}'), '[call f {"a": 1}]'),
        (part(type="tool_call", name="f", arguments={"a": "中"}), '[call f {"a":"中"}]'),
        (part(type="tool_call_response", response="sunny"), "sunny"),
        (part(type="tool_call_response", response={"t": 20}), '{"t":20}'),
        (part(type="uri", modality="image", uri="https://a/b.png"), "[image https://a/b.png]"),
        (part(type="blob", modality="audio", mime_type="audio/wav", content="sha256:1"), "[audio audio/wav]"),
        (part(type="file", modality="document", file_id="file-1"), "[document file-1]"),
        (part(type="of tomorrow", content="x"), ""),
        ('[{"role": "user"}, 5]', ""),
        ('[{"role": "user", "parts": [5, {"type": "text", "content": null}, {"type": "text", "content": "x"}]}]', "x"),
    ],
)
def test_messages_as_text(messages: str, prompt: str) -> None:
    found = record(gen_ai__input__messages=messages, gen_ai__output__messages=messages)
    assert (found["prompt"], found["messages"]) == (prompt, json.loads(messages))
    assert found["output_messages"] == found["messages"]
    assert found["performance_metrics"]["prompt_length"] == len(prompt)


def test_a_response_has_no_roles() -> None:
    found = record(gen_ai__output__messages=said(("assistant", "one"), ("assistant", "two")))
    assert found["response"] == "one\n\ntwo"


def test_history_is_what_came_before_without_the_instructions() -> None:
    turns = [("system", "s"), ("developer", "d"), ("user", "1"), ("assistant", "2"), ("user", "3")]
    for count, expected in ((1, 0), (2, 0), (3, 0), (4, 1), (5, 2)):
        found = record(gen_ai__input__messages=said(*turns[:count]))
        assert found["performance_metrics"]["history_messages_count"] == expected


@pytest.mark.parametrize("limit", [1, 2, 10, 40, 60, 80])
def test_attributes_that_the_sdk_has_cut(limit: int) -> None:
    """OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT cuts in the middle of our JSON: the text is kept, as far as there is one."""
    provider = Provider(max_attribute_length=limit)
    whole = said(("user", "Hello there"), ("assistant", "Hi"))
    found = Interaction.from_span(
        provider.ended(
            gen_ai__input__messages=whole,
            gen_ai__output__messages=whole,
            gen_ai__tool__definitions=json.dumps([{"name": "f" * 100}]),
            spantape__metadata=json.dumps({"key": "v" * 100}),
            spantape__request__parameters=json.dumps({"key": "v" * 100}),
            gen_ai__request__temperature=0.5,
        )
    ).to_json()
    assert (found["prompt"], found["messages"]) == (whole[:limit], None)
    assert (found["response"], found["output_messages"]) == (whole[:limit], None)
    assert found["performance_metrics"]["prompt_length"] == limit
    assert found["performance_metrics"]["history_messages_count"] is None
    assert found["metadata"] == {"stage": "completed"}
    assert found["request"] == {"temperature": 0.5}


@pytest.mark.parametrize("json_text", ["", "5", "null", "[]", '"x"', '{"a":', "NaN", "\ud800"])
def test_json_attributes_of_another_shape(json_text: str) -> None:
    found = record(
        spantape__metadata=json_text, spantape__request__parameters=json_text, gen_ai__tool__definitions=json_text
    )
    assert found["metadata"] == {"stage": "completed"}
    assert {key for key in found["request"] if key != "tools"} == set()


def test_metadata_can_not_change_what_is_ours() -> None:
    found = record(spantape__metadata=json.dumps({"stage": "x", "model_used": "mine", "own": 1}))
    assert found["metadata"] == {"stage": "completed", "model_used": "mine", "own": 1}


def test_an_id_is_derived_from_the_span() -> None:
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    assert interaction_id(trace_id, span_id) == interaction_id(trace_id, span_id)
    assert interaction_id(trace_id, span_id) == str(uuid.uuid5(NAMESPACE, f"{trace_id}-{span_id}"))
    assert interaction_id(trace_id, span_id) != interaction_id(trace_id, span_id[::-1])


def test_ids_have_all_their_zeros(provider: Provider) -> None:
    context = trace.SpanContext(0xA, 0xB, is_remote=False)
    found = Interaction.from_span(
        ReadableSpan("chat", context, parent=context, attributes={}, start_time=START, end_time=START)
    )
    assert (found.trace_id, found.span_id, found.parent_span_id) == ("0" * 31 + "a", "0" * 15 + "b", "0" * 15 + "b")
    assert found.performance_metrics["response_time_ms"] == 0


@pytest.mark.parametrize("service", [None, "", "unknown_service", "unknown_service:python"])
def test_a_service_without_a_name_is_unknown(service: str | None) -> None:
    span = Provider(service).ended()
    assert Interaction.from_span(span).source is None


@pytest.mark.parametrize(
    ("zone", "local"),
    [("UTC0", "2026-11-21T12:00:00"), ("East-14", "2026-11-22T02:00:00"), ("West+9:30", "2026-11-21T02:30:00")],
)
def test_times_are_local_with_their_offset(zone: str, local: str) -> None:
    script = (
        "import datetime, opentelemetry.sdk.trace as sdk\n"
        "from opentelemetry.trace import SpanContext\n"
        "from spantape.interaction import Interaction\n"
        f"span = sdk.ReadableSpan('chat', SpanContext(1, 2, False), start_time={START}, end_time={START})\n"
        "found = Interaction.from_span(span)\n"
        "utc = datetime.datetime.fromisoformat(found.timestamp).astimezone(datetime.timezone.utc)\n"
        "print(found.timestamp, utc.isoformat())"
    )
    source = str(Path(spantape.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TZ": zone, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    timestamp, utc = done.stdout.split()
    assert timestamp.startswith(f"{local}.123456")
    assert utc == "2026-11-21T12:00:00.123456+00:00"


def test_times_around_a_change_of_the_clocks() -> None:
    """Moments of one minute are made from one; the offset changes between two of them."""
    script = """
        from datetime import datetime, timezone
        from spantape.moments import local

        change = datetime(2026, 11, 1, 6, tzinfo=timezone.utc)  # 2:00 becomes 1:00
        for second in (-3600, -60, -59, -1, 0, 1, 59, 60, 3599, 3600):
            for micros in (0, 1, 999_999):
                at = int(change.timestamp()) + second, micros
                said = local(at[0] * 10**9 + micros * 1000 + 999)
                whole = datetime.fromtimestamp(at[0], timezone.utc).replace(microsecond=micros).astimezone()
                assert said == whole.isoformat(timespec="microseconds"), (said, whole)
        print(local(int(change.timestamp() - 1) * 10**9), local(int(change.timestamp()) * 10**9))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "TZ": "EST5EDT,M3.2.0,M11.1.0", "PYTHONPATH": str(Path(spantape.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["2026-11-01T01:59:59.000000-04:00", "2026-11-01T01:00:00.000000-05:00"]


@pytest.mark.parametrize(
    ("scope", "ours"),
    [
        ("spantape", True),
        ("spantape.openai", True),
        ("spantapes", False),
        ("opentelemetry.spantape", False),
        ("", False),
    ],
)
def test_whose_a_span_is(provider: Provider, scope: str, ours: bool) -> None:
    if scope:
        assert is_ours(provider.ended(scope)) is ours
    other = provider.provider.get_tracer("spantape").start_span("no operation")
    assert not is_ours(provider.end(other))  # type: ignore[arg-type]
    assert not is_ours(ReadableSpan("by nobody", attributes={"gen_ai.operation.name": "chat"}))


def test_json_and_back() -> None:
    one = Interaction.from_span(
        Provider().ended(session__id="5", gen_ai__input__messages=said(("user", "中\n🎉\ud83d"))),
    )
    line = dumps(one.to_json())
    assert b"\n" not in line
    assert Interaction.from_json(json.loads(line)) == Interaction.from_json(one.to_json()) == one
    assert Interaction.from_json({**one.to_json(), "of_tomorrow": 1}) == one


@pytest.mark.parametrize(
    "messages",
    [
        said(("user", "中\n🎉"), ("assistant", "Yes")),
        json.dumps(json.loads(said(("user", "\n]\n"), ("assistant", "Yes"))), indent=2),
        said(("user", "Hi"))[:-5],
        "5",
        None,
    ],
    ids=["compact", "indented", "cut", "number", "none"],
)
@pytest.mark.parametrize("role", ["planner", "\ud800"], ids=ascii)
def test_a_verbatim_one_has_the_same_line(messages: str | None, role: str) -> None:
    more = {"gen_ai.input.messages": messages, "gen_ai.output.messages": messages} if messages else {}
    span = Provider().ended(spantape__role_name=role, gen_ai__system_instructions=INSTRUCTIONS, **more)
    line = dumps(record_of(span, verbatim=True))
    assert b"\n" not in line
    assert json.loads(line) == json.loads(dumps(record_of(span)))
    assert list(json.loads(line)) == SEED_KEYS + OUR_KEYS


@pytest.mark.parametrize("messages", ['[{"role":"user","parts":5}]', '[{"role":"user"}]', "[1]", '[{"parts":[null]}]'])
def test_messages_of_any_shape_are_read(messages: str) -> None:
    assert record(gen_ai__input__messages=messages)["prompt"] == ""
