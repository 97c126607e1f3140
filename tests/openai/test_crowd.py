"""Many calls at once, from threads and from tasks: each has its own parent, its own session and its one record."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openai_ways import async_http, http
from openai_wire import EVENTS, HTTP, Parts, Wire, events, whole

import openai
import spantape
from recorded import Recorded
from spantape.testing import ScriptedServer, completion, stream

THREADS, TASKS = 50, 500
KINDS = ("whole", "streamed", "abandoned", "closed", "failed")


@dataclass(frozen=True)
class Caller:
    """One of the crowd: what it says is its own, so that nothing of another's can be taken for it."""

    number: int

    @property
    def kind(self) -> str:
        return KINDS[self.number % len(KINDS)]

    @property
    def name(self) -> str:
        return f"caller-{self.number}"

    @property
    def body(self) -> dict[str, Any]:
        model = "no-such-model" if self.kind == "failed" else "gpt-4o-mini"
        usage = {"stream": True, "stream_options": {"include_usage": True}}
        streams = self.kind in {"streamed", "abandoned", "closed"}
        return {"model": model, "messages": [{"role": "user", "content": self.name}], **(usage if streams else {})}

    @contextlib.contextmanager
    def at_work(self, recorded: Recorded) -> Iterator[None]:
        """Be in a span and a session of one's own."""
        tracer = recorded.provider.get_tracer("app")
        with tracer.start_as_current_span(self.name), spantape.session(f"s{self.number}", role_name=self.name):
            yield

    def ask(self, client: openai.OpenAI) -> None:
        with contextlib.suppress(openai.NotFoundError):
            result: Any = client.chat.completions.create(**self.body)
            if self.kind == "streamed":
                list(result)
            elif self.kind != "whole":
                next(result)
            if self.kind == "closed":
                result.close()

    async def ask_async(self, client: openai.AsyncOpenAI) -> None:
        with contextlib.suppress(openai.NotFoundError):
            result: Any = await client.chat.completions.create(**self.body)
            if self.kind == "streamed":
                async for _ in result:
                    pass
            elif self.kind != "whole":
                await result.__anext__()
            if self.kind == "closed":
                await result.close()


def all_right(callers: list[Caller], recorded: Recorded) -> None:
    """Look at every span and every record."""
    spans = recorded.spans
    app = {span.name: span for span in spans if span.instrumentation_scope.name == "app"}
    calls = {span.attributes["session.id"]: span for span in spans if span.name.startswith("chat ")}
    assert len(spans) == 2 * len(callers)
    assert len(app) == len(calls) == len(callers)
    assert spantape.flush()
    by_session = {path.parent.name: path for path in (recorded.base_dir / "by_session").glob("*/*.json")}
    assert set(by_session) == {f"session_s{caller.number}" for caller in callers}
    for caller in callers:
        span = calls[f"s{caller.number}"]
        assert span.parent.span_id == app[caller.name].context.span_id
        assert span.context.trace_id == app[caller.name].context.trace_id
        (record,) = json.loads(by_session[f"session_s{caller.number}"].read_bytes())
        assert record["span_id"] == f"{span.context.span_id:016x}"
        assert record["parent_span_id"] == f"{span.parent.span_id:016x}"
        record_is_right(caller, record)
    counts_are_right(callers, recorded.base_dir)


def record_is_right(caller: Caller, record: dict[str, Any]) -> None:
    ends = {"streamed": "completed", "abandoned": "abandoned", "closed": "closed"}
    assert (record["session_id"], record["role_name"]) == (f"s{caller.number}", caller.name)
    assert record["prompt"] == caller.name
    assert record["success"] is (caller.kind != "failed")
    assert record["metadata"].get("stream_end") == ends.get(caller.kind)
    if caller.kind in {"whole", "streamed"}:
        assert record["response"] == f"You said: {caller.name}"
        assert record["usage"]["output_tokens"] > 0


