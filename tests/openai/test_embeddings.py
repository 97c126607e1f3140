"""Embeddings: what was sent and how large the vectors are, but never a vector."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from openai_ways import sync_client

from recorded import Recorded
from spantape import semconv
from spantape.instrumentors.openai import embeddings
from spantape.testing import Reply, ScriptedServer

MODEL = "text-embedding-3-small"


def create(server: ScriptedServer, said: Any = "hi", **more: Any) -> Any:
    with sync_client(server.url) as client:
        return client.embeddings.create(model=MODEL, input=said, **more)


def parts(recorded: Recorded) -> list[Any]:
    messages = json.loads(recorded.attributes[semconv.INPUT_MESSAGES])
    assert [message["role"] for message in messages] == ["user"]
    return [part.get("content", part.get("count")) for part in messages[0]["parts"]]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("hi", ["hi"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2, 3], [3]),
        ([[1, 2], [3]], [2, 1]),
        (["", "b"], ["", "b"]),
    ],
)
def test_inputs(said: Any, kept: list[str], server: ScriptedServer, recorded: Recorded) -> None:
    create(server, said)
    assert parts(recorded) == kept


@pytest.mark.parametrize("format", ["float", "base64", None])
@pytest.mark.parametrize("dimensions", [3, None])
@pytest.mark.parametrize("raw", [False, True])
def test_formats_and_dimensions(
    format: str | None,  # noqa: A002
    dimensions: int | None,
    raw: bool,
    server: ScriptedServer,
    recorded: Recorded,
) -> None:
    wanted = {"encoding_format": format, "dimensions": dimensions}
    asked: Any = {key: value for key, value in wanted.items() if value}
    with sync_client(server.url) as client:
        owner = client.embeddings.with_raw_response if raw else client.embeddings
        owner.create(model=MODEL, input="hi", **asked)
    found = recorded.attributes
    # Where its user does not say, the client asks for base64 (openai 1.x only if there is numpy).
    sent = server.requests[-1].body.get("encoding_format")
    assert found.get(semconv.REQUEST_ENCODING_FORMATS) == ((sent,) if sent else None)
    assert recorded.record["request"].get("encoding_format") == sent
    assert format in {None, sent}
    assert found[semconv.EMBEDDINGS_DIMENSION_COUNT] == (dimensions or 8)
    assert found[semconv.RESPONSE_MODEL] == MODEL
    assert found[semconv.INPUT_TOKENS] == 1


def test_the_dimensions_asked_for_are_known_when_the_answer_fails(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(Reply({"object": "list", "data": [], "usage": {"prompt_tokens": 7}}))
    # openai 1.40 takes an answer without vectors as it is.
    try:
        create(server, dimensions=5)
    except ValueError:
        assert recorded.attributes[semconv.ERROR_TYPE] == "ValueError"
    assert recorded.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] == 5
    assert recorded.attributes[semconv.INPUT_TOKENS] == 7


@pytest.mark.parametrize("format", ["float", "base64"])
def test_no_vector_is_kept(format: str, server: ScriptedServer, recorded: Recorded) -> None:  # noqa: A002
    result = create(server, ["a", "b"], encoding_format=format, dimensions=64)
    vector = result.data[0].embedding
    told = recorded.span.to_json() + json.dumps(recorded.record)
    assert json.dumps(vector)[1:40] not in told
    assert len(told) < 6000
    assert not recorded.record["response"]


def test_tokens_cost_without_output(server: ScriptedServer, tmp_path: Any) -> None:
    from spantape.pricing import PriceBook

    recorded = Recorded(tmp_path / "records")
    create(server)
    found = recorded.attributes | {semconv.PROVIDER: "openai"}
    assert semconv.OUTPUT_TOKENS not in found
    assert PriceBook().attributes(found, 1_760_000_000.0)[semconv.COST_TOTAL] == pytest.approx(2e-8)


def test_a_large_answer_is_not_parsed_twice(server: ScriptedServer, recorded: Recorded) -> None:
    vector = "AAAA" * 2048
    data = [{"object": "embedding", "index": place, "embedding": vector} for place in range(512)]
    answer = {"object": "list", "data": data, "model": MODEL, "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    # Parsing the 4 MB would take 4 MB, in us; the client's own share is measured without us.
    most = []
    for instrumented in (True, False):
        server.replies(Reply(answer))
        if not instrumented:
            import spantape

            assert recorded.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] == 1536
            spantape.uninstrument()
        tracemalloc.start()
        create(server, encoding_format="base64")
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert most[0] < most[1] + 2_000_000


ODD_VECTORS: list[tuple[Any, int | None]] = [
    ([0.5] * 3, 3),
    ((0.5, 0.5), 2),
    ("AAAAAA==", 1),
    ("AAAAAAAAAAA=", 2),
    ("AAAA", None),
    ("", None),
    ([], None),
    (None, None),
    (7, None),
    ({"float": [1]}, None),
]


@pytest.mark.parametrize(("vector", "count"), ODD_VECTORS)
def test_dimensions_of_a_vector(vector: Any, count: int | None) -> None:
    found = embeddings.response({"data": [{"embedding": vector}, {"embedding": "x"}]})
    assert found.get(semconv.EMBEDDINGS_DIMENSION_COUNT) == count


@pytest.mark.parametrize("data", [None, [], "x", {}, [None], [[0.5]], 3])
def test_odd_data(data: Any) -> None:
    assert embeddings.response({"data": data, "usage": None}) == {}


@pytest.mark.parametrize(
    "usage", [{"total_tokens": 3}, {"input_tokens": 3, "total_tokens": 4}, {"prompt_tokens": 3, "total_tokens": 4}]
)
def test_tokens_as_compatible_servers_tell_them(usage: Any, server: ScriptedServer, recorded: Recorded) -> None:
    vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
    server.replies(Reply({"object": "list", "model": "m", "data": [vector], "usage": usage}))
    with sync_client(server.url) as client:
        client.embeddings.create(model="m", input="hi", encoding_format="float")
    assert recorded.attributes[semconv.INPUT_TOKENS] == 3


ODD_INPUTS: list[tuple[Any, Any]] = [
    (None, None),
    ([], None),
    ({}, None),
    (7, None),
    ([None, 0.5], None),
    ([{"type": "text", "text": "hi"}], [{"type": "text", "content": "hi"}]),
    ([{"image": "https://x.example/a.png"}], [{"type": "generic", "image": "https://x.example/a.png"}]),
    (("a", "b"), [{"type": "text", "content": "a"}, {"type": "text", "content": "b"}]),
]


@pytest.mark.parametrize(("said", "expected"), ODD_INPUTS)
def test_odd_inputs(said: Any, expected: Any) -> None:
    messages = embeddings.asked({"model": "m", "input": said})[semconv.INPUT_MESSAGES]
    assert (messages and messages[0]["parts"]) == expected
