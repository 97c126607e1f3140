"""The check of spans, metrics, events and messages sees what deviates from the conventions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import conformity
import message_schema
import pytest
from conventions import DEBUG, EVENT, SECONDS
from made import Made

SENT = {"model": "m", "temperature": 0.5, "messages": [{"role": "user", "content": "hi"}]}
TOLD = {
    "id": "c",
    "model": "m-1",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}
MADE = Made("POST /v1/chat/completions", SENT, [TOLD], ("h", 443))
STARTED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "h",
    "gen_ai.request.model": "m",
    "server.address": "h",
    "server.port": 443,
}
SPAN: dict[str, Any] = {
    **STARTED,
    "gen_ai.request.temperature": 0.5,
    "openai.api.type": "chat_completions",
    "gen_ai.response.id": "c",
    "gen_ai.response.model": "m-1",
    "gen_ai.response.finish_reasons": ("stop",),
    "gen_ai.usage.input_tokens": 3,
    "gen_ai.usage.output_tokens": 2,
    "spantape.retries": 0,
    "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]',
    "gen_ai.output.messages": '[{"role": "assistant", "parts": []}]',
}


def span(attributes: dict[str, Any], **more: Any) -> Any:
    usual = {
        "name": "chat m",
        "kind": SimpleNamespace(name="CLIENT"),
        "status": SimpleNamespace(status_code=SimpleNamespace(name="UNSET")),
        "events": (),
        "instrumentation_scope": SimpleNamespace(name="spantape.openai", schema_url=None),
    }
    return SimpleNamespace(attributes=attributes, **(usual | more))


def wrong(changes: dict[str, Any], made: Made = MADE, **more: Any) -> str:
    attributes = {name: value for name, value in (SPAN | changes).items() if value is not None}
    return "\n".join(conformity.span(span(attributes, **more), STARTED, made))


def test_what_conforms() -> None:
    assert wrong({}) == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"gen_ai.usage.prompt_tokens": 3}, "gen_ai.usage.prompt_tokens is a name of nobody's"),
        ({"spantape.retry": 3}, "spantape.retry is a name of nobody's"),
        ({"gen_ai.usage.input_tokens": 3.0}, "gen_ai.usage.input_tokens is 3.0, not a int"),
        ({"gen_ai.usage.input_tokens": True}, "gen_ai.usage.input_tokens is True, not a int"),
        ({"gen_ai.request.temperature": 1}, "gen_ai.request.temperature is 1, not a double"),
        ({"gen_ai.response.finish_reasons": "stop"}, "not a string[]"),
        ({"gen_ai.response.finish_reasons": ("stop", "stop")}, "not ('stop',)"),
        ({"openai.api.type": "chat"}, "openai.api.type is 'chat', not one of"),
        ({"gen_ai.operation.name": None}, "gen_ai.operation.name (required) is missing"),
        ({"gen_ai.response.id": None}, "gen_ai.response.id (recommended) is missing"),
        ({"server.port": None}, "server.port (conditional) is missing"),
        ({"gen_ai.request.stream": True}, "gen_ai.request.stream (conditional) is True, which nobody told"),
        ({"error.type": "x"}, "error.type (conditional) is 'x', which nobody told"),
        ({"error.type": "x"}, "status is 'UNSET', not 'ERROR'"),
        ({"gen_ai.usage.output_tokens": 3}, "gen_ai.usage.output_tokens is 3, not 2"),
        ({"gen_ai.agent.id": "a"}, "gen_ai.agent.id is no attribute of such a span"),
        ({"gen_ai.request.model": "n"}, "but was 'm' when the span was started"),
        ({"gen_ai.input.messages": "[]"}, "gen_ai.input.messages is no list with something in it"),
        ({"gen_ai.output.messages": '[{"role": "assistant"}]'}, "gen_ai.output.messages[0] has no list of parts"),
    ],
)
def test_a_span_that_deviates(changes: dict[str, Any], told: str) -> None:
    assert told in wrong(changes)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ({"name": "chat"}, "name is 'chat', not 'chat m'"),
        ({"kind": SimpleNamespace(name="INTERNAL")}, "kind is 'INTERNAL'"),
        ({"events": ("exception",)}, "events is 1"),
        ({"instrumentation_scope": SimpleNamespace(name="x", schema_url="https://…/1.37.0")}, "schema is"),
    ],
)
def test_a_shape_that_deviates(shape: dict[str, Any], told: str) -> None:
    assert told in wrong({}, **shape)


def test_content_where_none_is_captured() -> None:
    quiet = Made(MADE.request, SENT, [TOLD], MADE.address, content=False)
    told = wrong({}, quiet)
    assert "gen_ai.input.messages is there without content" in told
    silent = {"gen_ai.input.messages": None, "gen_ai.output.messages": None}
    assert wrong(silent, quiet) == ""
    assert "without content" in wrong({**silent, "gen_ai.prompt.variable.x": "y"}, quiet)
    assert "without content" in wrong({**silent, "spantape.error.message": "y"}, quiet)


def test_a_request_that_no_row_is_for() -> None:
    with pytest.raises(AssertionError, match=r"no row in conventions\.OPERATIONS"):
        wrong({}, Made("POST /v1/dreams", {}, [], ("h", 1)))


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"content": "x"}, ".type is None"),
        ({"type": "text"}, ".content is None, not a str"),
        ({"type": "tool_call", "name": None}, ".name is None"),
        ({"type": "tool_call", "name": "f", "id": 3}, ".id is 3, not a str"),
        ({"type": "tool_call_response", "result": "x"}, ".response is None"),
        ({"type": "server_tool_call", "name": "f", "server_tool_call": {}}, ".server_tool_call.type is None"),
        ({"type": "uri", "modality": "image", "uri": "data:image/png;base64,aGk="}, "is a data: URL"),
        ({"type": "blob", "modality": "image", "content": "aGk="}, "has bytes"),
        ({"type": "file", "file_id": "f"}, ".modality is None"),
        ({"type": "generic", "x": 1}, "is generic without a generic_type"),
        ("text", "is no object"),
    ],
)
def test_a_part_that_deviates(part: Any, told: str) -> None:
    assert told in "\n".join(message_schema.messages([{"role": "user", "parts": [part]}], "m"))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "content": ""},
        {"type": "novel", "anything": [1]},
        {"type": "tool_call", "name": "f", "id": None, "arguments": [1]},
        {"type": "tool_call_response", "response": None},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "size": 3, "sha256": "ab"},
    ],
)
def test_a_part_that_conforms(part: Any) -> None:
    assert list(message_schema.messages([{"role": "user", "parts": [part]}], "m")) == []


def test_instructions_and_tools() -> None:
    assert list(message_schema.instructions([{"type": "text", "content": "x"}], "i")) == []
    assert "is a part of type 'uri'" in "\n".join(
        message_schema.instructions([{"type": "uri", "modality": "image", "uri": "u"}], "i")
    )
    assert list(message_schema.tools([{"type": "function", "name": "f", "parameters": {}}], "t")) == []
    assert "t[0] has an empty name" in "\n".join(message_schema.tools([{"type": "function", "name": ""}], "t"))


def metric(name: str, kind: str, unit: str, **point: Any) -> Any:
    data = type(kind, (), {"data_points": [SimpleNamespace(**{"count": 1, "explicit_bounds": SECONDS, **point})]})()
    return SimpleNamespace(name=name, unit=unit, data=data)


BASE = {**STARTED, "gen_ai.response.model": "m-1"}
DURATION = "gen_ai.client.operation.duration"
USAGE = "gen_ai.client.token.usage"


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (metric(DURATION, "Histogram", "s", attributes=BASE), ""),
        (metric(DURATION, "Histogram", "ms", attributes=BASE), "is a Histogram of 'ms'"),
        (metric(DURATION, "Sum", "s", attributes=BASE), "is a Sum"),
        (metric(DURATION, "Histogram", "s", attributes=BASE, explicit_bounds=(1,)), "has the buckets"),
        (metric(DURATION, "Histogram", "s", attributes=STARTED), "gen_ai.response.model is missing"),
        (metric(DURATION, "Histogram", "s", attributes={**BASE, "user.id": "u"}), "user.id is no attribute of it"),
        (metric(DURATION, "Histogram", "s", attributes=BASE, count=2), "was recorded [2] times"),
        (
            metric(DURATION, "Histogram", "s", attributes={**BASE, "server.port": 1}),
            "server.port is 1, on the span 443",
        ),
        (metric("gen_ai.client.inference.duration", "Histogram", "s", attributes=BASE), "no metric of the current"),
        (metric("gen_ai.client.cost", "Histogram", "USD", attributes=BASE), "gen_ai.client.cost is no metric"),
    ],
)
def test_a_metric_that_deviates(found: Any, told: str) -> None:
    tokens = [
        SimpleNamespace(
            sum=amount,
            explicit_bounds=tuple(4**power for power in range(14)),
            attributes={**BASE, "gen_ai.token.type": kind},
        )
        for kind, amount in (("input", 3), ("output", 2))
    ]
    usage = metric(USAGE, "Histogram", "{token}")
    usage.data.data_points = tokens
    metrics = {DURATION: metric(DURATION, "Histogram", "s", attributes=BASE), USAGE: usage, found.name: found}
    deviations = list(conformity.metrics(metrics, SPAN, MADE, "current"))
    assert told in "\n".join(deviations)
    assert bool(told) == bool(deviations)


def test_metrics_that_are_missing_or_count_amiss() -> None:
    told = "\n".join(conformity.metrics({}, SPAN, MADE, "latest"))
    assert "the metric gen_ai.client.inference.duration is missing" in told
    assert "the metric gen_ai.client.inference.usage.input_tokens is missing" in told
    name = "gen_ai.client.inference.usage.input_tokens"
    counted = metric(name, "Sum", "{token}", value=5, attributes={**BASE, "gen_ai.token.modality": "words"})
    told = "\n".join(conformity.metrics({name: counted}, SPAN, MADE, "latest"))
    assert "has counted 5 input tokens, the span 3" in told
    assert "gen_ai.token.modality is 'words', not one of" in told


def event(attributes: dict[str, Any], name: str = EVENT, severity: int = DEBUG) -> Any:
    number = SimpleNamespace(value=severity)
    return SimpleNamespace(attributes=attributes, body=None, event_name=name, severity_number=number, span_id=7)


def test_an_event_that_deviates() -> None:
    attributes = {**STARTED, "gen_ai.input.messages": '[{"role": "user", "parts": []}]'}
    structure = {**STARTED, "gen_ai.input.messages": ({"role": "user", "parts": ()},)}
    assert list(conformity.event(event(structure), attributes, 7, content=True)) == []
    told = "\n".join(conformity.event(event(attributes, "other", 9), attributes, 7, content=True))
    assert "the event is 'other'" in told
    assert "the event's gen_ai.input.messages is '[" in told  # JSON text, where a structure is wanted
    assert "without content" in "\n".join(conformity.event(event(structure), attributes, 7, content=False))
    assert "server.port is None, the span's 443" in "\n".join(
        conformity.event(event({**structure, "server.port": None}), attributes, 7, content=True)
    )
