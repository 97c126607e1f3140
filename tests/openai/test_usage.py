"""Usage that a stream does not give by itself: asked for on request, or estimated and marked as such."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from openai_ways import BODY, USAGE, async_client, delta, sync_client

import openai
from recorded import Recorded
from spantape.testing import ScriptedServer
from spantape.testing import stream as scripted

HOST = "127.0.0.1"


def stream(server: ScriptedServer, **body: Any) -> list[Any]:
    with sync_client(server.url) as client:
        return list(client.chat.completions.create(**{**BODY, "stream": True, **body}))


def async_stream(server: ScriptedServer) -> list[Any]:
    async def main() -> list[Any]:
        async with async_client(server.url) as client:
            return [chunk async for chunk in await client.chat.completions.create(**BODY, stream=True)]

    return asyncio.run(main())


@pytest.mark.parametrize("call", [stream, async_stream])
def test_the_extra_chunk_is_asked_for_and_hidden(call: Any, server: ScriptedServer, tmp_path: Path) -> None:
    bare = call(server)
    recorded = Recorded(tmp_path, include_usage=HOST)
    seen = call(server)
    assert server.requests[-1].body["stream_options"] == {"include_usage": True}
    assert [delta(chunk) for chunk in seen] == [delta(chunk) for chunk in bare]
    assert all(chunk.choices for chunk in seen)
    assert len(seen) == len(bare)
    assert recorded.attributes["gen_ai.usage.input_tokens"] > 0
    assert recorded.attributes["spantape.stream.end"] == "completed"


def test_other_chunks_without_choices_are_shown(server: ScriptedServer, tmp_path: Path) -> None:
    """Azure tells first what its filter has found in the prompt."""
    filtered = {"id": "", "model": "", "object": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    reply = scripted("hi", usage=True)
    server.replies(reply.but(chunks=[filtered, *(reply.chunks or ())]))
    recorded = Recorded(tmp_path, include_usage="*")
    seen = stream(server)
    assert [bool(chunk.choices) for chunk in seen] == [False, *[True] * (len(seen) - 1)]
    assert recorded.attributes["gen_ai.usage.input_tokens"] > 0


def test_the_helper_gets_what_it_would_have_got(server: ScriptedServer, tmp_path: Path) -> None:
    def run() -> Any:
        with sync_client(server.url) as client:
            helper = getattr(client.chat.completions, "stream", None) or client.beta.chat.completions.stream
            with helper(**BODY) as events:
                return events.get_final_completion()

    bare = run()
    recorded = Recorded(tmp_path, include_usage="*")
    assert run().usage == bare.usage
    assert recorded.attributes["gen_ai.usage.output_tokens"] > 0


@pytest.mark.parametrize("hosts", [None, "api.openai.com", "example.com, 27.0.0.1"])
def test_other_hosts_are_not_asked(hosts: str | None, server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, include_usage=hosts, estimate_usage=False)
    stream(server)
    assert "stream_options" not in server.requests[-1].body
    assert "gen_ai.usage.input_tokens" not in recorded.attributes


@pytest.mark.parametrize("body", [{"stream": False}, USAGE, {"stream_options": {"include_usage": False}}])
def test_the_applications_will_is_done(body: dict[str, Any], server: ScriptedServer, tmp_path: Path) -> None:
    Recorded(tmp_path, include_usage="*")
    with sync_client(server.url) as client:
        result = client.chat.completions.create(**{**BODY, "stream": True, **body})
        chunks = list(result) if isinstance(result, openai.Stream) else []
    assert server.requests[-1].body.get("stream_options") == body.get("stream_options")
    asked = (body.get("stream_options") or {}).get("include_usage")
    assert any(not chunk.choices for chunk in chunks) is bool(asked)


def test_who_reads_the_bytes_himself_is_left_alone(server: ScriptedServer, tmp_path: Path) -> None:
    Recorded(tmp_path, include_usage="*")
    with sync_client(server.url) as client:
        with client.chat.completions.with_streaming_response.create(**BODY, stream=True) as response:
            list(response.iter_lines())
        list(client.chat.completions.with_raw_response.create(**BODY, stream=True).parse())
    assert all("stream_options" not in request.body for request in server.requests if request.method == "POST")


@pytest.fixture
def encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoding of the real tiktoken, in memory, in which each byte is a token: none has to be fetched."""
    tiktoken = pytest.importorskip("tiktoken")
    from tiktoken import registry

    made = tiktoken.Encoding(
        "o200k_base", pat_str=r".+|\n", mergeable_ranks={bytes([byte]): byte for byte in range(256)}, special_tokens={}
    )
    monkeypatch.setitem(registry.ENCODINGS, "o200k_base", made)


