"""What events say, however they are formed: nothing that a server or an application sends makes us fail."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from spantape.binary import size_of
from spantape.content import ContentPolicy
from spantape.instrumentors._tape import Tape
from spantape.instrumentors.openai import SCOPE, realtime
from spantape.instrumentors.openai.realtime_turns import RealtimeTurns
from spantape.instrumentors.openai.response_turns import LiveTurns, ResponsesTurns
from spantape.instrumentors.openai.turns import Line, kind_of

WRONG = [None, 5, "x", [], {}, [None, 3, [], {}], True]
RESPONSE: dict[str, Any] = {
    "id": "r",
    "status": "failed",
    "metadata": None,
    "conversation_id": "c",
    "status_details": {"error": {"code": "c", "type": "t", "message": "m"}, "reason": "y"},
    "usage": {"input_tokens": 1, "input_token_details": {"cached_tokens": 1, "cached_tokens_details": {}}},
    "output": [{"type": "message", "content": [{"type": "audio", "transcript": "t", "audio": "AAAA"}]}],
    "audio": {"output": {"format": {"type": "audio/pcm"}}},
}
ITEM = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA"}],
}
ERROR = {"type": "error", "error": {"code": "c", "type": "t", "message": "m", "event_id": None, "param": None}}
CLIENT: list[dict[str, Any]] = [
    {"type": "session.update", "session": {"instructions": "i", "tools": [{"name": "t"}], "output_modalities": ["x"]}},
    {"type": "conversation.item.create", "item": ITEM},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "input_audio_buffer.commit"},
    {"type": "response.create", "response": {"input": [ITEM], "metadata": {"a": "b"}, "conversation": "none"}},
    {"type": "response.create", "event_id": "e"},
    {"type": "response.item.create", "item": ITEM},
]
SERVER: list[dict[str, Any]] = [
    {"type": "session.created", "session": {"instructions": "i", "audio": {"input": {"format": {"type": "p"}}}}},
    {"type": "input_audio_buffer.committed", "item_id": "i"},
    {"type": "response.created", "response": RESPONSE},
    {"type": "conversation.item.input_audio_transcription.completed", "item_id": "i", "transcript": "t"},
    {"type": "response.output_item.added", "response_id": "r", "item": {"id": "i", "type": "function_call"}},
    {"type": "response.output_text.delta", "response_id": "r", "item_id": "i", "delta": "d"},
    {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": "AAAA"},
    ERROR,
    {"type": "response.done", "response": RESPONSE},
    {"type": "response.completed", "response": RESPONSE},
    {"type": "response.event", "delegation_id": "d", "event": {"type": "response.created", "response": RESPONSE}},
]


def broken(event: Any) -> Iterator[Any]:
    """Give an event with each of its values, however deep, replaced by each wrong one."""
    if isinstance(event, (dict, list)):
        for key in event if isinstance(event, dict) else range(len(event)):
            if key != "type":
                for value in [*WRONG, *broken(event[key])]:
                    changed = copy.copy(event)
                    changed[key] = value
                    yield changed


@pytest.fixture(scope="module")
def line() -> Line:
    from opentelemetry.sdk.trace import TracerProvider

    return Line(Tape.alone(SCOPE, tracer_provider=TracerProvider(shutdown_on_exit=False)), {}, None)


@pytest.mark.parametrize("kind", ["realtime", "responses", "live"])
@pytest.mark.parametrize("place", range(len(CLIENT) + len(SERVER)))
def test_any_value_may_be_wrong(line: Line, kind: str, place: int) -> None:
    events = [*CLIENT, *SERVER]
    for changed in broken(events[place]):
        if kind == "realtime":
            turns: Any = RealtimeTurns(line)
        else:
            turns = {"responses": ResponsesTurns, "live": LiveTurns}[kind](realtime.ENDPOINT, line)
        for number, event in enumerate(events):
            sent = changed if number == place else event
            if number < len(CLIENT):
                turns.sent(sent)
            else:
                turns.received(json.dumps(sent))
        turns.close("closed")
        assert not turns._waiting
        assert not turns._live


@pytest.mark.parametrize("text", ["", "{", "null", "[1]", '"x"', '{"type": 3}', '{"a": "\\u00e4"}', "\ud800"])
def test_what_is_no_event_has_no_type(text: str) -> None:
    assert kind_of(text) in {"None", "3"}


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"response.done","response":{}}',
        ' { "type" : "response.done" }',
        '{"event_id":"event_1","type":"response.done"}',
        '{"response":{"type":"other"},"type":"response.done"}',
    ],
)
def test_the_type_is_found_wherever_it_is(text: str) -> None:
    assert kind_of(text) == kind_of(text.encode()) == "response.done"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 99, 100])
def test_the_size_of_base64_is_known_without_decoding(size: int) -> None:
    encoded = base64.b64encode(b"x" * size)
    assert size_of(encoded) == size_of(encoded.decode()) == size
    assert size_of(b'"' + encoded + b'"==', 1, 1 + len(encoded)) == size


def test_images_are_digested_before_they_wait() -> None:
    url = "data:image/png;base64," + base64.b64encode(b"x" * 3000).decode()
    made = realtime.message({"type": "message", "content": [{"type": "input_image", "image_url": url}]})
    (part,) = made["parts"]
    assert (part["size"], part["mime_type"]) == (3000, "image/png")
    assert "content" not in part
    kept = json.loads(ContentPolicy().keep({"gen_ai.input.messages": [made]})["gen_ai.input.messages"])
    assert kept == [made]


def test_items_become_messages() -> None:
    items = [
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "done"},
        {"type": "mcp_call", "id": "2", "name": "m", "arguments": "{}", "output": "got"},
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "be kind"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAA", "transcript": "hi"}]},
        {"type": "item_reference", "id": "i"},
    ]
    assert [realtime.message(item) for item in items] == [
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "f", "arguments": {}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "done"}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "tool_call", "id": "2", "name": "m", "arguments": {}},
                {"type": "tool_call_response", "id": "2", "response": "got"},
            ],
        },
        {"role": "system", "parts": [{"type": "text", "content": "be kind"}]},
        {
            "role": "user",
            "parts": [{"type": "blob", "modality": "audio", "size": 3}, {"type": "text", "content": "hi"}],
        },
        {"role": "user", "parts": [{"type": "item_reference", "id": "i"}]},
    ]


def test_a_function_call_that_never_came_to_its_end() -> None:
    join = realtime.Join()
    call = {"id": "i", "type": "function_call", "name": "f", "call_id": "1", "status": "in_progress"}
    join.add([json.dumps({"type": "response.output_item.added", "item": call}).encode()])
    for piece in ('{"a"', ":1"):
        delta = {"type": "response.function_call_arguments.delta", "item_id": "i", "delta": piece}
        join.add([json.dumps(delta).encode()])
    (message,) = realtime.answered(join.body())["gen_ai.output.messages"]
    assert message["parts"] == [{"type": "tool_call", "id": "1", "name": "f", "arguments": '{"a":1'}]


def test_what_nobody_answers_is_bounded(line: Line) -> None:
    turns = RealtimeTurns(line)
    for number in range(1500):
        turns.sent({"type": "conversation.item.create", "item": ITEM})
        turns.sent({"type": "input_audio_buffer.commit"})
        turns.received(json.dumps({"type": "input_audio_buffer.committed", "item_id": f"i{number}"}))
    dialogue = turns._dialogue
    assert (len(dialogue._waiting), len(dialogue._unheard), len(dialogue._unnamed)) == (1000, 64, 0)
    for number in range(1500):
        turns.sent({"type": "response.create"})
        turns.received(json.dumps({"type": "response.created", "response": {"id": f"r{number}"}}))
        turns.sent({"type": "response.create"})
        turns.sent({"type": "response.create", "response": {"metadata": {"n": str(number)}}})
    assert (len(turns._waiting), len(turns._live)) == (1000, 1000)
    turns.close("closed")
