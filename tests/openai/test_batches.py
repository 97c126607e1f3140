"""Batches: what they are and how they stand; their tokens are told at every look, and are no usage of a call."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai_ways import sync_client

from recorded import Recorded
from spantape import semconv
from spantape.instrumentors.openai import batches
from spantape.testing import Reply, ScriptedServer


def test_the_life_of_a_batch(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        made = client.batches.create(
            input_file_id="file-9", endpoint="/v1/embeddings", completion_window="24h", metadata={"for": "a test"}
        )
        client.batches.retrieve(made.id)
        client.batches.cancel(made.id)
        client.batches.list()
    names = [span.name for span in recorded.spans]
    assert names == ["create_batch", "fetch_batch", "cancel_batch"]
    statuses = [span.attributes[semconv.BATCH_STATUS] for span in recorded.spans]
    assert statuses == ["validating", "completed", "cancelling"]
    assert {span.attributes[semconv.BATCH_ID] for span in recorded.spans} == {made.id}
    assert recorded.spans[0].attributes[semconv.BATCH_ENDPOINT] == "/v1/embeddings"
    assert recorded.records[0]["request"]["metadata"] == {"for": "a test"}
    assert recorded.records[0]["request"]["completion_window"] == "24h"


def test_looking_twice_counts_no_tokens(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        for _ in range(2):
            client.batches.retrieve("batch_7")
    for span in recorded.spans:
        assert not [name for name in span.attributes if name.startswith(("gen_ai.usage", "spantape.cost"))]
        assert span.attributes[semconv.BATCH_INPUT_TOKENS] == 30
        assert span.attributes[semconv.BATCH_OUTPUT_TOKENS] == 20
        assert span.attributes[semconv.BATCH_REQUESTS_TOTAL] == 3
        assert span.attributes[semconv.BATCH_REQUESTS_COMPLETED] == 2
        assert span.attributes[semconv.BATCH_REQUESTS_FAILED] == 1
        assert span.attributes[semconv.BATCH_OUTPUT_FILE] == "file-2"
        assert span.attributes[semconv.RESPONSE_MODEL] == "gpt-4o-mini-2024-07-18"
    for record in recorded.records:
        assert record["usage"] is None
        assert record["cost"] is None


def test_why_a_batch_failed_is_in_the_record(server: ScriptedServer, recorded: Recorded) -> None:
    errors = {"object": "list", "data": [{"code": "invalid_json", "line": 3, "message": "Line 3 is no JSON"}]}
    server.replies(Reply({"id": "batch_7", "object": "batch", "status": "failed", "errors": errors, "usage": None}))
    with sync_client(server.url) as client:
        client.batches.retrieve("batch_7")
    assert "Line 3 is no JSON" in recorded.record["response"]
    assert '"usage"' not in recorded.record["response"]
    assert recorded.record["success"] is True  # the look at it


def test_a_batch_on_azure(server: ScriptedServer, recorded: Recorded) -> None:
    from openai_ways import azure, http

    import openai

    with azure(openai.AzureOpenAI, server.url, http()) as client:
        client.batches.retrieve("batch_7")
    assert recorded.attributes[semconv.BATCH_ID] == "batch_7"
    assert recorded.attributes[semconv.PROVIDER] == "azure.ai.openai"


ODD: list[Any] = [
    {},
    {"id": 7, "status": None, "request_counts": None, "usage": None},
    {"request_counts": [], "usage": "x", "model": {}},
    {"request_counts": {"total": "3"}, "usage": {"input_tokens": None}},
]


@pytest.mark.parametrize("body", ODD)
def test_odd_batches(body: Any) -> None:
    assert batches.response(body) == {}
    assert json.dumps(batches.answered(body))
