"""What the receiver refuses is sent in smaller pieces, or left out: never again unchanged, and never for long."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import spantape
from receivers import Received, grpc_receiver

MB = 1024 * 1024
INPUT = "gen_ai.input.messages"

Ask = Callable[..., Any]


@pytest.fixture
def begin(backend: Any, start: Ask) -> Ask:
    def begin(**more: Any) -> None:
        start(otlp_endpoint=backend.url, otlp_protocol=backend.protocol, flush_interval=3600, **more)

    return begin


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records]


def takes_at_most(most: int) -> Callable[[bytes], int]:
    return lambda request: 200 if len(request) <= most else 413


def test_a_grpc_server_that_takes_less_than_we_were_told(start: Ask, ask: Ask) -> None:
    with grpc_receiver() as backend:
        start(otlp_endpoint=backend.url, otlp_protocol="grpc", otlp_max_bytes=16 * MB, flush_interval=3600)
        for _ in range(8):
            ask("x" * MB, says="ok")
        assert spantape.flush(8)
        assert len(backend.ours) == 8
        assert all(2 * MB < size < 4 * MB for size in backend.requests)


def test_a_batch_is_halved_until_it_is_taken(
    backend: Any, begin: Ask, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    backend.judge = takes_at_most(250_000)
    begin()
    for number in range(16):
        ask(f"{number}" + "x" * 50_000, says="ok")
    assert spantape.flush(8)
    records = spantape.recordings().get_latest_interactions()[::-1]
    assert [span["span_id"] for span in backend.ours] == [record["span_id"] for record in records]
    assert [round(size / 51_500) for size in backend.refused] == [16, 8, 8]
    [line] = lines(caplog)
    assert line.startswith("The OTLP receiver refuses 8")
    assert line.endswith("If it is the size, set otlp_max_bytes to what the receiver takes")


def test_a_single_span_is_sent_with_less_of_what_was_said(backend: Any, begin: Ask, ask: Ask) -> None:
    backend.judge = takes_at_most(60_000)
    begin()
    ask("x" * 200_000, says="ok")
    assert spantape.flush(8)
    [span] = backend.ours
    [part] = json.loads(span["attributes"][INPUT])[0]["parts"]
    assert (part["truncated"], part["original_length"]) == (True, 200_000)
    assert 20_000 < len(part["content"]) < 60_000
    assert len(backend.refused) == len(set(backend.refused)) == 2
    assert spantape.recordings().get_latest_interactions(1)[0]["prompt"] == "x" * 200_000


def test_one_bad_span_costs_no_other(backend: Any, begin: Ask, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    backend.judge = lambda request: 400 if b"POISON" in request else 200
    begin()
    for number in range(64):
        ask("POISON" if number == 37 else "hi")
    assert spantape.flush(8)
    assert len(backend.ours) == 63
    assert len(backend.refused) == 7
    assert len(lines(caplog)) == 1


@pytest.mark.parametrize("status", [400, 413])
def test_a_receiver_that_refuses_everything_is_soon_left_alone(
    status: int, backend: Any, begin: Ask, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    backend.judge = lambda request: status
    begin()
    for _ in range(50):
        ask("x" * 20_000, says="ok")
    assert spantape.flush(8)
    assert len(backend.refused) == 16
    assert len(set(backend.refused)) >= 6
    ask("x" * 100_000, says="ok")
    assert spantape.flush(8)
    assert len(backend.refused) <= 16 + 4
    assert backend.ours == []
    assert len(lines(caplog)) == 1


def test_little_that_is_refused_as_too_much_is_not_sent_again(backend: Any, begin: Ask, ask: Ask) -> None:
    backend.judge = lambda request: 413
    begin()
    for _ in range(3):
        ask()
    assert spantape.flush(8)
    assert len(backend.refused) == 1


def test_what_is_not_refused_for_what_it_is_is_not_cut(
    backend: Any, begin: Ask, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    backend.judge = lambda request: 401
    begin()
    for _ in range(2):
        ask("x" * 50_000, says="ok")
        ask("x" * 50_000, says="ok")
        assert spantape.flush(8)
    assert len(backend.refused) == 2
    [line] = lines(caplog)
    assert line.startswith("spantape can't send spans over OTLP, and says so only once: Failed to export")
    assert "401" in line or "UNAUTHENTICATED" in line


def test_a_receiver_that_says_later_gets_the_same_later(start: Ask, ask: Ask) -> None:
    with grpc_receiver() as backend:
        backend.judge = lambda request: 200 if backend.refused else 429
        start(otlp_endpoint=backend.url, otlp_protocol="grpc", flush_interval=3600)
        for _ in range(2):
            ask("x" * 50_000, says="ok")
        assert spantape.flush(8)
    assert backend.requests == backend.refused
    assert len(backend.ours) == 2


def test_a_credential_provider_named_by_opentelemetrys_variable_holds(
    collector: Received, start: Ask, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry.sdk import environment_variables

    if not hasattr(environment_variables, "_OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER"):
        pytest.skip("this version knows no credential providers")
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "none-of-that-name")
    with pytest.raises(RuntimeError, match="none-of-that-name"):
        start(otlp_endpoint=collector.url, otlp_protocol="http/protobuf")
