"""What is too large for the receiver: batches go in parts, one span with its longest texts cut; files keep it whole."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags, TraceState

import spantape
from receivers import Received
from spantape.sinks.otlp.cuts import cut_parts
from spantape.sinks.otlp.weight import weight
from spantape.testing import ScriptedServer, completion, error

MB = 1024 * 1024
SMALL = 16 * 1024
INPUT, OUTPUT, TOOLS = "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions"

Ask = Callable[..., Any]


def records() -> list[dict[str, Any]]:
    assert spantape.flush()
    return spantape.recordings().get_latest_interactions(1000)[::-1]


@pytest.fixture
def small(collector: Received, start: Ask) -> Callable[[], dict[str, Any]]:
    """Sends to a receiver that takes little; gives the one span that has arrived."""
    start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf", otlp_max_bytes=SMALL, flush_interval=3600)

    def arrived() -> dict[str, Any]:
        assert spantape.flush()
        assert max(collector.requests) <= SMALL
        [span] = collector.ours
        attributes: dict[str, Any] = span["attributes"]
        assert attributes["gen_ai.request.model"] == "gpt-4o-mini"
        assert "gen_ai.usage.input_tokens" in attributes or "error.type" in attributes
        return span | {name: json.loads(attributes[name]) for name in (INPUT, OUTPUT, TOOLS) if name in attributes}

    return arrived


# --- batches


@pytest.mark.parametrize("letter", ["x", "好", '"'])
def test_ten_spans_of_a_megabyte_arrive_in_requests_that_a_server_takes(
    letter: str, backend: Any, start: Ask, ask: Ask
) -> None:
    start(otlp_endpoint=backend.url, otlp_protocol=backend.protocol, max_content_chars=2 * MB, flush_interval=3600)
    text = letter * (MB // len(json.dumps(letter, ensure_ascii=False).encode()[1:-1]))
    for _ in range(10):
        ask(text, says="ok")
    found = records()
    assert [span["span_id"] for span in backend.ours] == [record["span_id"] for record in found]
    for span in backend.ours:
        assert json.loads(span["attributes"][INPUT])[0]["parts"][0]["content"] == text
    assert max(backend.requests) <= 4 * MB
    assert len(backend.requests) == 4


def test_the_limit_is_a_setting(backend: Any, start: Ask, ask: Ask) -> None:
    start(otlp_endpoint=backend.url, otlp_protocol=backend.protocol, otlp_max_bytes=64 * 1024, flush_interval=3600)
    for _ in range(20):
        ask("x" * 10_000, says="ok")
    assert spantape.flush()
    assert len(backend.ours) == 20
    assert max(backend.requests) <= 64 * 1024
    assert len(backend.requests) < 6


# --- one span


@pytest.mark.parametrize("letter", ["x", "好"])
def test_a_span_that_is_too_large_arrives_cut_and_marked(letter: str, backend: Any, start: Ask, ask: Ask) -> None:
    text = letter * (6 * MB // len(letter.encode()))
    start(otlp_endpoint=backend.url, otlp_protocol=backend.protocol, max_content_chars=10 * MB, flush_interval=3600)
    ask("small")
    ask(text, says="ok")
    record = records()[-1]
    assert record["prompt"] == text
    assert record["messages"][0]["parts"] == [{"type": "text", "content": text}]
    assert len(backend.ours) == 2
    span = backend.ours[-1]
    [part] = json.loads(span["attributes"][INPUT])[0]["parts"]
    assert part == {"type": "text", "content": part["content"], "truncated": True, "original_length": len(text)}
    assert text.startswith(part["content"])
    assert 2 * MB < len(part["content"].encode()) < 4 * MB
    assert span["attributes"]["spantape.content.truncated"] == [INPUT]
    assert "spantape.content.truncated" not in backend.ours[0]["attributes"]
    for key in ("trace_id", "span_id"):
        assert span[key] == record[key]
    assert span["parent_id"] is None
    assert span["attributes"]["gen_ai.usage.input_tokens"] == record["usage"]["input_tokens"]


def test_the_longest_texts_are_cut_first(ask: Ask, small: Any, server: ScriptedServer) -> None:
    server.replies(completion("y" * 9_000))
    texts = ["a" * 100, "b" * 30_000, "c" * 1_000]
    ask(messages=[{"role": "user", "content": text} for text in texts])
    span = small()
    parts = [message["parts"][0] for message in span[INPUT]]
    assert [part["content"] for part in (parts[0], parts[2])] == [texts[0], texts[2]]
    assert (parts[1]["truncated"], parts[1]["original_length"]) == (True, 30_000)
    assert 4_000 < len(parts[1]["content"]) < 9_000
    assert span[OUTPUT][0]["parts"][0]["original_length"] == 9_000
    assert span["attributes"]["spantape.content.truncated"] == [INPUT, OUTPUT]


def test_a_text_that_was_cut_before_keeps_its_first_length(ask: Ask, collector: Received, start: Ask) -> None:
    start(
        otlp_endpoint=collector.url, otlp_protocol="http/protobuf", otlp_max_bytes=SMALL, max_content_chars=50_000
    )  # fmt: skip
    ask("x" * 80_000, says="ok")
    assert spantape.flush()
    [part] = json.loads(collector.ours[0]["attributes"][INPUT])[0]["parts"]
    assert part["original_length"] == 80_000


def test_tools_their_answers_and_binary_data(ask: Ask, small: Any, server: ScriptedServer) -> None:
    data = base64.b64encode(bytes(range(256)) * 100).decode()
    image = {"type": "input_audio", "input_audio": {"format": "wav", "data": data}}
    tool = {"type": "function", "function": {"name": "weather", "description": "d" * 30_000, "parameters": {}}}
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "weather", "arguments": json.dumps({"a": "e" * 30_000})},
    }
    conversation = [
        {"role": "user", "content": [image]},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "r" * 30_000},
    ]
    ask(says="ok", messages=conversation, tools=[tool])
    span = small()
    sound, call, answer = (message["parts"][0] for message in span[INPUT])
    assert (sound["size"], len(sound["sha256"])) == (25_600, 64)
    assert (call["name"], call["truncated"], call["original_length"]) == ("weather", True, 30_000)
    assert (answer["truncated"], answer["original_length"]) == (True, 30_000)
    assert (span[TOOLS][0]["name"], span[TOOLS][0]["truncated"]) == ("weather", True)
    assert span["attributes"]["spantape.content.truncated"] == [INPUT, TOOLS]


def test_metadata_parameters_and_errors(ask: Ask, small: Any, server: ScriptedServer) -> None:
    server.replies(error(400, "m" * 9_000))
    with spantape.session("s", metadata={"note": "n" * 30_000}), pytest.raises(Exception, match="mmm"):
        ask(extra_body={"documents": ["p" * 30_000]})
    span = small()
    attributes = span["attributes"]
    note = json.loads(attributes["spantape.metadata"])["metadata"]["note"]
    assert note.endswith("n… [cut from 30000 characters]")
    assert json.loads(attributes["spantape.request.parameters"])["documents"][0].endswith("[cut from 30000 characters]")
    assert attributes["spantape.error.message"].endswith(" characters]")
    assert span["status"] == attributes["spantape.error.message"]


def test_what_has_too_many_small_texts_goes_as_a_whole_and_is_named(ask: Ask, small: Any) -> None:
    ask(says="ok", messages=[{"role": "user", "content": f"{number}"} for number in range(1_000)])
    span = small()
    assert INPUT not in span["attributes"]
    assert span["attributes"]["spantape.content.dropped"] == [INPUT]
    assert "spantape.content.truncated" not in span["attributes"]
    assert OUTPUT in span["attributes"]
    assert len(records()[0]["messages"]) == 1_000


def test_what_others_have_set_goes_last_of_all(ask: Ask, collector: Received, start: Ask) -> None:
    class Labels(spantape_processor()):  # type: ignore[misc]
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            span.set_attribute("shop.basket", ["b" * 100] * 1_000)

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Labels())
    start(
        otlp_endpoint=collector.url, otlp_protocol="http/protobuf", otlp_max_bytes=SMALL, tracer_provider=provider
    )  # fmt: skip
    ask()
    assert spantape.flush()
    attributes = collector.ours[0]["attributes"]
    assert attributes["gen_ai.request.model"] == "gpt-4o-mini"
    assert attributes["spantape.content.dropped"][-1] == "shop.basket"


def spantape_processor() -> Any:
    from opentelemetry.sdk.trace import SpanProcessor

    return SpanProcessor


def test_a_span_that_nothing_makes_small_enough_is_left_out_with_one_line(
    ask: Ask, collector: Received, start: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    provider = TracerProvider(resource=Resource.create({"a": "a" * 20_000}), shutdown_on_exit=False)
    start(
        otlp_endpoint=collector.url, otlp_protocol="http/protobuf", otlp_max_bytes=SMALL, tracer_provider=provider
    )  # fmt: skip
    ask()
    ask()
    assert len(records()) == 2
    assert collector.requests == []
    [line] = [entry.getMessage() for entry in caplog.records if entry.name == "spantape"]
    assert line.endswith("out of OTLP: raise otlp_max_bytes=16384")


# --- what it is cut by


def test_lists_and_numbers_in_parts_stay() -> None:
    part = {"type": "tool_call_response", "id": "1", "response": [1, None, {"a": ["x" * 100, True]}], "n": 2.5}
    cut = {**part, "response": [1, None, {"a": ["x" * 70, True]}], "truncated": True, "original_length": 100}
    assert cut_parts([{"role": "tool", "parts": [part]}], 70) == [{"role": "tool", "parts": [cut]}]
    assert cut_parts([{"role": "tool", "parts": [part]}], 100) == [{"role": "tool", "parts": [part]}]
    assert cut_parts("x" * 100, 70) == "x" * 70 + "… [cut from 100 characters]"


CONTEXT = SpanContext(2**127, 2**63, True, TraceFlags(1), TraceState([("vendor", "v" * 100)]))


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"text": "x" * 100_000, "wide": "好" * 100_000, "astral": "🎉" * 10_000},
        {f"gen_ai.some.attribute.{number}": number for number in range(500)},
        {f"{number}": f"{number}" for number in range(500)},
        {"negative": -(2**63), "large": 2**62, "float": 1.5, "yes": True, "empty": "", "bytes": b"x" * 300},
        {"list": ["x" * 10] * 1_000, "numbers": [-1] * 1_000, "floats": [0.1] * 1_000, "none": []},
    ],
)
def test_a_span_weighs_what_it_takes_on_the_wire_and_a_little_more(attributes: Any) -> None:
    resource = Resource.create({"service.name": "店" * 50, "process.command_args": ["a"] * 20})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracer = provider.get_tracer("scope", "1.0", "https://schema", {"scope": "attribute"})
    with tracer.start_as_current_span("parent"):
        span = tracer.start_span("名" * 100, attributes=attributes, links=[Link(CONTEXT, {"link": "l" * 100})])
    span.add_event("event", {"event": "e" * 100})
    span.set_status(Status(StatusCode.ERROR, "错" * 100))
    span.end()
    exact = encode_spans([span]).ByteSize()
    values = sum(len(value) if isinstance(value, (list, tuple)) else 1 for value in attributes.values())
    assert exact <= weight(span) <= exact + 900 + 32 * values
    assert encode_spans([span] * 3).ByteSize() <= 3 * weight(span)