def loaded() -> None:
    for thread in threading.enumerate():
        if thread.name == "spantape-tiktoken":
            thread.join(60)


@pytest.mark.usefixtures("encoding")
@pytest.mark.parametrize("model", ["gpt-4o-mini", "qwen-max"])
def test_an_estimate_is_marked(model: str, server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    stream(server, model=model)
    loaded()
    recorded.exporter.clear()
    said = "".join(map(delta, stream(server, model=model)))
    found = recorded.attributes
    assert found["spantape.usage.estimated"] is True
    assert found["gen_ai.usage.output_tokens"] == len(said.encode())
    words = "\n".join(message["content"] for message in BODY["messages"])
    assert found["gen_ai.usage.input_tokens"] == len(words.encode()) + 3 * len(BODY["messages"]) + 3
    assert recorded.records[-1]["usage"]["estimated"] is True
    assert found.get("spantape.cost.source", "estimated usage").startswith("estimated usage")


@pytest.mark.usefixtures("encoding")
@pytest.mark.parametrize(("prompt", "tokens"), [("你好!", 7), (["ab", "c"], 4), ([1, 2, 3], 3), ([[1, 2], [3]], 3)])
def test_an_estimate_of_a_text_completion(prompt: Any, tokens: int, server: ScriptedServer, tmp_path: Path) -> None:
    """Prompts stand alone, a line each; token ids are counted already."""
    recorded = Recorded(tmp_path)
    with sync_client(server.url) as client:
        for _ in range(2):
            recorded.exporter.clear()
            chunks = client.completions.create(model="qwen-max", prompt=prompt, stream=True)
            choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
            loaded()
    found = recorded.attributes
    assert found["spantape.usage.estimated"] is True
    assert found["gen_ai.usage.input_tokens"] == tokens
    breaks = len({choice.index for choice in choices}) - 1  # several answers are counted a line each
    assert found["gen_ai.usage.output_tokens"] == sum(len(choice.text.encode()) for choice in choices) + breaks


def test_a_text_completion_is_asked_for_its_usage(server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, include_usage=HOST)
    with sync_client(server.url) as client:
        chunks = list(client.completions.create(model="gpt-3.5-turbo-instruct", prompt="a", stream=True))
    assert server.requests[-1].body["stream_options"] == {"include_usage": True}
    assert all(chunk.choices for chunk in chunks)
    assert recorded.attributes["gen_ai.usage.output_tokens"] > 0


@pytest.mark.usefixtures("encoding")
@pytest.mark.parametrize("names", ["current", "latest"])
def test_an_estimate_is_no_measurement(names: str, server: ScriptedServer, tmp_path: Path) -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    Recorded(tmp_path, meter_provider=MeterProvider([reader], shutdown_on_exit=False), metrics=names)
    for _ in range(2):
        stream(server)
        loaded()
    data = reader.get_metrics_data()
    assert data is not None
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    counted = [point for metric in metrics if "token" in metric.name for point in metric.data.data_points]
    assert [getattr(point, "value", None) or getattr(point, "sum", 0) for point in counted if point] == [0] * len(
        counted
    )
    assert not [metric.name for metric in metrics if "cost" in metric.name]


@pytest.mark.usefixtures("encoding")
def test_real_figures_are_never_touched(server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    stream(server)
    loaded()
    recorded.exporter.clear()
    stream(server, **USAGE)
    assert "spantape.usage.estimated" not in recorded.attributes


@pytest.mark.usefixtures("encoding")
def test_it_needs_no_content_on_the_span(server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, capture_content=False)
    stream(server)
    loaded()
    recorded.exporter.clear()
    stream(server)
    assert recorded.attributes["gen_ai.usage.output_tokens"] > 0
    assert "gen_ai.input.messages" not in recorded.attributes


def test_no_encoding_is_ever_fetched(server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tiktoken")
    from tiktoken import load, registry

    asked: list[str] = []
    monkeypatch.setattr(load, "read_file", asked.append)
    monkeypatch.setattr(registry, "ENCODINGS", {})
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "cache"))
    recorded = Recorded(tmp_path / "records")
    for _ in range(2):
        stream(server)
        loaded()
    assert asked == []
    assert all("gen_ai.usage.input_tokens" not in span.attributes for span in recorded.spans)


@pytest.mark.usefixtures("encoding")
def test_off_by_setting(server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, estimate_usage=False)
    for _ in range(2):
        stream(server)
        loaded()
    assert all("gen_ai.usage.input_tokens" not in span.attributes for span in recorded.spans)
