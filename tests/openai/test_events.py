"""The event of an inference, switched by OpenTelemetry's own capture variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openai_ways import BODY, SAID, WAYS, sync_client
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as logs_export
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import openai
import spantape
from recorded import Recorded
from spantape.testing import ScriptedServer, error

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
EMIT = "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"
NAME = "gen_ai.client.inference.operation.details"
Memory: Any = getattr(logs_export, "InMemoryLogRecordExporter", None) or logs_export.InMemoryLogExporter
NAMED = not hasattr(sdk_logs, "LogRecord")


class Told:
    def __init__(self, base_dir: Path, **settings: Any) -> None:
        self.memory = Memory()
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(logs_export.SimpleLogRecordProcessor(self.memory))
        self.recorded = Recorded(base_dir, logger_provider=provider, **settings)

    @property
    def events(self) -> list[Any]:
        return [item.log_record for item in self.memory.get_finished_logs()]

    @property
    def event(self) -> Any:
        (event,) = self.events
        return event


def name_of(event: Any) -> str:
    return str(getattr(event, "event_name", None) or event.attributes["event.name"])


def said(event: Any, key: str) -> Any:
    attributes, body = dict(event.attributes), event.body or {}
    value = attributes.get(key) if key in attributes else body.get(key)
    return plain(value)


def plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if hasattr(value, "items") else value


def chat(server: ScriptedServer) -> None:
    with sync_client(server.url, max_retries=0) as client:
        client.chat.completions.create(**BODY)


MODES = {
    "NO_CONTENT": (False, None),
    "SPAN_ONLY": (True, None),
    "EVENT_ONLY": (False, True),
    "SPAN_AND_EVENT": (True, True),
}


@pytest.mark.parametrize("mode", MODES)
def test_opentelemetrys_four_modes(
    mode: str, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_span, on_event = MODES[mode]
    monkeypatch.setenv(CAPTURE, mode)
    told = Told(tmp_path)
    chat(server)
    assert ("gen_ai.input.messages" in told.recorded.attributes) is on_span
    assert ("gen_ai.output.messages" in told.recorded.attributes) is on_span
    if on_event is None:
        assert told.events == []
        return
    (event,) = told.events
    assert name_of(event) == NAME
    assert event.severity_number.value == 5
    assert said(event, "gen_ai.input.messages")[1] == {"role": "user", "parts": [{"type": "text", "content": SAID}]}
    assert said(event, "gen_ai.output.messages")[0]["role"] == "assistant"
    assert event.trace_id == told.recorded.span.context.trace_id
    assert event.span_id == told.recorded.span.context.span_id


@pytest.mark.parametrize("name", WAYS)
def test_one_event_a_call_with_all_the_span_has(name: str, server: ScriptedServer, tmp_path: Path) -> None:
    told = Told(tmp_path, capture_content="SPAN_AND_EVENT")
    WAYS[name].run(server.url)
    event = told.event
    for key, value in told.recorded.attributes.items():
        if not key.endswith("messages") and key != "spantape.request.parameters":
            assert said(event, key) == plain(value), key


@pytest.mark.parametrize("mode", ["NO_CONTENT", "SPAN_ONLY"])
def test_an_event_without_content(mode: str, server: ScriptedServer, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv(CAPTURE, mode)
    monkeypatch.setenv(EMIT, "true")
    told = Told(tmp_path)
    chat(server)
    assert SAID not in repr(plain(dict(told.event.attributes))) + repr(told.event.body)
    assert said(told.event, "gen_ai.request.model") == "gpt-4o-mini"


def test_no_event_where_it_is_switched_off(server: ScriptedServer, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_AND_EVENT")
    monkeypatch.setenv(EMIT, "false")
    told = Told(tmp_path)
    chat(server)
    assert told.events == []


def test_an_error(server: ScriptedServer, tmp_path: Path) -> None:
    told = Told(tmp_path, capture_content="EVENT_ONLY")
    server.replies(error(400, "bad 好", code="bad_thing"))
    with pytest.raises(openai.BadRequestError):
        chat(server)
    assert said(told.event, "error.type") == "openai.BadRequestError"
    assert "bad 好" in said(told.event, "spantape.error.message")
    assert told.recorded.span.status.description is None  # it may quote the prompt, which is not to be on the span
    assert "spantape.error.message" not in told.recorded.attributes


def test_the_filter_sees_what_is_on_the_event(server: ScriptedServer, tmp_path: Path) -> None:
    told = Told(tmp_path, capture_content="EVENT_ONLY", content_filter=lambda text: text.replace(SAID, "***"))
    chat(server)
    assert said(told.event, "gen_ai.input.messages")[1]["parts"] == [{"type": "text", "content": "***"}]


def test_none_for_a_call_that_is_not_sampled(server: ScriptedServer) -> None:
    memory = Memory()
    loggers = LoggerProvider(shutdown_on_exit=False)
    loggers.add_log_record_processor(logs_export.SimpleLogRecordProcessor(memory))
    tracers = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    spantape.instrument(files=False, tracer_provider=tracers, logger_provider=loggers, capture_content="SPAN_AND_EVENT")
    chat(server)
    assert memory.get_finished_logs() == () or list(memory.get_finished_logs()) == []
