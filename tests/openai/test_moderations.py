"""Moderations: what was judged and how."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai_ways import sync_client

from recorded import Recorded
from spantape import semconv
from spantape.instrumentors.openai import moderations
from spantape.testing import ScriptedServer


def create(server: ScriptedServer, said: Any, **more: Any) -> Any:
    with sync_client(server.url) as client:
        return client.moderations.create(input=said, **more)


def parts(recorded: Recorded, attribute: str) -> Any:
    (message,) = json.loads(recorded.attributes[attribute])
    return message["parts"]


def test_a_verdict_for_each_input(server: ScriptedServer, recorded: Recorded) -> None:
    create(server, ["peace", "violence"])
    assert [part["content"] for part in parts(recorded, semconv.INPUT_MESSAGES)] == ["peace", "violence"]
    first, second = parts(recorded, semconv.OUTPUT_MESSAGES)
    assert (first["flagged"], first["categories"]) == (False, [])
    assert (second["flagged"], second["categories"]) == (True, ["violence"])
    assert second["scores"]["violence"] == 0.9
    assert (second["type"], second["generic_type"]) == ("generic", "moderation")
    assert recorded.attributes[semconv.MODERATION_FLAGGED] is True
    assert '"categories":["violence"]' in recorded.record["response"]


def test_without_a_model(server: ScriptedServer, recorded: Recorded) -> None:
    create(server, "peace")
    assert recorded.span.name == "moderation"
    assert recorded.attributes[semconv.RESPONSE_MODEL] == "omni-moderation-latest"
    assert recorded.attributes[semconv.MODERATION_FLAGGED] is False


def test_no_usage_and_no_cost(server: ScriptedServer, recorded: Recorded) -> None:
    create(server, "peace")
    assert not [name for name in recorded.attributes if "usage" in name or "cost" in name]
    assert recorded.record["usage"] is None
    assert recorded.record["cost"] is None


def test_pictures_are_digested(server: ScriptedServer, recorded: Recorded) -> None:
    said = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
    ]
    create(server, said, model="omni-moderation-latest")
    text, blob, uri = parts(recorded, semconv.INPUT_MESSAGES)
    assert text == {"type": "text", "content": "look"}
    assert (blob["type"], blob["mime_type"], blob["size"]) == ("blob", "image/png", 5)
    assert uri == {"type": "uri", "modality": "image", "uri": "https://x.example/a.png"}
    assert "aGVsbG8" not in recorded.span.to_json()
    assert len(parts(recorded, semconv.OUTPUT_MESSAGES)) == 1


def test_a_filter_sees_what_was_judged(server: ScriptedServer, tmp_path: Any) -> None:
    recorded = Recorded(tmp_path, content_filter=lambda text: text.replace("Ada", "[name]"))
    create(server, "Ada is kind")
    assert recorded.record["prompt"] == "[name] is kind"


@pytest.mark.parametrize("results", [None, [], {}, "x", [None]])
def test_no_results(results: Any) -> None:
    assert moderations.response({"results": results})[semconv.MODERATION_FLAGGED] is None
    assert moderations.answered({"results": results})[semconv.OUTPUT_MESSAGES] is None


@pytest.mark.parametrize("result", [{"flagged": "yes"}, {"categories": [], "category_scores": 3}])
def test_odd_results(result: Any) -> None:
    assert moderations.response({"results": [result]})[semconv.MODERATION_FLAGGED] is None
    assert moderations.answered({"results": [result]})[semconv.OUTPUT_MESSAGES][0]["parts"][0]["categories"] == []
