"""Spans over OTLP: on when asked for, once, the same as in the files, beside the application's own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import spantape
from receivers import Received, http_receiver
from spantape.settings import Settings
from spantape.sinks import otlp
from spantape.sinks.otlp import sender

SAID = "你好，杭州 🎉"
ENDPOINT, TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"

Ask = Callable[..., Any]


def records() -> list[dict[str, Any]]:
    assert spantape.flush()
    return spantape.recordings().get_latest_interactions(1000)[::-1]


# --- the same as in the files


def check_the_same(received: Received) -> None:
    found = records()
    assert len(found) == len(received.ours) == 2
    for record, span in zip(found, received.ours, strict=True):
        assert (span["trace_id"], span["span_id"]) == (record["trace_id"], record["span_id"])
        assert span["parent_id"] == record["parent_span_id"]
        attributes = span["attributes"]
        assert attributes["gen_ai.response.id"] == record["response_id"]
        assert attributes["gen_ai.usage.input_tokens"] == record["usage"]["input_tokens"]
        assert attributes["gen_ai.response.finish_reasons"] == record["finish_reasons"] == ["stop"]
        assert attributes["spantape.cost.total"] == record["cost"]["total"]
        assert attributes["session.id"] == record["session_id"] == "会话"
        assert SAID in attributes["gen_ai.input.messages"]
        assert SAID in attributes["gen_ai.output.messages"]
        assert SAID in record["prompt"]
        assert SAID in record["response"]


def test_on_by_the_setting(backend: Any, start: Ask, ask: Ask) -> None:
    start(otlp_endpoint=backend.url, otlp_protocol=backend.protocol)
    with spantape.session("会话"):
        ask()
        list(ask(stream=True, stream_options={"include_usage": True}))
    check_the_same(backend)


@pytest.mark.parametrize("variable", [ENDPOINT, TRACES])
def test_on_by_opentelemetrys_variables(
    variable: str, backend: Any, start: Ask, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/v1/traces" if variable == TRACES and backend.protocol != "grpc" else ""
    monkeypatch.setenv(variable, backend.url + path)
    monkeypatch.setenv(PROTOCOL, backend.protocol)
    start()
    with spantape.session("会话"):
        ask()
        list(ask(stream=True, stream_options={"include_usage": True}))
    check_the_same(backend)


def test_opentelemetrys_other_variables_hold(
    collector: Received, start: Ask, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf")
    ask()
    assert spantape.flush()
    headers = {name.lower(): value for name, value in collector.headers[0].items()}
    assert (headers["authorization"], headers["content-encoding"]) == ("Bearer x", "gzip")
    assert collector.ours[0]["resource"]["service.name"] == "shop"


@pytest.mark.parametrize(
    ("below", "path"),
    [("", "/v1/traces"), ("/", "/v1/traces"), ("/v1/traces", "/v1/traces"), ("/api/otel", "/api/otel/v1/traces")],
)
def test_an_http_address_with_or_without_its_path(
    below: str, path: str, collector: Received, start: Ask, ask: Ask
) -> None:
    start(otlp_endpoint=collector.url + below, otlp_protocol="http/protobuf")
    ask()
    assert spantape.flush()
    assert collector.headers[0]["path"] == path


# --- asked for, or not


@pytest.mark.parametrize(
    ("given", "variables", "expected"),
    [
        ({}, {}, (None, "grpc")),
        ({}, {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m:4317", PROTOCOL: "grpc"}, (None, "grpc")),
        ({}, {ENDPOINT: "http://a:4317"}, ("http://a:4317", "grpc")),
        ({}, {ENDPOINT: "http://a:4318"}, ("http://a:4318", "http/protobuf")),
        ({}, {ENDPOINT: "http://a:4318", PROTOCOL: "grpc"}, ("http://a:4318", "grpc")),
        ({}, {ENDPOINT: "http://a:4317", TRACES: "http://b:4317"}, ("http://b:4317", "grpc")),
        ({}, {ENDPOINT: "a:4317"}, ("a:4317", "grpc")),
        ({"otlp_endpoint": "http://c"}, {ENDPOINT: "http://a:4318"}, ("http://c", "grpc")),
        ({"otlp_endpoint": "http://c/"}, {}, ("http://c/", "grpc")),
        ({"otlp_endpoint": "https://c/otel"}, {}, ("https://c/otel", "http/protobuf")),
        ({"otlp_endpoint": "http://c", "otlp_protocol": "grpc"}, {PROTOCOL: "http/protobuf"}, ("http://c", "grpc")),
        ({"otlp_endpoint": "https://c:4317/otel"}, {}, ("https://c:4317/otel", "http/protobuf")),
        ({}, {ENDPOINT: "http://a:4317", "OTEL_TRACES_EXPORTER": "none"}, (None, "grpc")),
        ({}, {ENDPOINT: "http://a:4317", "OTEL_TRACES_EXPORTER": "spantape,otlp"}, ("http://a:4317", "grpc")),
        ({"otlp_endpoint": "http://c"}, {"OTEL_TRACES_EXPORTER": "none"}, ("http://c", "grpc")),
    ],
)  # fmt: skip
def test_where_and_how(given: Any, variables: Any, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load(**given)
    assert (otlp.endpoint(settings), otlp.protocol(settings)) == expected
    processor = otlp.processor(settings)
    assert (processor is None) == (expected[0] is None)
    if processor is not None:
        processor.shutdown()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({PROTOCOL: "http/json"}, f"^{PROTOCOL} is 'http/json', which spantape can't use: give grpc or http/protobuf$"),
        ({ENDPOINT: "http://a:many"}, "OTEL_EXPORTER_OTLP.*'many'"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "long"}, "OTEL_EXPORTER_OTLP.*'long'"),
    ],
)
def test_a_bad_variable_is_one_clear_error(
    variables: dict[str, str], said: str, start: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ({ENDPOINT: "http://a:4317"} | variables).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(spantape.SettingError, match=said):
        start()
    monkeypatch.delenv(ENDPOINT)
    start()  # and none of our business without OTLP


def test_what_is_sent_by_default() -> None:
    settings = Settings()
    assert (settings.otlp_content, settings.otlp_max_bytes, settings.otlp_shutdown_timeout) == (True, 4 * 1024**2, 2.0)
    with pytest.raises(
        spantape.SettingError, match="otlp_max_bytes= is 100, .*: give a whole number of at least 16384"
    ):
        Settings.load(otlp_max_bytes=100)


def test_nothing_is_sent_and_nothing_is_logged_unasked(
    start: Ask, ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender, "Sender", None)
    with caplog.at_level(logging.INFO):
        start()
        ask()
        assert len(records()) == 1
        spantape.uninstrument()
    assert [line.levelno for line in caplog.records if not line.name.startswith("httpx")] == [logging.INFO]


def test_the_one_line_says_where_to(
    start: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="spantape"):
        start(otlp_endpoint="http://user:password@127.0.0.1:1/x")
        spantape.uninstrument()
        monkeypatch.setenv(ENDPOINT, "localhost:1")
        start()
    assert caplog.messages[0].endswith("sends spans to http://127.0.0.1:1/x (http/protobuf)")
    assert caplog.messages[1].endswith("sends spans to localhost:1 (grpc)")


# --- once, and beside the application's own


def app(exporter: Any, **options: Any) -> TracerProvider:
    resource = Resource.create({"service.name": "shop"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False, **options)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def http_exporter(received: Received) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=f"{received.url}/v1/traces")


@pytest.mark.parametrize("how", ["variable", "setting"])
@pytest.mark.parametrize("when", ["before", "after instrument", "after the first call"])
def test_an_application_that_sends_itself(
    how: str, when: str, collector: Received, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    settings = {"otlp_endpoint": collector.url.replace("127.0.0.1", "localhost")}
    if how == "variable":
        monkeypatch.setenv(ENDPOINT, collector.url)
        settings = {}
    apm = BatchSpanProcessor(http_exporter(collector))
    if when == "before":
        provider.add_span_processor(apm)
    spantape.instrument(otlp_protocol="http/protobuf", tracer_provider=provider, **settings)
    if when == "after the first call":
        ask()
    if when != "before":
        provider.add_span_processor(apm)
    ask()
    provider.force_flush()
    found = [record["span_id"] for record in records()]
    assert sorted(span["span_id"] for span in collector.ours) == sorted(found)
    provider.shutdown()


def test_an_endpoint_of_ours_beside_the_applications(collector: Received, start: Ask, ask: Ask) -> None:
    with http_receiver() as theirs:
        provider = app(http_exporter(theirs))
        start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf", tracer_provider=provider)
        with provider.get_tracer("shop").start_as_current_span("GET /"):
            ask()
        assert spantape.flush()
        provider.shutdown()
    assert [span["name"] for span in collector.spans] == ["chat gpt-4o-mini"]
    assert sorted(span["name"] for span in theirs.spans) == ["GET /", "chat gpt-4o-mini"]
    assert collector.spans[0]["resource"]["service.name"] == "shop"
    assert collector.spans[0]["parent_id"]


@pytest.mark.parametrize(
    ("theirs", "ours", "same"),
    [
        ("http://localhost:4317", "http://127.0.0.1:4317", True),
        ("localhost:4317", "http://localhost:4318", True),
        ("http://collector:4318/v1/traces", "http://collector", True),
        ("http://collector:4317", "http://other:4317", False),
        ("http://collector:4317", "http://collector:6006", False),
        ("unix:///run/otlp:a", "http://collector:4317", False),
        ("http://collector:bad", "http://collector", False),
    ],
)
def test_the_same_place(theirs: str, ours: str, same: bool) -> None:
    exporter = type("Exporter", (), {"__module__": "opentelemetry.exporter.otlp.x", "_endpoint": theirs})()
    processor = type("Processor", (), {"span_exporter": exporter})()
    assert otlp.is_sent_by([object(), processor], Settings(otlp_endpoint=ours)) is same
    assert otlp.is_sent_by([processor], Settings())
    assert not otlp.is_sent_by([object()], Settings())


def test_what_a_sampler_leaves_out_is_not_sent(collector: Received, start: Ask, ask: Ask) -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf", tracer_provider=provider)
    ask()
    assert len(records()) == 1
    assert collector.spans == []


def test_instrument_again_sends_once(collector: Received, start: Ask, ask: Ask) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    for _ in range(2):
        start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf", tracer_provider=provider)
        ask()
        spantape.uninstrument()
    assert len(collector.ours) == 2


def test_the_applications_shutdown_does_not_end_the_sending(collector: Received, start: Ask, ask: Ask) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf", tracer_provider=provider)
    ask()
    provider.shutdown()
    assert len(collector.ours) == 1
    ask()
    assert spantape.flush()
    assert len(collector.ours) == 2


def test_an_exporter_of_the_applications_is_a_simple_one_too(collector: Received, start: Ask, ask: Ask) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(http_exporter(collector)))
    start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf", tracer_provider=provider)
    ask()
    assert spantape.flush()
    assert len(collector.ours) == 1
