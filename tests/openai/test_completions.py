"""Text completions: prompts, choices and streams of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai_ways import sync_client

from recorded import Recorded
from spantape import semconv
from spantape.instrumentors.openai import completions
from spantape.testing import Reply, ScriptedServer

MODEL = "gpt-3.5-turbo-instruct"


def create(server: ScriptedServer, prompt: Any = "hi", **more: Any) -> list[Any]:
    with sync_client(server.url) as client:
        result = client.completions.create(model=MODEL, prompt=prompt, **more)
        return list(result) if more.get("stream") else [result]


def texts(recorded: Recorded, attribute: str) -> list[Any]:
    messages = json.loads(recorded.attributes[attribute])
    return [[part.get("content", part.get("count")) for part in message["parts"]] for message in messages]


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [
        ("hi", [["hi"]]),
        (["a", "b"], [["a"], ["b"]]),
        ([1, 2, 3], [[3]]),
        ([[1, 2], [3]], [[2], [1]]),
    ],
)
def test_prompts(prompt: Any, kept: list[list[str]], server: ScriptedServer, recorded: Recorded) -> None:
    create(server, prompt)
    assert texts(recorded, semconv.INPUT_MESSAGES) == kept


@pytest.mark.parametrize("streamed", [False, True])
def test_choices_of_several_prompts(streamed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    more: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    create(server, ["a", "longer than a"], n=2, **more)
    found = recorded.attributes
    assert texts(recorded, semconv.OUTPUT_MESSAGES) == [
        *([[" You said: a"]] * 2),
        *([[" You said: longer than a"]] * 2),
    ]
    assert found[semconv.RESPONSE_FINISH_REASONS] == ("stop",) * 4
    assert found[semconv.REQUEST_CHOICE_COUNT] == 2
    assert found[semconv.RESPONSE_ID] == "cmpl-1"
    assert found[semconv.RESPONSE_MODEL] == MODEL
    assert found[semconv.INPUT_TOKENS] > 0
    assert found[semconv.OUTPUT_TOKENS] > 0
    assert found[semconv.CACHE_READ_TOKENS] == 0
    assert recorded.record["cost"]["total"] > 0
    assert (semconv.REQUEST_STREAM in found) is streamed


def test_a_stream_gives_the_same_chunks(server: ScriptedServer, tmp_path: Any) -> None:
    bare = create(server, "hello", stream=True)
    recorded = Recorded(tmp_path)
    assert create(server, "hello", stream=True) == bare
    assert recorded.attributes[semconv.STREAM_CHUNKS] == len(bare) > 3
    assert recorded.attributes[semconv.STREAM_END] == "completed"
    assert semconv.INPUT_TOKENS not in recorded.attributes


def test_a_stream_left_early_keeps_what_came(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client, client.completions.create(model=MODEL, prompt="hello", stream=True) as got:
        next(got)
    assert texts(recorded, semconv.OUTPUT_MESSAGES) == [[" You"]]
    assert recorded.attributes[semconv.RESPONSE_FINISH_REASONS] == ("error",)
    assert recorded.attributes[semconv.STREAM_END] == "closed"


def test_a_raw_stream(server: ScriptedServer, recorded: Recorded) -> None:
    with (
        sync_client(server.url) as client,
        client.completions.with_streaming_response.create(model=MODEL, prompt="hello", stream=True) as response,
    ):
        lines = list(response.iter_lines())
    assert lines[-2] == "data: [DONE]" or lines[-1] == "data: [DONE]"
    assert texts(recorded, semconv.OUTPUT_MESSAGES) == [[" You said: hello"]]


def test_parameters(server: ScriptedServer, recorded: Recorded) -> None:
    create(
        server,
        max_tokens=9,
        top_p=0.5,
        seed=3,
        stop="x",
        frequency_penalty=0.1,
        presence_penalty=0.2,
        echo=True,
        suffix="!",
        best_of=1,
        logprobs=2,
        extra_body={"top_k": 4},
    )
    expected = {
        semconv.REQUEST_MAX_TOKENS: 9,
        semconv.REQUEST_TOP_P: 0.5,
        semconv.REQUEST_TOP_K: 4,
        semconv.REQUEST_SEED: 3,
        semconv.REQUEST_STOP_SEQUENCES: ("x",),
        semconv.REQUEST_FREQUENCY_PENALTY: 0.1,
        semconv.REQUEST_PRESENCE_PENALTY: 0.2,
    }
    assert expected.items() <= recorded.attributes.items()
    sent = {"echo": True, "suffix": "!", "best_of": 1, "logprobs": 2}
    assert json.loads(recorded.attributes[semconv.REQUEST_PARAMETERS]) == sent
    assert sent.items() <= recorded.record["request"].items()


ODD: dict[str, Any] = {
    "choices null": {"choices": None},
    "no choices": {"id": "x"},
    "text null": {"choices": [{"index": 0, "text": None}]},
    "text missing": {"choices": [{"index": 0}]},
    "no index": {"choices": [{"text": "x"}]},
    "choice null": {"choices": [None]},
    "usage of nothing": {"choices": [], "usage": {}},
    "reason an object": {"choices": [{"index": 0, "text": "", "finish_reason": {}}]},
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("typed", [False, True])
def test_odd_chunks(odd: str, typed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    def chunk(text: str) -> dict[str, Any]:
        return {"id": "cmpl-1", "model": MODEL, "choices": [{"index": 0, "text": text, "finish_reason": None}]}

    chunks = [chunk("one "), ODD[odd], chunk("two")]
    if not typed:
        join = completions.Join()
        join.add(chunks)
        assert "one " in join.body()["choices"][0]["text"]
        assert join.body()["choices"][0]["text"].endswith("two")
        return
    server.replies(Reply(chunks=chunks))
    assert len(create(server, stream=True)) == 3
    assert recorded.record["response"].startswith("one ")
    assert recorded.record["response"].endswith("two")


@pytest.mark.parametrize("body", [{}, {"choices": [{}]}, {"choices": "x", "usage": 3}, {"choices": [{"text": 3}]}])
def test_odd_answers(body: Any) -> None:
    assert semconv.INPUT_TOKENS not in completions.response(body)
    messages = completions.answered(body)[semconv.OUTPUT_MESSAGES]
    assert all(message["parts"] == [] for message in messages or ())


def test_without_a_prompt() -> None:
    assert completions.asked({"model": "m", "prompt": None}) == {
        semconv.INPUT_MESSAGES: None,
        semconv.REQUEST_PARAMETERS: None,
    }
