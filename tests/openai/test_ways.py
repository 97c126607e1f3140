"""One call is one span and one record, however it is made; and the application sees what it saw without us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai_ways import SAID, WAYS, Way

from recorded import Recorded
from spantape.testing import ScriptedServer


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def test_the_application_sees_the_same(way: Way, server: ScriptedServer, tmp_path: Path) -> None:
    bare = way.run(server.url)
    Recorded(tmp_path)
    assert way.run(server.url) == bare
    first, second = (request.body for request in list(server.requests)[-2:])
    assert first == second


def test_one_span_with_everything(way: Way, server: ScriptedServer, recorded: Recorded) -> None:
    _, said = way.run(server.url)
    found = recorded.attributes
    assert recorded.span.name == "chat gpt-4o-mini"
    assert recorded.span.kind.name == "CLIENT"
    assert recorded.span.status.status_code.name == "UNSET"
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.request.model"] == "gpt-4o-mini"
    assert found["gen_ai.request.temperature"] == 0.5
    assert found["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert found["gen_ai.response.id"].startswith("chatcmpl-")
    assert found["gen_ai.response.finish_reasons"] == ("stop",)
    assert found["openai.api.type"] == "chat_completions"
    assert found["spantape.request_id"].startswith("req_")
    assert found["spantape.retries"] == 0
    assert found["gen_ai.usage.input_tokens"] > 0
    assert found["gen_ai.usage.output_tokens"] > 0
    assert found["gen_ai.provider.name"] == ("azure.ai.openai" if "azure" in way.name else "127.0.0.1")
    assert found["server.port"] == int(server.url.split(":")[2].split("/")[0])
    sent = json.loads(found["gen_ai.input.messages"])
    assert [message["role"] for message in sent] == ["system", "user"]
    assert sent[1]["parts"] == [{"type": "text", "content": SAID}]
    answered = json.loads(found["gen_ai.output.messages"])
    assert answered[0]["parts"] == [{"type": "text", "content": said}]


def test_stream_attributes(way: Way, server: ScriptedServer, recorded: Recorded) -> None:
    way.run(server.url)
    found = recorded.attributes
    if not way.streams:
        assert "gen_ai.request.stream" not in found
        assert "spantape.stream.end" not in found
        return
    assert found["gen_ai.request.stream"] is True
    assert found["spantape.stream.end"] == "completed"
    assert found["spantape.stream.chunks"] > 3
    assert 0 < found["gen_ai.response.time_to_first_chunk"] < 10


def test_one_record(way: Way, server: ScriptedServer, recorded: Recorded) -> None:
    _, said = way.run(server.url)
    record = recorded.record
    assert record["prompt"] == f"system: be kind\n\nuser: {SAID}"
    assert record["response"] == said
    assert record["success"] is True
    assert record["metadata"]["stage"] == "completed"
    assert record["trace_id"] == f"{recorded.span.context.trace_id:032x}"
    assert record["span_id"] == f"{recorded.span.context.span_id:016x}"
    assert record["usage"]["total_tokens"] == record["usage"]["input_tokens"] + record["usage"]["output_tokens"]


def test_error(way: Way, server: ScriptedServer, recorded: Recorded) -> None:
    import openai
    from spantape.testing import error

    server.replies(error(400, "no 好", code="bad_thing"))
    with pytest.raises(openai.BadRequestError, match="no 好") as raised:
        way.run(server.url)
    assert not any("spantape" in str(note) for note in getattr(raised.value, "__notes__", []))
    found: dict[str, Any] = recorded.attributes
    assert recorded.span.status.status_code.name == "ERROR"
    assert found["error.type"] == "openai.BadRequestError"
    assert found["spantape.error.code"] == "bad_thing"
    assert found["http.response.status_code"] == 400
    assert "no 好" in found["spantape.error.message"]
    assert recorded.record["success"] is False
    assert "no 好" in recorded.record["error_message"]


def test_retries_are_one_span(way: Way, server: ScriptedServer, recorded: Recorded) -> None:
    from spantape.testing import error

    server.replies(error(429, "slow down", headers={"retry-after-ms": "1"}))
    way.run(server.url)
    assert recorded.attributes["spantape.retries"] == 1
    assert recorded.span.status.status_code.name == "UNSET"
    assert len([r for r in server.requests if r.method == "POST"]) == 2


def test_quiet_after_uninstrument(way: Way, server: ScriptedServer, recorded: Recorded) -> None:
    import spantape

    spantape.uninstrument()
    way.run(server.url)
    assert recorded.spans == []
