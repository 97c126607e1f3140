"""Two real calls, sent over OTLP: a running Jaeger and a running Tempo must have what the local files say."""

import base64
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spantape
from spantape.testing import ScriptedServer

Record = dict[str, Any]
Attributes = dict[str, Any]

MODEL = "gpt-4o-mini"
PLAIN = "你好，请用一句话介绍杭州。"
# Longer than the 2048 bytes at which Tempo cuts an attribute by default: the stack of the repository must not.
STREAMED = "请把“流式输出”翻译成英文。" * 100
DEADLINE = 30.0
# Never through a proxy of the environment: it would answer in place of a local backend.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def backend_url(variable: str, example: str) -> str:
    if not (url := os.environ.get(variable)):
        pytest.skip(f"no live backend: set {variable} (for example {example}) to run this test")
    return url.rstrip("/")


@pytest.fixture
def jaeger() -> str:
    return backend_url("SPANTAPE_TEST_JAEGER_URL", "http://localhost:16686") + "/api/v3/traces"


@pytest.fixture
def tempo() -> str:
    return backend_url("SPANTAPE_TEST_TEMPO_URL", "http://localhost:3200") + "/api/v2/traces"


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """Make the calls, send their spans, and give the local records of them."""
    endpoint = os.environ.get("SPANTAPE_TEST_OTLP_ENDPOINT", "http://localhost:4317")
    spantape.instrument(base_dir=tmp_path, otlp_endpoint=endpoint)
    try:
        ask(PLAIN, STREAMED)
        assert spantape.flush(10), f"nothing takes spans at {endpoint}: set SPANTAPE_TEST_OTLP_ENDPOINT"
        return list(spantape.recordings(tmp_path).get_latest_interactions())
    finally:
        spantape.uninstrument()


def ask(plain: str, streamed: str) -> None:
    import openai

    with ScriptedServer() as server, openai.OpenAI(base_url=server.url, api_key="test", max_retries=0) as client:
        create = client.chat.completions.create
        create(model=MODEL, messages=[{"role": "user", "content": plain}])
        list(create(model=MODEL, messages=[{"role": "user", "content": streamed}], stream=True))


def test_jaeger_has_both_calls(jaeger: str, records: list[Record]) -> None:
    check_arrived(jaeger, records)


def test_tempo_has_both_calls(tempo: str, records: list[Record]) -> None:
    check_arrived(tempo, records)


def check_arrived(traces: str, records: list[Record]) -> None:
    spans = [wait_for_span(f"{traces}/{record['trace_id']}", record["span_id"]) for record in records]
    assert [span["gen_ai.request.model"] for span in spans] == [MODEL, MODEL]
    assert {question(span) for span in spans} == {PLAIN, STREAMED}


def question(span: Attributes) -> str:
    """Give what was asked; that it is valid JSON shows that nobody on the way cut it."""
    (message,) = json.loads(span["gen_ai.input.messages"])
    return str(message["parts"][0]["content"])


def wait_for_span(url: str, span_id: str) -> Attributes:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if found := dict(spans_of(fetch(url))).get(span_id):
            return found
        time.sleep(0.25)
    raise AssertionError(f"span {span_id} did not arrive within {DEADLINE:.0f} s: {url}")


def fetch(url: str) -> Any:
    """Give the answer, which is empty for as long as the backend does not know the trace."""
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    try:
        with OPENER.open(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 404:
                raise
        return {}


def spans_of(answer: Any) -> Iterator[tuple[str, Attributes]]:
    """Walk the OTLP JSON, which Jaeger wraps in `result` and Tempo in `trace`."""
    trace = answer.get("result") or answer.get("trace") or {}
    for resource in trace.get("resourceSpans", ()):
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                yield hex_id(span["spanId"]), attributes_of(span)


def attributes_of(span: dict[str, Any]) -> Attributes:
    return {item["key"]: next(iter(item["value"].values()), None) for item in span.get("attributes", ())}


def hex_id(text: str) -> str:
    """Give an id in hex: as OTLP writes it (16 digits), or from protobuf's base64 (12 characters)."""
    return text if len(text) == 16 else base64.b64decode(text).hex()
