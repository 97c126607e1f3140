"""`otlp_content=False`: spans go without prompt and response, the files keep both."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import openai
import spantape
from receivers import Received, http_receiver
from spantape.testing import ScriptedServer, completion, error

SECRET = "SECRET"
TOOL = {"type": "function", "function": {"name": "weather", "description": SECRET, "parameters": {}}}

Ask = Callable[..., Any]


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]


def say_secrets(ask: Ask, server: ScriptedServer) -> None:
    server.replies(completion(SECRET), completion(SECRET), error(400, f"{SECRET} is no word"))
    with spantape.session("s", topic="holidays", metadata={"shop": "7"}):
        ask(SECRET, tools=[TOOL], extra_body={"documents": [SECRET]}, user=SECRET)
        ask(SECRET)
        with pytest.raises(Exception, match=SECRET):
            ask(SECRET)


def test_spans_go_without_and_files_with(backend: Any, start: Ask, ask: Ask, server: ScriptedServer) -> None:
    requests: list[bytes] = []
    backend.judge = lambda request: requests.append(request) or 200
    start(otlp_endpoint=backend.url, otlp_protocol=backend.protocol, otlp_content=False, buffer_size=1)
    say_secrets(ask, server)
    assert spantape.flush()
    assert len(backend.ours) == 3
    assert not any(SECRET.encode() in request for request in requests)
    first, _, failed = (span["attributes"] for span in backend.ours)
    assert (failed["error.type"], backend.ours[-1]["status"]) == ("openai.BadRequestError", "")
    assert first["spantape.topic"] == "holidays"
    assert first["spantape.metadata"] == '{"metadata":{"shop":"7"}}'
    assert first["gen_ai.usage.input_tokens"] > 0
    latest, *_, oldest = spantape.recordings().get_latest_interactions()
    assert (oldest["prompt"], oldest["response"]) == (SECRET, SECRET)
    assert SECRET in latest["error_message"]
    assert [record["span_id"] for record in (oldest, latest)] == [backend.ours[i]["span_id"] for i in (0, -1)]


def test_what_others_note_on_the_span_does_not_go_either(collector: Received, start: Ask, ask: Ask) -> None:
    class Noting(trace_processor()):  # type: ignore[misc]
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            span.add_event("prompt", {"text": SECRET})

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Noting())
    requests: list[bytes] = []
    collector.judge = lambda request: requests.append(request) or 200  # type: ignore[func-returns-value]
    start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf", otlp_content=False, tracer_provider=provider)
    ask("hi")
    assert spantape.flush()
    assert len(requests) == 1
    assert SECRET.encode() not in requests[0]


def trace_processor() -> Any:
    from opentelemetry.sdk.trace import SpanProcessor

    return SpanProcessor


def test_by_default_and_by_variable(collector: Received, start: Ask, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf")
    ask()
    spantape.uninstrument()
    monkeypatch.setenv("SPANTAPE_OTLP_CONTENT", "0")
    start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf")
    ask()
    assert spantape.flush()
    assert ["gen_ai.input.messages" in span["attributes"] for span in collector.ours] == [True, False]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_applications_own_exporter_is_told_of(
    elsewhere: bool, collector: Received, start: Ask, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    with http_receiver() as theirs:
        provider = TracerProvider(shutdown_on_exit=False)
        place = theirs if elsewhere else collector
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{place.url}/v1/traces")))
        start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf", otlp_content=False, tracer_provider=provider)
        ask()
        ask()
        assert spantape.flush()
        provider.shutdown()
        assert len(collector.ours) == 2
    assert ["gen_ai.input.messages" in span["attributes"] for span in collector.ours] == [not elsewhere] * 2
    [line] = warned(caplog)
    assert line.startswith("otlp_content=False does not hold for the application's own OTLP exporter")
    assert line.endswith("capture_content=False")


def test_nothing_is_said_where_it_holds(
    collector: Received, start: Ask, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf", otlp_content=False)
    ask()
    assert spantape.flush()
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    assert warned(caplog) == []


def said_apart(**more: Any) -> dict[str, Any]:
    """Give a request to the Responses API that says everything there is to say beside the messages."""
    prompt = {"id": "p", "variables": {"name": SECRET, "text": SECRET * 20_000}}
    return {"model": "gpt-4o-mini", "input": SECRET, "instructions": SECRET * 20_000, "prompt": prompt, **more}


@pytest.mark.parametrize("goes", [False, True])
def test_instructions_and_variables_are_content(
    goes: bool, collector: Received, start: Ask, server: ScriptedServer
) -> None:
    start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf", otlp_content=goes)
    with openai.OpenAI(base_url=server.url, api_key="test") as client:
        client.post("/responses", body=said_apart(), cast_to=object)
    assert spantape.flush()
    [found] = [span["attributes"] for span in collector.ours]
    assert found["gen_ai.prompt.name"] == "p"
    assert (SECRET in str(found)) == goes
    assert ("gen_ai.system_instructions" in found) == ("gen_ai.prompt.variable.name" in found) == goes


def test_instructions_and_variables_are_cut_where_they_are_too_long(
    collector: Received, start: Ask, server: ScriptedServer
) -> None:
    start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf", otlp_max_bytes=65_536)
    with openai.OpenAI(base_url=server.url, api_key="test") as client:
        client.post("/responses", body=said_apart(), cast_to=object)
    assert spantape.flush()
    [found] = [span["attributes"] for span in collector.ours]
    assert {"gen_ai.system_instructions", "gen_ai.prompt.variable.text"} <= set(found["spantape.content.truncated"])
    assert json.loads(found["gen_ai.system_instructions"])[0]["original_length"] == len(SECRET) * 20_000
    assert found["gen_ai.prompt.variable.text"].endswith("characters]")
