"""Decisions: an input, questions about it, and their answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai_ways import sync_client

import openai
from recorded import Recorded
from spantape import semconv
from spantape.instrumentors.openai import decisions
from spantape.testing import ScriptedServer

QUESTIONS: list[Any] = [
    {"type": "predicate", "instructions": "Is it blue?", "name": "blue"},
    {"type": "choice", "instructions": "Which?", "choices": [{"value": "sea"}, {"value": "sky"}]},
    {"type": "score", "instructions": "How much?", "levels": [{"label": "little"}, {"label": "much"}]},
]


@pytest.mark.skipif(not hasattr(openai.OpenAI, "decisions"), reason="this openai has no decisions")
def test_questions_and_answers(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        client.decisions.create(model="gpt-6-luna", input="The 天 is blue.", questions=QUESTIONS)
    (message,) = json.loads(recorded.attributes[semconv.OUTPUT_MESSAGES])
    assert [part["generic_type"] for part in message["parts"]] == ["predicate", "choice", "score"]
    assert (message["parts"][0]["name"], message["parts"][0]["probability"]) == ("blue", 0.5)
    assert message["parts"][1]["choice"] == "sea"
    assert recorded.attributes[semconv.INPUT_TOKENS] > 0
    assert recorded.attributes[semconv.CACHE_READ_TOKENS] == 0
    record = recorded.record
    assert record["prompt"] == "The 天 is blue."
    assert record["request"]["questions"] == QUESTIONS
    assert '"choice":"sea"' in record["response"]
    assert record["usage"]["output_tokens"] == 1


INPUTS: list[tuple[Any, Any]] = [
    ("hi", [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
    ([{"role": "system", "content": "hi"}], [{"role": "system", "parts": [{"type": "text", "content": "hi"}]}]),
    (
        [{"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_json", "json": {"b": 1}}]}],
        [{"role": "user", "parts": [{"type": "text", "content": "a"}, {"type": "input_json", "json": {"b": 1}}]}],
    ),
    (
        [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}],
        [
            {
                "role": "user",
                "parts": [{"type": "blob", "modality": "image", "content": "AAAA", "mime_type": "image/png"}],
            }
        ],
    ),
    (
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
        [{"role": "assistant", "parts": [{"type": "refusal", "content": "no"}]}],
    ),
    (
        [{"type": "function_call", "call_id": "1", "name": "f", "arguments": '{"a":1}'}],
        [
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "1", "name": "f", "arguments": {"a": 1}}],
            }
        ],
    ),
    (
        [{"type": "custom_tool_call_output", "call_id": "1", "output": "ok"}],
        [{"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "ok"}]}],
    ),
    (None, None),
    ([], None),
    (7, None),
    ([None, "x"], None),
    ([{}], [{"role": "assistant", "parts": [{"type": "generic"}]}]),
    ([{"role": "user", "content": None}], [{"role": "user", "parts": []}]),
]


@pytest.mark.parametrize(("said", "expected"), INPUTS)
def test_inputs(said: Any, expected: Any) -> None:
    assert decisions.asked({"model": "m", "input": said})[semconv.INPUT_MESSAGES] == expected


@pytest.mark.parametrize("body", [{}, {"answers": None, "usage": []}, {"answers": [1]}, {"answers": "x"}])
def test_odd_answers(body: Any) -> None:
    assert decisions.response(body) == {}
    assert decisions.answered(body) == {semconv.OUTPUT_MESSAGES: None}
