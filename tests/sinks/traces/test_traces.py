"""Whole spans in OTLP's file format, and sent to a collector later: ids and times unchanged, at most once."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai_ways import BODY, sync_client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from sinks_tape import run

import spantape
from receivers import Received, http_receiver
from spantape.testing import ScriptedServer


@pytest.fixture
def receiver() -> Iterator[Received]:
    with http_receiver() as received:
        yield received


def call(server: ScriptedServer, text: str = "你好 🎉") -> Any:
    with sync_client(server.url, max_retries=0) as client, spantape.session("5"):
        return client.chat.completions.create(**{**BODY, "messages": [{"role": "user", "content": text}]})


def lines(folder: str = "records") -> list[dict[str, Any]]:
    assert spantape.flush()
    files = sorted(Path(folder, "traces").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


def spans(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        span | {"scope": scope["scope"]["name"]}
        for line in found
        for resource in line["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


@pytest.fixture
def memory() -> InMemorySpanExporter:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    spantape.instrument(base_dir="records", traces=True, tracer_provider=provider)
    return memory


def test_the_file_is_otlp_json(memory: InMemorySpanExporter, server: ScriptedServer) -> None:
    spantape.finalize(call(server), message_id=12)
    told, amendment = memory.get_finished_spans()
    span, small = spans(lines())
    assert span["traceId"] == f"{told.context.trace_id:032x}"
    assert span["spanId"] == f"{told.context.span_id:016x}"
    assert (span["name"], span["kind"], span["scope"]) == ("chat gpt-4o-mini", 3, "spantape.openai")
    assert (span["startTimeUnixNano"], span["endTimeUnixNano"]) == (str(told.start_time), str(told.end_time))
    values = {pair["key"]: pair["value"] for pair in span["attributes"]}
    assert values["session.id"] == {"stringValue": "5"}
    assert values["gen_ai.usage.input_tokens"] == {"intValue": str(told.attributes["gen_ai.usage.input_tokens"])}
    assert values["gen_ai.response.finish_reasons"] == {"arrayValue": {"values": [{"stringValue": "stop"}]}}
    assert small["links"][0]["traceId"] == span["traceId"]
    assert small["links"][0]["spanId"] == span["spanId"]
    assert re.fullmatch(r"[0-9a-f]{16}", small["spanId"])
    assert small["spanId"] == f"{amendment.context.span_id:016x}"


def test_off_by_default_and_only_what_is_sampled(server: ScriptedServer) -> None:
    spantape.instrument(base_dir="a")
    call(server)
    assert lines("a") == []
    spantape.uninstrument()
    spantape.instrument(
        base_dir="b", traces=True, tracer_provider=TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    )
    call(server)
    assert lines("b") == []
    assert len(spantape.recordings("b").get_latest_interactions()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_files_and_folders_are_private(server: ScriptedServer) -> None:
    """Whoever comes first makes the folder of all."""
    before = os.umask(0)
    try:
        spantape.instrument(base_dir="new/records", files=False, traces=True)
        call(server)
        assert len(lines("new/records")) == 1
    finally:
        os.umask(before)
    base_dir = Path("new/records")
    found = {path.name: path.stat().st_mode & 0o777 for path in (base_dir, *base_dir.rglob("*"))}
    assert {mode for name, mode in found.items() if name in {"records", "traces"}} == {0o700}
    assert {mode for name, mode in found.items() if name not in {"records", "traces"}} == {0o600}


def test_what_else_the_application_does_is_not_recorded(server: ScriptedServer) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    spantape.instrument(base_dir="records", traces=True, tracer_provider=provider)
    with provider.get_tracer("shop").start_as_current_span("GET /advice") as theirs:
        call(server)
    (span,) = spans(lines())
    assert (span["name"], span["parentSpanId"]) == ("chat gpt-4o-mini", f"{theirs.get_span_context().span_id:016x}")


def test_push(memory: InMemorySpanExporter, server: ScriptedServer, receiver: Received) -> None:
    requests: list[ExportTraceServiceRequest] = []
    receiver.judge = lambda data: requests.append(ExportTraceServiceRequest.FromString(data)) or 200  # type: ignore[func-returns-value]
    spantape.finalize(call(server), message_id=12)
    assert spantape.push(receiver.url) == (2, 0, 0)
    sent = [
        span for one in requests for group in one.resource_spans for scope in group.scope_spans for span in scope.spans
    ]
    for span, was in zip(sent, memory.get_finished_spans(), strict=True):
        assert span.trace_id.hex() == f"{was.context.trace_id:032x}"
        assert span.span_id.hex() == f"{was.context.span_id:016x}"
        assert (span.start_time_unix_nano, span.end_time_unix_nano) == (was.start_time, was.end_time)
    assert receiver.spans[0]["attributes"]["gen_ai.input.messages"].count("你好 🎉") == 1
    assert receiver.headers[0]["path"] == "/v1/traces"


def test_at_most_once_unless_forced(memory: InMemorySpanExporter, server: ScriptedServer, receiver: Received) -> None:
    call(server)
    assert [spantape.push(receiver.url).sent for _ in range(3)] == [1, 0, 0]
    call(server)
    assert spantape.push(f"{receiver.url}/v1/traces").sent == 1  # the same address
    assert spantape.push(receiver.url, force=True).sent == 2
    assert spantape.push(receiver.url).sent == 0
    assert len(receiver.spans) == 4
    with http_receiver() as other:
        assert spantape.push(other.url).sent == 2


def test_from_another_process(
    memory: InMemorySpanExporter, server: ScriptedServer, receiver: Received, tmp_path: Path
) -> None:
    call(server)
    assert spantape.flush()
    script = "import spantape, sys; print(spantape.push(sys.argv[1], sys.argv[2]).sent)"
    folder = Path("records").absolute()
    assert run(script, receiver.url, folder) == ["1"]
    assert run(script, receiver.url, folder) == ["0"]


def test_two_at_once_send_each_span_once(
    memory: InMemorySpanExporter, server: ScriptedServer, receiver: Received
) -> None:
    for _ in range(5):
        call(server)
        assert spantape.flush()
    threads = [threading.Thread(target=spantape.push, args=(receiver.url,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(receiver.spans) == len({span["span_id"] for span in receiver.spans}) == 5


def test_a_collector_that_is_not_there_gets_it_later(
    memory: InMemorySpanExporter, server: ScriptedServer, receiver: Received
) -> None:
    call(server)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(spantape.PushError, match="takes no spans now"):
            spantape.push(f"http://127.0.0.1:{nobody.getsockname()[1]}")
    receiver.judge = lambda _: 429
    with pytest.raises(spantape.PushError, match="429"):
        spantape.push(receiver.url)
    receiver.judge = lambda _: 200
    assert spantape.push(receiver.url).sent == 1


def test_what_is_refused_for_good_is_not_sent_again(
    memory: InMemorySpanExporter, server: ScriptedServer, receiver: Received
) -> None:
    call(server, "bad words")
    assert spantape.flush()
    call(server, "good")
    receiver.judge = lambda data: 400 if b"bad words" in data else 200  # three letters a trace id may have, too
    assert spantape.push(receiver.url) == (1, 1, 0)
    assert spantape.push(receiver.url) == (0, 0, 0)


def test_what_is_refused_of_a_request_is_told(server: ScriptedServer, receiver: Received) -> None:
    spantape.instrument(base_dir="records", traces=True, flush_interval=3600)  # all in one request
    for _ in range(3):
        call(server)
    assert spantape.flush()
    receiver.rejects = 2
    assert spantape.push(receiver.url) == (1, 2, 0)
    assert spantape.push(receiver.url) == (0, 0, 0)


def test_an_answer_that_never_came_is_taken_as_sent(memory: InMemorySpanExporter, server: ScriptedServer) -> None:
    call(server)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"

        def hang_up() -> None:
            connection, _ = listening.accept()
            connection.recv(1024)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(spantape.PushError, match="may have arrived"):
            spantape.push(url)
        thread.join(30)
        assert spantape.push(url).sent == 0


def test_a_torn_line_and_a_foreign_one(
    memory: InMemorySpanExporter, server: ScriptedServer, receiver: Received
) -> None:
    call(server)
    assert spantape.flush()
    (file,) = Path("records", "traces").glob("*.jsonl")
    with file.open("ab") as end:
        end.write(b'{"resourceSpans":[{"half\n[1]\n{"resourceSpans": 5}\n{"still being wri')
    assert spantape.push(receiver.url) == (1, 0, 3)
    call(server)
    assert spantape.push(receiver.url) == (1, 0, 1)  # the half line was ended by the next writer


def test_content_stays_off_the_wire_when_it_is_to(server: ScriptedServer, receiver: Received) -> None:
    spantape.instrument(base_dir="records", traces=True, otlp_content=False)
    call(server, "a secret")
    assert "a secret" in str(lines())
    spantape.push(receiver.url)
    assert "a secret" not in str(receiver.spans)
    assert receiver.spans[0]["attributes"]["gen_ai.request.model"] == "gpt-4o-mini"


def test_content_stays_out_of_all_files_when_it_is_to(server: ScriptedServer, receiver: Received) -> None:
    spantape.instrument(base_dir="records", traces=True, file_content=False)
    call(server, "a secret")
    assert [span["name"] for span in spans(lines())] == ["chat gpt-4o-mini"]
    assert not [path for path in Path("records").rglob("*") if path.is_file() and b"a secret" in path.read_bytes()]


KEY = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U="
OTHER = "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q="


def test_content_is_encrypted_as_in_the_records(server: ScriptedServer, receiver: Received) -> None:
    spantape.instrument(base_dir="records", traces=True, encryption_key=KEY)
    call(server, "a secret")
    (span,) = spans(lines())
    values = {pair["key"]: pair["value"] for pair in span["attributes"]}
    assert values["gen_ai.input.messages"]["stringValue"].startswith('{"encrypted":"gAAAA')
    assert values["gen_ai.request.model"] == {"stringValue": "gpt-4o-mini"}
    assert not [path for path in Path("records").rglob("*") if path.is_file() and b"a secret" in path.read_bytes()]
    assert spantape.push(receiver.url).sent == 1
    assert "a secret" in receiver.spans[0]["attributes"]["gen_ai.input.messages"]


def test_without_its_key_nothing_is_sent_and_nothing_lost(server: ScriptedServer, receiver: Received) -> None:
    spantape.instrument(base_dir="records", traces=True, encryption_key=KEY)
    call(server, "a secret")
    for keys in ({"encryption_key": OTHER}, {}):
        spantape.uninstrument()
        spantape.instrument(base_dir="records", **keys)
        with pytest.raises(spantape.SealError, match="no key of encryption_key opens"):
            spantape.push(receiver.url)
    assert not receiver.requests
    spantape.uninstrument()
    spantape.instrument(base_dir="records", encryption_key=f"{OTHER},{KEY}")
    assert [spantape.push(receiver.url).sent for _ in range(2)] == [1, 0]
    assert "a secret" in receiver.spans[0]["attributes"]["gen_ai.input.messages"]


def test_what_is_gone_is_forgotten(memory: InMemorySpanExporter, server: ScriptedServer, receiver: Received) -> None:
    call(server)
    spantape.push(receiver.url)
    (file,) = Path("records", "traces").glob("2*.jsonl")
    file.rename(file.with_name("2020-01-01.jsonl"))
    assert spantape.push(receiver.url).sent == 1
    marks = json.loads(Path("records", "traces", ".pushed.json").read_text())
    assert [list(files) for files in marks.values()] == [["2020-01-01.jsonl"]]


def test_large_batches_go_in_parts(server: ScriptedServer, receiver: Received) -> None:
    spantape.instrument(base_dir="records", traces=True, otlp_max_bytes=16384, flush_interval=60)
    for _ in range(10):
        call(server, "x" * 3000)
    assert spantape.flush()
    assert spantape.push(receiver.url).sent == 10
    assert len(receiver.requests) > 2
    assert max(receiver.requests) <= 16384


def test_headers_and_nowhere_to_send_to(
    memory: InMemorySpanExporter, server: ScriptedServer, receiver: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(spantape.PushError, match="give an endpoint"):
        spantape.push()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=abc")
    assert spantape.push(base_dir="elsewhere") == (0, 0, 0)
    call(server)
    assert spantape.push().sent == 1
    assert receiver.headers[0]["x-key"] == "abc"
