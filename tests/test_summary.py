"""`session(...).summary`: what the calls inside added up to."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from openai_ways import BODY, USAGE, async_client, sync_client
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import openai
import spantape
from recorded import Recorded
from spantape.instrumentors import _call
from spantape.testing import ScriptedServer, completion, error

KEYS = [
    *("total_api_calls", "total_tokens", "prompt_tokens", "completion_tokens", "total_cost_usd"),
    *("avg_duration_ms", "models_used"),
]


def told(**more: Any) -> Any:
    return completion("x", usage={"prompt_tokens": 1000, "completion_tokens": 100}, **more)


def test_sums(recorded: Recorded, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0, 1, 10, 12, 20, 26])  # when each call begins and ends
    monkeypatch.setattr(_call, "time", SimpleNamespace(time=time.time, perf_counter=lambda: next(seconds)))
    server.replies(told(), told(), error(500, "broken"))
    with sync_client(server.url, max_retries=0) as client, spantape.session("5") as session:
        client.chat.completions.create(**BODY)
        client.chat.completions.create(**{**BODY, "model": "gpt-4o"})
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(**BODY)
    summary = session.summary
    assert list(summary) == KEYS
    assert summary["total_api_calls"] == 3
    assert (summary["prompt_tokens"], summary["completion_tokens"], summary["total_tokens"]) == (2000, 200, 2200)
    costs = [record["cost"]["total"] for record in recorded.records if record["cost"]]
    assert summary["total_cost_usd"] == pytest.approx(sum(costs))
    assert summary["avg_duration_ms"] == 3000
    assert summary["models_used"] == ["gpt-4o-mini", "gpt-4o"]


def test_costs_in_another_currency_are_told_beside(server: ScriptedServer) -> None:
    prices = [{"model": "mine", "currency": "CNY", "input_price_per_1k": 2, "output_price_per_1k": 10}]
    spantape.instrument(prices=prices)
    server.replies(told(), told(model="mine"), told(model="mine"))
    with sync_client(server.url) as client, spantape.session("5") as session:
        for model in ("gpt-4o-mini", "mine", "mine"):
            client.chat.completions.create(**{**BODY, "model": model})
    assert session.summary["other_costs"] == {"CNY": pytest.approx(6)}
    assert session.summary["total_cost_usd"] == pytest.approx(1000 * 0.15e-6 + 100 * 0.6e-6)


def test_nothing_and_unknown() -> None:
    with spantape.session("5") as session:
        pass
    assert session.summary == dict.fromkeys(KEYS, 0) | {"avg_duration_ms": None, "models_used": []}


def test_unknown_is_null(recorded: Recorded) -> None:
    with spantape.session("5") as session:
        spantape.call(model="my-own").finish("x")
    assert session.summary | {"avg_duration_ms": 0} == dict.fromkeys(KEYS) | {
        "total_api_calls": 1,
        "models_used": ["my-own"],
        "avg_duration_ms": 0,
    }


def test_sessions_inside_sessions_and_calls_that_end_later(recorded: Recorded, server: ScriptedServer) -> None:
    async def main() -> None:
        async with async_client(server.url) as client:
            with spantape.session("5") as outer, spantape.session(role_name="r") as inner:
                await asyncio.gather(*(client.chat.completions.create(**BODY) for _ in range(3)))
                stream = await client.chat.completions.create(**BODY, **USAGE)
            assert inner.summary["total_api_calls"] == 3
            async for _ in stream:
                pass
            assert inner.summary == outer.summary
            assert outer.summary["total_api_calls"] == 4

    asyncio.run(main())


def test_a_decorated_function_that_calls_itself_counts_once(recorded: Recorded) -> None:
    session = spantape.session("5")

    @session
    def again(times: int) -> None:
        spantape.call(model="m").finish("x")
        if times:
            again(times - 1)

    again(2)
    assert session.summary["total_api_calls"] == 3


def test_many_threads(recorded: Recorded) -> None:
    def work() -> None:
        with session:
            for _ in range(100):
                spantape.call(model="m").finish("x", {"input_tokens": 1, "output_tokens": 1})

    session = spantape.session("5")
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (session.summary["total_api_calls"], session.summary["total_tokens"]) == (800, 1600)
    assert len(session.calls._new) == 0


def test_what_nobody_records_is_counted(server: ScriptedServer) -> None:
    spantape.instrument(files=False, tracer_provider=TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False))
    with sync_client(server.url) as client, spantape.session("5") as session:
        client.chat.completions.create(**BODY)
    assert session.summary["total_api_calls"] == 1
    assert session.summary["total_tokens"]
