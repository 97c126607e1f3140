"""The instrumentor alone, what it leaves behind, and what it leaves alone."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai._base_client as base
import pytest
import wrapt
from openai_ways import BODY, sync_client

import openai
import spantape
from recorded import Recorded
from spantape.instrumentors.openai import OpenAIInstrumentor
from spantape.testing import Reply, ScriptedServer

PLACES = [
    (owner, name)
    for owner in (base.BaseClient, base.SyncAPIClient, base.AsyncAPIClient)
    for name in ("request", "_build_request", "_process_response")
    if name in vars(owner)
]


def originals() -> list[Any]:
    return [vars(owner)[name] for owner, name in PLACES]


def test_uninstrument_restores_every_object(tmp_path: Path) -> None:
    before = originals()
    for _ in range(2):
        spantape.instrument(base_dir=tmp_path)
        assert all(now is not then for now, then in zip(originals(), before, strict=True))
        spantape.uninstrument()
        assert all(now is then for now, then in zip(originals(), before, strict=True))


def test_instrument_twice_wraps_once(server: ScriptedServer, recorded: Recorded) -> None:
    wrapped = originals()
    spantape.instrument()
    assert all(now is then for now, then in zip(originals(), wrapped, strict=True))
    with sync_client(server.url) as client:
        client.chat.completions.create(**BODY)
    assert len(recorded.spans) == 1


def plainly(ours: Any) -> Any:
    def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
        return ours(self, *args, **kwargs)

    return theirs


def by_copying(ours: Any) -> Any:
    return functools.wraps(ours)(plainly(ours))


def by_proxy(ours: Any) -> Any:
    return wrapt.FunctionWrapper(ours, lambda wrapped, _, args, kwargs: wrapped(*args, **kwargs))


@pytest.mark.parametrize("wrap", [plainly, by_copying, by_proxy])
def test_someone_elses_wrapper_is_left_alone(wrap: Any, tmp_path: Path, server: ScriptedServer) -> None:
    original = vars(base.SyncAPIClient)["request"]
    recorded = Recorded(tmp_path)
    theirs = wrap(base.SyncAPIClient.request)
    base.SyncAPIClient.request = theirs  # type: ignore[method-assign]
    try:
        spantape.uninstrument()
        assert vars(base.SyncAPIClient)["request"] is theirs
        with sync_client(server.url) as client:
            assert client.chat.completions.create(**BODY).choices
        assert recorded.spans == []
    finally:
        base.SyncAPIClient.request = original  # type: ignore[method-assign]


def test_someone_elses_proxy_is_called_as_before(
    tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []

    def theirs(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        called.append((type(instance), len(args)))
        return wrapped(*args, **kwargs)

    original = vars(base.SyncAPIClient)["request"]
    monkeypatch.setattr(base.SyncAPIClient, "request", wrapt.FunctionWrapper(original, theirs))
    recorded = Recorded(tmp_path)
    with sync_client(server.url) as client:
        client.chat.completions.create(**BODY)
    spantape.uninstrument()
    assert called == [(openai.OpenAI, 2)]
    assert len(recorded.spans) == 1


def test_what_was_ours_before_is_put_back_by_someone(
    tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It records nothing any more: what is ours now has to stand around it, from the second call on."""
    Recorded(tmp_path / "before")
    stale = base.SyncAPIClient.request
    spantape.uninstrument()
    recorded = Recorded(tmp_path / "after")
    monkeypatch.setattr(openai.OpenAI, "request", stale)
    with sync_client(server.url) as client:
        for _ in range(3):
            client.chat.completions.create(**BODY)
    spantape.uninstrument()
    assert vars(openai.OpenAI)["request"] is stale
    assert len(recorded.spans) == 2


def test_clients_and_accessors_from_before_and_after(server: ScriptedServer, tmp_path: Path) -> None:
    with sync_client(server.url) as client:
        create = client.chat.completions.create
        raw = client.chat.completions.with_raw_response
        recorded = Recorded(tmp_path)
        create(**BODY)
        raw.create(**BODY)
        assert len(recorded.spans) == 2
        spantape.uninstrument()
        create(**BODY)
        raw.create(**BODY)
        assert len(recorded.spans) == 2


def test_alone_with_a_provider(server: ScriptedServer) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    OpenAIInstrumentor().instrument(tracer_provider=provider, skip_dep_check=True)
    try:
        with sync_client(server.url) as client:
            client.chat.completions.create(**BODY)
    finally:
        OpenAIInstrumentor().uninstrument()
    (span,) = exporter.get_finished_spans()
    assert span.instrumentation_scope.name == "spantape.openai"
    assert span.attributes["gen_ai.output.messages"]


def test_models_and_other_paths_make_no_span(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(Reply({"object": "list", "data": []}), Reply({"id": "x"}))
    with sync_client(server.url) as client:
        client.models.list()
        client.post("/embeddings/x", body={}, cast_to=object)
    assert recorded.spans == []


def test_errors_before_the_request_are_the_users_own(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client, pytest.raises(TypeError):
        client.chat.completions.create(model="m")  # type: ignore[call-overload]
    assert recorded.spans == []


def test_connection_refused(recorded: Recorded) -> None:
    with ScriptedServer() as server:
        url = server.url
    with sync_client(url, max_retries=0) as client, pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(**BODY)
    assert recorded.attributes["error.type"] == "openai.APIConnectionError"


def test_http_spans_nest_and_the_context_is_given_back(server: ScriptedServer, recorded: Recorded) -> None:
    from opentelemetry import context, trace

    inside = []

    with sync_client(server.url) as client:
        prepare = client._prepare_options
        client._prepare_options = lambda options: (inside.append(trace.get_current_span()), prepare(options))[1]  # type: ignore[method-assign]
        before = context.get_current()
        client.chat.completions.create(**BODY)
        assert context.get_current() is before
    assert inside[0].get_span_context().span_id == recorded.span.context.span_id


def test_openai_is_imported_late(tmp_path: Path) -> None:
    script = f"""
import sys, spantape
spantape.instrument(base_dir={str(tmp_path)!r})
assert "openai" not in sys.modules
import openai._base_client as base
assert hasattr(base.SyncAPIClient.__dict__["request"], "__wrapped__")
spantape.uninstrument()
assert not hasattr(base.SyncAPIClient.__dict__["request"], "__wrapped__")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


def test_without_openai(tmp_path: Path) -> None:
    script = f"""
import sys, logging
sys.modules["openai"] = None
logging.basicConfig(level=logging.INFO)
import spantape
spantape.instrument(base_dir={str(tmp_path)!r})
spantape.uninstrument()
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, timeout=300, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
