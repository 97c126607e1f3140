"""Sending in the background: in batches, in time, across a fork; and harmless when nobody is there."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult
from sinks_otlp import PATIENCE, Exporter, sender_to, tracer_to

import spantape
from programs import run
from receivers import Received, grpc_receiver, http_receiver
from spantape.sinks.otlp import sender
from spantape.testing import ScriptedServer

Ask = Callable[..., Any]


# --- nobody there, or somebody slow


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("place", ["nobody", "silent"])
def test_a_dead_backend_costs_nothing_holds_up_nobody_and_is_told_once(
    place: str, protocol: str, server: ScriptedServer, request: pytest.FixtureRequest
) -> None:
    said = run(
        """
        import json, logging, time, spantape

        def took(work):
            began = time.monotonic()
            work()
            return time.monotonic() - began

        url, endpoint, protocol = sys.argv[1:]
        logging.basicConfig(level=logging.WARNING)
        spantape.instrument(
            otlp_endpoint=endpoint, otlp_protocol=protocol, otlp_shutdown_timeout=0.2, buffer_size=1
        )
        ask(url)
        calls = took(lambda: [ask(url) for _ in range(5)])
        flush = took(lambda: spantape.flush(2.5))
        end = took(spantape.uninstrument)
        print(json.dumps([calls, flush, end, len(spantape.recordings().get_latest_interactions())]))
        """,
        server.url,
        request.getfixturevalue(place),
        protocol,
        SPANTAPE_GUARD_RAISES="0",
        OTEL_EXPORTER_OTLP_TIMEOUT="100",
    )
    figures, *lines = said.splitlines()
    calls, flush, end, recorded = json.loads(figures)
    # One attempt alone takes a hundred seconds where nobody answers.
    assert calls < 60
    assert flush < 60
    assert end < 60
    assert recorded == 6
    assert [line[:58] for line in lines] == ["WARNING:spantape:spantape can't send spans over OTLP, and "], lines


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_dead_backend_holds_up_the_exit_for_two_seconds_at_most(
    protocol: str, silent: str, server: ScriptedServer, tmp_path: Path
) -> None:
    said = run(
        """
        import atexit, logging, time, spantape
        from opentelemetry.sdk.trace import TracerProvider

        logging.basicConfig(level=logging.WARNING)
        url, folder, endpoint, protocol = sys.argv[1:]
        atexit.register(lambda: print(time.monotonic() - began))
        spantape.instrument(
            base_dir=folder, otlp_endpoint=endpoint, otlp_protocol=protocol, tracer_provider=TracerProvider()
        )
        ask(url)
        began = time.monotonic()
        """,
        server.url,
        tmp_path / "records",
        silent,
        protocol,
        OTEL_EXPORTER_OTLP_TIMEOUT="100",
    )
    took, *lines = said.splitlines()
    assert 1.9 < float(took) < 60  # an attempt would take a hundred
    assert [line.partition("once: ")[2] for line in lines] == [
        "not all were taken within the 2 s of otlp_shutdown_timeout"
    ]
    assert len(spantape.recordings(tmp_path / "records").get_latest_interactions()) == 1


def test_what_the_applications_exporter_logs_is_logged_as_ever(
    nobody: str, start: Ask, ask: Ask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    name = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    theirs, before = logging.getLogger(name), [*logging.getLogger(name).filters]
    start(otlp_endpoint=nobody, otlp_protocol="http/protobuf", otlp_shutdown_timeout=0.01)
    ask()
    spantape.flush(0.1)
    theirs.error("theirs")
    spantape.uninstrument()
    for thread in threading.enumerate():
        if thread.name == "spantape-otlp":
            thread.join(PATIENCE)
    assert theirs.filters == before
    assert [entry.getMessage() for entry in caplog.records if entry.name == name] == ["theirs"]


# --- the thread, and what waits for it


def test_batches_are_full_or_due_or_asked_for() -> None:
    exporter = Exporter()
    processor = sender_to(exporter, size=3)
    tracer = tracer_to(processor)
    for number in range(7):
        tracer.start_span(str(number)).end()
    assert processor.force_flush(60_000)
    assert [len(batch) for batch in exporter.batches] == [3, 3, 1]
    assert exporter.names == list("0123456")
    processor.shutdown()
    quick = sender_to(exporter, size=3, interval=0.01)
    exporter.waiting.clear()
    tracer_to(quick).start_span("due").end()
    assert exporter.waiting.wait(PATIENCE)
    quick.shutdown()


def test_shutdown_sends_the_rest_and_closes_the_exporter() -> None:
    exporter = Exporter()
    processor = sender_to(exporter, size=100)
    tracer = tracer_to(processor)
    tracer.start_span("last").end()
    processor.shutdown()
    processor.shutdown()
    assert exporter.names == ["last"]
    assert exporter.closed.wait(PATIENCE)
    tracer.start_span("too late").end()
    assert not processor.force_flush(10)
    assert exporter.names == ["last"]


def test_a_slow_backend_loses_what_is_too_much_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender, "_MOST_WAITING", 5)
    exporter = Exporter()
    exporter.gate.clear()
    processor = sender_to(exporter, size=1)
    tracer = tracer_to(processor)
    tracer.start_span("first").end()
    assert exporter.waiting.wait(PATIENCE)
    for number in range(20):
        tracer.start_span(str(number)).end()
    assert not processor.force_flush(10)
    exporter.gate.set()
    assert processor.force_flush(60_000)
    assert exporter.names == ["first", *"01234"]
    assert [line.partition("once: ")[2] for line in caplog.messages] == ["5 wait already, so further ones are left out"]
    processor.shutdown()


def test_what_waits_is_bounded_in_characters_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_MOST_CHARACTERS", 2500)
    exporter = Exporter()
    exporter.gate.clear()
    processor = sender_to(exporter, size=1)
    tracer = tracer_to(processor)
    tracer.start_span("first").end()
    assert exporter.waiting.wait(PATIENCE)
    for round_ in ("a", "b"):
        for number in range(5):
            tracer.start_span(f"{round_}{number}", attributes={"text": "x" * 1000}).end()
        exporter.gate.set()
        assert processor.force_flush(60_000)
        exporter.gate.clear()
        tracer.start_span("next").end()
    exporter.gate.set()
    processor.shutdown()
    assert exporter.names == ["first", "a0", "a1", "a2", "next", "b0", "b1", "b2", "next"]


def test_after_giving_up_the_rest_is_not_tried() -> None:
    exporter = Exporter()
    exporter.gate.clear()
    processor = sender_to(exporter, size=1, patience=0.01)
    tracer = tracer_to(processor)
    tracer.start_span("0").end()
    assert exporter.waiting.wait(PATIENCE)
    for number in range(1, 5):
        tracer.start_span(str(number)).end()
    processor.shutdown()
    exporter.gate.set()
    assert exporter.closed.wait(PATIENCE)
    assert exporter.names == ["0"]


def test_the_exporters_own_requests_are_not_traced(collector: Received, start: Ask, ask: Ask) -> None:
    from opentelemetry.instrumentation.utils import is_instrumentation_enabled

    seen: list[bool] = []

    class Looking(Exporter):
        def export(self, spans: Any) -> SpanExportResult:
            seen.append(is_instrumentation_enabled())
            return super().export(spans)

    processor = sender_to(Looking(), size=1)
    tracer_to(processor).start_span("x").end()
    processor.shutdown()
    assert seen == [False]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_forked_child_sends_its_own(protocol: str, server: ScriptedServer, tmp_path: Path) -> None:
    receiver: Any = grpc_receiver if protocol == "grpc" else http_receiver
    with receiver() as backend:
        run(
            """
            import os, warnings, spantape
            warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
            url, folder, endpoint, protocol = sys.argv[1:]
            spantape.instrument(
                base_dir=folder, otlp_endpoint=endpoint, otlp_protocol=protocol, flush_interval=3600
            )
            ask(url, "parent, first")
            child = os.fork()
            ask(url, "parent" if child else "child")
            assert spantape.flush(8)
            if child:
                assert os.waitpid(child, 0)[1] == 0
            """,
            server.url,
            tmp_path / "records",
            backend.url,
            protocol,
        )
    assert len(backend.ours) == 3
    assert len({span["span_id"] for span in backend.ours}) == 3
