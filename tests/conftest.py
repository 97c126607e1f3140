"""Every test starts unconfigured and uninstrumented, in an empty folder; failures of ours are raised."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

import spantape
from recorded import Recorded
from spantape.testing import ScriptedServer

OURS = ("SPANTAPE_", "LLM_", "OTEL_", "OPENAI_", "AZURE_", "LANGSMITH_", "LANGCHAIN_")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(OURS) and not name.startswith("SPANTAPE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SPANTAPE_GUARD_RAISES", "1")
    here = tmp_path / "cwd"
    here.mkdir()
    monkeypatch.chdir(here)
    yield
    spantape.uninstrument()
    assert not trace.get_current_span().get_span_context().is_valid, "a span was left current"


@pytest.fixture
def forgiving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own failures are swallowed, as in production."""
    monkeypatch.delenv("SPANTAPE_GUARD_RAISES")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "records")


@pytest.fixture
def ask(server: ScriptedServer) -> Iterator[Callable[..., Any]]:
    """Asks a model of the scripted server."""
    import openai

    http = openai.DefaultHttpxClient(verify=False)
    with openai.OpenAI(base_url=server.url, api_key="test", http_client=http, max_retries=0) as client:

        def create(content: Any = "hi", **more: Any) -> Any:
            body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}]} | more
            return client.chat.completions.create(**body)

        yield create
