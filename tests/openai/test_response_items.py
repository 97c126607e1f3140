"""Items of the Responses API → messages and parts, and events → responses: as pure functions of JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spantape import semconv
from spantape.content import ContentPolicy
from spantape.instrumentors.openai import response_items, responses
from spantape.instrumentors.openai.response_events import Join
from spantape.testing import response, response_stream

PICTURE = "data:image/png;base64,AAAA"
BLOB = {"type": "blob", "modality": "image", "content": "AAAA", "mime_type": "image/png"}

CONTENT: list[tuple[Any, dict[str, Any]]] = [
    ({"type": "input_text", "text": "hi"}, {"type": "text", "content": "hi"}),
    (
        {"type": "output_text", "text": "hi", "annotations": [{"type": "url_citation", "url": "u"}]},
        {"type": "text", "content": "hi", "annotations": [{"type": "url_citation", "url": "u"}]},
    ),
    ({"type": "refusal", "refusal": "no"}, {"type": "refusal", "content": "no"}),
    ({"type": "input_image", "image_url": PICTURE}, BLOB),
    (
        {"type": "input_image", "image_url": "https://x.example/a.png", "detail": "low"},
        {"type": "uri", "modality": "image", "uri": "https://x.example/a.png"},
    ),
    ({"type": "input_image", "file_id": "f1"}, {"type": "file", "modality": "image", "file_id": "f1"}),
    (
        {"type": "input_file", "file_data": "AAAA", "filename": "a.pdf"},
        {"type": "blob", "modality": "document", "content": "AAAA", "name": "a.pdf"},
    ),
    (
        {"type": "input_file", "file_url": "https://x.example/a.pdf"},
        {"type": "uri", "modality": "document", "uri": "https://x.example/a.pdf"},
    ),
    ({"type": "input_file", "file_id": "f1"}, {"type": "file", "modality": "document", "file_id": "f1"}),
    (
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "blob", "modality": "audio", "content": "AAAA", "mime_type": "audio/wav"},
    ),
    ({"type": "novel", "x": [1]}, {"type": "novel", "x": [1]}),
    ("just text", {"type": "text", "content": "just text"}),
]


@pytest.mark.parametrize(("given", "expected"), CONTENT)
def test_content(given: Any, expected: dict[str, Any]) -> None:
    assert response_items.messages([{"role": "user", "content": [given]}]) == [{"role": "user", "parts": [expected]}]


def answer(call_id: str, said: Any) -> dict[str, Any]:
    return {"type": "tool_call_response", "id": call_id, "response": said}


def served(name: str, **payload: Any) -> dict[str, Any]:
    return {"type": "server_tool_call", "id": "i", "name": name, "server_tool_call": payload}


def told(**payload: Any) -> dict[str, Any]:
    return {"type": "server_tool_call_response", "id": "i", "server_tool_call_response": payload}


CLICK = {"type": "click", "x": 1, "y": 2}
ITEMS: dict[str, tuple[dict[str, Any], str, list[dict[str, Any]]]] = {
    "message": ({"role": "developer", "content": "hi"}, "developer", [{"type": "text", "content": "hi"}]),
    "function_call": (
        {"type": "function_call", "id": "i", "call_id": "c", "name": "f", "arguments": '{"a": 1}'},
        "assistant",
        [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}],
    ),
    "custom tool": (
        {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "[1]"},
        "assistant",
        [{"type": "tool_call", "id": "c", "name": "sql", "arguments": "[1]"}],
    ),
    "computer": (
        {"type": "computer_call", "call_id": "c", "action": CLICK, "pending_safety_checks": []},
        "assistant",
        [{"type": "tool_call", "id": "c", "name": "computer", "arguments": {"action": CLICK}}],
    ),
    "local shell": (
        {"type": "local_shell_call", "call_id": "c", "action": {"command": ["ls"]}},
        "assistant",
        [{"type": "tool_call", "id": "c", "name": "local_shell", "arguments": {"command": ["ls"]}}],
    ),
    "function output": ({"type": "function_call_output", "call_id": "c", "output": "4"}, "tool", [answer("c", "4")]),
    "output of texts": (
        {
            "type": "custom_tool_call_output",
            "call_id": "c",
            "output": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}],
        },
        "tool",
        [answer("c", "ab")],
    ),
    "output with a picture": (
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": PICTURE}],
        },
        "tool",
        [answer("c", [{"type": "text", "content": "a"}, BLOB])],
    ),
    "screenshot": (
        {
            "type": "computer_call_output",
            "call_id": "c",
            "output": {"type": "computer_screenshot", "image_url": PICTURE},
        },
        "tool",
        [answer("c", BLOB)],
    ),
    "shell output": (
        {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "x", "outcome": {"exit_code": 0}}]},
        "tool",
        [answer("c", [{"stdout": "x", "outcome": {"exit_code": 0}}])],
    ),
    "reasoning": (
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}], "content": [{"text": "b"}]},
        "assistant",
        [{"type": "reasoning", "content": "a"}, {"type": "reasoning", "content": "b"}],
    ),
    "sealed reasoning": (
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"},
        "assistant",
        [{"type": "reasoning", "content": "", "encrypted": True}],
    ),
    "web search": (
        {"type": "web_search_call", "id": "i", "status": "completed", "action": {"type": "search", "query": "q"}},
        "assistant",
        [served("web_search", type="web_search", status="completed", action={"type": "search", "query": "q"})],
    ),
    "file search": (
        {"type": "file_search_call", "id": "i", "queries": ["q"], "results": [{"file_id": "f", "text": "t"}]},
        "assistant",
        [
            served("file_search", type="file_search", queries=["q"]),
            told(type="file_search", results=[{"file_id": "f", "text": "t"}]),
        ],
    ),
    "code interpreter": (
        {"type": "code_interpreter_call", "id": "i", "code": "1", "outputs": [{"type": "logs", "logs": "1"}]},
        "assistant",
        [
            served("code_interpreter", type="code_interpreter", code="1"),
            told(type="code_interpreter", outputs=[{"type": "logs", "logs": "1"}]),
        ],
    ),
    "image": (
        {"type": "image_generation_call", "id": "i", "result": "AAAA", "output_format": "png", "size": "1x1"},
        "assistant",
        [
            served("image_generation", type="image_generation", output_format="png", size="1x1"),
            told(type="image_generation", result=BLOB),
        ],
    ),
    "mcp": (
        {"type": "mcp_call", "id": "i", "name": "roll", "server_label": "dice", "arguments": '{"n": 1}', "output": "6"},
        "assistant",
        [served("roll", type="mcp", server_label="dice", arguments={"n": 1}), told(type="mcp", output="6")],
    ),
    "mcp tools": (
        {"type": "mcp_list_tools", "id": "i", "server_label": "dice", "tools": [{"name": "roll"}], "error": None},
        "assistant",
        [
            served("mcp_list_tools", type="mcp_list_tools", server_label="dice"),
            told(type="mcp_list_tools", tools=[{"name": "roll"}]),
        ],
    ),
    "asked for approval": (
        {"type": "mcp_approval_request", "id": "i", "name": "roll", "arguments": "{}"},
        "assistant",
        [{"type": "mcp_approval_request", "id": "i", "name": "roll", "arguments": {}}],
    ),
    "approved": (
        {"type": "mcp_approval_response", "approval_request_id": "i", "approve": False, "reason": None},
        "user",
        [{"type": "mcp_approval_response", "approval_request_id": "i", "approve": False}],
    ),
    "compaction": (
        {"type": "compaction", "id": "i", "encrypted_content": "gAAAA"},
        "assistant",
        [{"type": "compaction", "id": "i", "encrypted": True}],
    ),
    "reference": ({"type": "item_reference", "id": "i"}, "assistant", [{"type": "item_reference", "id": "i"}]),
    "of a kind to come": ({"type": "novel", "x": {"y": [1]}}, "assistant", [{"type": "novel", "x": {"y": [1]}}]),
    "of no kind": ({"x": 1}, "assistant", [{"type": "generic", "x": 1}]),
}


@pytest.mark.parametrize("kind", ITEMS)
def test_items(kind: str) -> None:
    item, role, parts = ITEMS[kind]
    assert response_items.messages([item]) == [{"role": role, "parts": parts}]
    assert response_items.output_parts([item]) == parts


def test_every_item_at_once_loses_no_binary_and_keeps_none() -> None:
    kept = ContentPolicy().keep(responses.asked({"input": [item for item, _, _ in ITEMS.values()]}))
    said = kept[semconv.INPUT_MESSAGES]
    assert "AAAA" not in said
    blobs = [part for part in parts_of(json.loads(said)) if part.get("type") == "blob"]
    assert [(blob["size"], len(blob["sha256"])) for blob in blobs] == [(3, 64)] * 3


def parts_of(value: Any) -> list[dict[str, Any]]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return ([value] if isinstance(value, dict) else []) + [part for item in inside for part in parts_of(item)]


def test_what_the_model_did_in_a_turn_is_one_message() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    said = [{"role": "user", "content": "a"}, {"type": "reasoning", "summary": [{"text": "t"}]}, call, call]
    results = [{"type": "function_call_output", "call_id": "c", "output": "x"}] * 2
    two = [{"role": "assistant", "content": "b"}, {"role": "assistant", "content": "c"}]
    found = response_items.messages(said + results + two)
    assert [(one["role"], len(one["parts"])) for one in found] == [
        ("user", 1),
        ("assistant", 3),
        ("tool", 1),
        ("tool", 1),
        ("assistant", 1),
        ("assistant", 1),
    ]


@pytest.mark.parametrize("given", [None, 7, [], [None], ["x"], [[]], {"role": "user"}])
def test_inputs_of_any_shape(given: Any) -> None:
    found = responses.asked({"input": given, "instructions": given, "tools": given, "prompt": given})
    assert found[semconv.INPUT_MESSAGES] is None
    assert found[semconv.SYSTEM_INSTRUCTIONS] is None
    assert found[semconv.TOOL_DEFINITIONS] is None


def test_no_key_to_another_server_is_recorded() -> None:
    container = {"type": "auto", "network_policy": {"type": "allowlist", "domain_secrets": [{"value": "SECRET"}]}}
    headers = {"type": "object", "properties": {"headers": {"type": "string"}}}
    given = [
        {"type": "mcp", "server_label": "dice", "authorization": "SECRET", "headers": {"Authorization": "SECRET"}},
        {"type": "code_interpreter", "container": container},
        {"type": "function", "name": "f", "parameters": headers},
    ]
    found = responses.asked({"tools": given, "input": [{"type": "additional_tools", "tools": given}]})
    assert "SECRET" not in json.dumps(found)
    tools = found[semconv.TOOL_DEFINITIONS]
    assert [tool["name"] for tool in tools] == ["mcp", "code_interpreter", "f"]
    assert tools[0]["server_label"] == "dice"
    assert tools[2]["parameters"] == headers


# --- events


def joined(events: Any) -> dict[str, Any]:
    join = Join()
    join.add(iter(events))
    return join.body()


def events() -> list[Any]:
    options: dict[str, Any] = {"reasoning": "let me think", "refusal": "or not", "tool_calls": [("f", {"a": [1, 2]})]}
    return list(response_stream("one two three", **options).chunks or ())


def test_a_whole_stream_is_the_response() -> None:
    options: dict[str, Any] = {"reasoning": "let me think", "refusal": "or not", "tool_calls": [("f", {"a": [1, 2]})]}
    assert joined(events()) == response("one two three", **options).body


def test_without_the_last_event_it_is_nearly_so() -> None:
    whole, left = joined(events()), joined(events()[:-1])
    assert response_items.output_parts(left["output"]) == response_items.output_parts(whole["output"])
    assert responses.response(left)[semconv.RESPONSE_FINISH_REASONS] == ["error"]
    assert responses.response(left | {"background": True})[semconv.RESPONSE_FINISH_REASONS] is None


@pytest.mark.parametrize("count", range(len(events())))
def test_wherever_it_is_left_what_came_is_there(count: int) -> None:
    came = events()[:count]
    said = "".join(event["delta"] for event in came if event["type"] == "response.output_text.delta")
    called = [event for event in came if event.get("item", {}).get("type") == "function_call"]
    parts = response_items.output_parts(joined(came).get("output"))
    assert "".join(part["content"] for part in parts if part["type"] == "text") == said
    assert len([part for part in parts if part["type"] == "tool_call"]) == min(1, len(called))


def test_a_last_event_without_output_is_completed() -> None:
    came = events()
    came[-1] = {**came[-1], "response": {**came[-1]["response"], "output": []}}
    body = joined(came)
    assert body["usage"]
    assert [item["type"] for item in body["output"]] == ["reasoning", "message", "function_call"]


DELTAS = [
    ("response.custom_tool_call_input.delta", {"type": "custom_tool_call", "input": "ab"}),
    ("response.mcp_call_arguments.delta", {"type": "mcp_call", "arguments": "ab"}),
    ("response.code_interpreter_call_code.delta", {"type": "code_interpreter_call", "code": "ab"}),
    (
        "response.reasoning_text.delta",
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "ab"}]},
    ),
]


@pytest.mark.parametrize(("kind", "item"), DELTAS)
def test_pieces_of_items_that_were_not_announced(kind: str, item: dict[str, Any]) -> None:
    assert joined([{"type": kind, "delta": piece, "output_index": 0} for piece in "ab"])["output"] == [item]


def test_an_item_is_not_written_twice_when_the_client_writes_into_it() -> None:
    item: dict[str, Any] = {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}
    join = Join()
    join.add([{"type": "response.output_item.added", "output_index": 0, "item": item}])
    item["arguments"] += "{}"
    join.add([{"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{}"}])
    assert join.body()["output"][0]["arguments"] == "{}"