def counts_are_right(callers: list[Caller], base_dir: Path) -> None:
    def ids(pattern: str) -> Counter[str]:
        files = base_dir.glob(pattern)
        return Counter(record["id"] for file in files for record in json.loads(file.read_bytes()))

    failed = [caller for caller in callers if caller.kind == "failed"]
    by_date = ids("by_date/*.json")
    assert by_date == ids("by_session/*/*.json")
    assert set(by_date.values()) == {1}
    assert len(by_date) == len(callers)
    assert len(ids("errors/*.json")) == len(failed)
    latest = json.loads((base_dir / "real_time" / "latest.json").read_bytes())
    assert {record["metadata"]["stage"] for record in latest} == {"completed"}


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage is collected in the middle of a call.

    The pool of httpcore waits for itself, with us and without us, when the collector closes an abandoned stream while
    the same thread is in the pool.
    """
    gc.disable()
    yield
    gc.enable()
    gc.collect()


@pytest.mark.usefixtures("uncollected")
def test_threads(server: ScriptedServer, recorded: Recorded) -> None:
    callers = [Caller(number) for number in range(THREADS * len(KINDS))]
    together = threading.Barrier(THREADS)

    def work(mine: list[Caller]) -> None:
        with openai.OpenAI(base_url=server.url, api_key="test", http_client=http(), max_retries=0) as client:
            for caller in mine:
                together.wait(300)
                with caller.at_work(recorded):
                    caller.ask(client)

    # Each thread makes one call of each kind, and at every moment the threads are at different kinds.
    shares = [callers[start * len(KINDS) : (start + 1) * len(KINDS)] for start in range(THREADS)]
    shares = [share[turn % len(KINDS) :] + share[: turn % len(KINDS)] for turn, share in enumerate(shares)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, shares))
    all_right(callers, recorded)


@pytest.mark.usefixtures("uncollected")
def test_threads_share_a_client(server: ScriptedServer, recorded: Recorded) -> None:
    callers = [Caller(number) for number in range(THREADS)]

    def work(caller: Caller) -> None:
        with caller.at_work(recorded):
            caller.ask(client)

    client = openai.OpenAI(base_url=server.url, api_key="test", http_client=http(), max_retries=0)
    with client, ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, callers))
    all_right(callers, recorded)


class Slow(Parts):
    """Lets other tasks run between any two chunks."""

    async def __aiter__(self) -> Any:
        async for part in super().__aiter__():
            await asyncio.sleep(0)
            yield part


def echo(request: Any) -> Any:
    body = json.loads(request.content)
    text = f"You said: {body['messages'][0]['content']}"
    if body["model"].startswith("no-such-"):
        return whole({"error": {"message": "no such model"}}, status=404)
    if body.get("stream"):
        return HTTP.Response(200, headers=list(EVENTS), stream=Slow(events(stream(text, usage=True).chunks or ())))
    return whole(completion(text).body)


def test_tasks(recorded: Recorded) -> None:
    callers = [Caller(number) for number in range(TASKS)]

    async def main() -> None:
        arrived, all_here = Counter[str](), asyncio.Event()

        async def answer(request: Any) -> Any:
            arrived["requests"] += 1
            if arrived["requests"] == TASKS:  # nobody is answered before everybody has asked
                all_here.set()
            await all_here.wait()
            return echo(request)

        async def work(caller: Caller) -> None:
            with caller.at_work(recorded):
                await caller.ask_async(client)

        async with Wire(answer).client(openai.AsyncOpenAI) as client:
            await asyncio.gather(*map(work, callers))

    asyncio.run(main())
    all_right(callers, recorded)


def test_tasks_over_a_real_connection(server: ScriptedServer, recorded: Recorded) -> None:
    callers = [Caller(number) for number in range(THREADS)]

    async def main() -> None:
        client = openai.AsyncOpenAI(base_url=server.url, api_key="test", http_client=async_http(), max_retries=0)

        async def work(caller: Caller) -> None:
            async with spantape.session("outer"):
                with caller.at_work(recorded):
                    await caller.ask_async(client)

        async with client:
            await asyncio.gather(*map(work, callers))

    asyncio.run(main())
    all_right(callers, recorded)
