"""Metrics of calls, under today's names or the newest, as soon as there is a MeterProvider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openai_ways import BODY, USAGE, WAYS, async_client, sync_client
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import openai
import spantape
from recorded import Recorded
from spantape.testing import ScriptedServer, completion, error

CHARTED = {"gen_ai.client.operation.duration", "gen_ai.client.token.usage", "spantape.client.operation.cost"}
STREAMED = {"gen_ai.client.operation.time_to_first_chunk", "gen_ai.client.operation.time_per_output_chunk"}
USED = {"prompt_tokens": 10, "completion_tokens": 4}
DETAILED = {
    **USED,
    "prompt_tokens_details": {"cached_tokens": 6, "audio_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
}


class Measured:
    def __init__(self, base_dir: Path, **settings: Any) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.recorded = Recorded(base_dir, meter_provider=self.provider, **settings)

    def points(self) -> dict[str, list[Any]]:
        data = self.reader.get_metrics_data()
        found: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                assert scope.scope.name == "spantape.openai"
                for metric in scope.metrics:
                    found[metric.name] = list(metric.data.data_points)
        return found


@pytest.fixture
def measured(tmp_path: Path) -> Measured:
    return Measured(tmp_path / "records")


def sums(points: list[Any], key: str) -> dict[Any, float]:
    return {point.attributes[key]: getattr(point, "sum", None) or getattr(point, "value", 0) for point in points}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_is_measured_once(name: str, server: ScriptedServer, measured: Measured) -> None:
    way = WAYS[name]
    way.run(server.url)
    points = measured.points()
    streamed = STREAMED if "lines" not in name else {"gen_ai.client.operation.time_to_first_chunk"}
    assert set(points) == CHARTED | (streamed if way.streams else set())
    duration = points["gen_ai.client.operation.duration"]
    assert [point.count for point in duration] == [1]
    assert duration[0].attributes["gen_ai.operation.name"] == "chat"
    assert duration[0].attributes["gen_ai.request.model"] == "gpt-4o-mini"
    assert duration[0].attributes["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert duration[0].attributes["server.address"] == "127.0.0.1"
    tokens = sums(points["gen_ai.client.token.usage"], "gen_ai.token.type")
    attributes = measured.recorded.attributes
    assert tokens == {
        "input": attributes["gen_ai.usage.input_tokens"],
        "output": attributes["gen_ai.usage.output_tokens"],
    }


def chat(server: ScriptedServer, **body: Any) -> Any:
    with sync_client(server.url, max_retries=0) as client:
        return client.chat.completions.create(**{**BODY, **body})


def test_a_stream_has_its_chunks_timed(server: ScriptedServer, measured: Measured) -> None:
    chunks = len(list(chat_stream(server)))
    points = measured.points()
    (first,), (others,) = (points[name] for name in sorted(STREAMED, reverse=True))
    assert (first.count, others.count) == (1, chunks - 1)
    (whole,) = points["gen_ai.client.operation.duration"]
    assert first.sum + others.sum <= whole.sum


def chat_stream(server: ScriptedServer) -> Any:
    with sync_client(server.url) as client:
        yield from client.chat.completions.create(**BODY, **USAGE)


def test_an_error_is_counted_with_its_type(server: ScriptedServer, measured: Measured) -> None:
    server.replies(error(429, "slow down"))
    with pytest.raises(openai.RateLimitError):
        chat(server)
    points = measured.points()
    assert set(points) == {"gen_ai.client.operation.duration"}
    assert points["gen_ai.client.operation.duration"][0].attributes["error.type"] == "openai.RateLimitError"


def test_the_newest_names(server: ScriptedServer, tmp_path: Path) -> None:
    measured = Measured(tmp_path, metrics="latest")
    server.replies(completion("hi", usage=DETAILED))
    chat(server)
    points = measured.points()
    assert not [name for name in points if name.startswith("gen_ai.client.operation.d") or "token.usage" in name]
    usage = "gen_ai.client.inference.usage"
    modality = "gen_ai.token.modality"
    assert [point.count for point in points["gen_ai.client.inference.duration"]] == [1]
    assert sums(points[f"{usage}.input_tokens"], modality) == {"audio": 3, "unknown": 7}
    assert sums(points[f"{usage}.output_tokens"], modality) == {"unknown": 4}
    assert sums(points[f"{usage}.cache_read.input_tokens"], modality) == {"unknown": 6}
    assert sums(points[f"{usage}.reasoning.output_tokens"], modality) == {"unknown": 2}
    assert points["gen_ai.client.inference.operation.input_tokens"][0].sum == 10
    assert points["gen_ai.client.inference.operation.output_tokens"][0].sum == 4


def test_a_failed_inference_counts_no_tokens_of_unknown_kind(server: ScriptedServer, tmp_path: Path) -> None:
    measured = Measured(tmp_path, metrics="latest")
    server.replies(error(500, "no"))
    with pytest.raises(openai.InternalServerError):
        chat(server)
    points = measured.points()
    for side in ("input", "output"):
        (point,) = points[f"gen_ai.client.inference.usage.{side}_tokens"]
        assert (point.value, point.attributes["gen_ai.token.modality"]) == (0, "unknown")
        assert f"gen_ai.client.inference.operation.{side}_tokens" not in points


def test_a_call_that_is_not_sampled_is_measured_all_the_same(server: ScriptedServer, tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    tracers = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    spantape.instrument(files=False, tracer_provider=tracers, meter_provider=meters)
    chat(server)
    list(chat_stream(server))
    data = reader.get_metrics_data()
    assert data is not None
    metrics = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    assert sum(point.count for point in metrics["gen_ai.client.operation.duration"].data.data_points) == 2
    assert sum(point.count for point in metrics["gen_ai.client.token.usage"].data.data_points) == 4


def test_off_by_setting(server: ScriptedServer, tmp_path: Path) -> None:
    measured = Measured(tmp_path, metrics="off")
    chat(server)
    assert measured.points() == {}


@pytest.mark.parametrize("names", ["current", "latest"])
def test_a_cost_is_measured(names: str, server: ScriptedServer, tmp_path: Path) -> None:
    measured = Measured(tmp_path, metrics=names)
    chat(server, model="gpt-4o-mini")
    (point,) = measured.points()["spantape.client.operation.cost"]
    assert point.sum == pytest.approx(measured.recorded.attributes["spantape.cost.total"])
    assert point.attributes["spantape.cost.currency"] == "USD"


def test_currencies_are_not_added_up(server: ScriptedServer, tmp_path: Path) -> None:
    row = {"model": "gpt-4", "currency": "CNY", "input_price_per_1k": 1, "output_price_per_1k": 1}
    measured = Measured(tmp_path, prices=[row])
    chat(server, model="gpt-4")
    chat(server, model="gpt-4o-mini")
    points = measured.points()["spantape.client.operation.cost"]
    assert sorted(point.attributes["spantape.cost.currency"] for point in points) == ["CNY", "USD"]


def test_async_is_measured(server: ScriptedServer, measured: Measured) -> None:
    import asyncio

    async def main() -> None:
        async with async_client(server.url) as client:
            await asyncio.gather(*(client.chat.completions.create(**BODY) for _ in range(5)))

    asyncio.run(main())
    assert measured.points()["gen_ai.client.operation.duration"][0].count == 5
