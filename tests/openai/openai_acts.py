"""What an application does with an endpoint, by a bare client and by one that is recorded, side by side."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from openai_rows import Row
from openai_wire import Wire

import openai
from openai import _base_client as base

SAID_BY_ERRORS = ("body", "code", "param", "status_code", "request_id", "__cause__", "__notes__")
KINDS = ["sync", "async"]


def bare(kind: type[Any], of: type[Any]) -> type[Any]:
    """Give the class of a client that runs its own functions, whoever has wrapped those of its base since."""
    own = {**vars(base.BaseClient), **vars(of)}
    names = ("request", "_build_request", "_process_response")
    return type(kind.__name__, (kind,), {name: own[name] for name in names if name in own})


BARE = {"sync": bare(openai.OpenAI, base.SyncAPIClient), "async": bare(openai.AsyncOpenAI, base.AsyncAPIClient)}
OURS = {"sync": openai.OpenAI, "async": openai.AsyncOpenAI}


# --- what an application does with an endpoint; the same text for both kinds of client


async def settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def each(stream: Any) -> AsyncIterator[Any]:
    if hasattr(stream, "__aiter__"):
        async for item in stream:
            yield item
    else:
        for item in stream:
            yield item


@contextlib.asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    if hasattr(manager, "__aenter__"):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value


async def looked_at(result: Any) -> AsyncIterator[Any]:
    """Give what an application can look at, once it has a result."""
    yield type(result).__name__
    if isinstance(result, (openai.Stream, openai.AsyncStream)):
        async for chunk in each(result):
            yield chunk
    else:
        yield result
        yield getattr(result, "_request_id", None)


async def plain(row: Row, client: Any, *, stream: bool) -> AsyncIterator[Any]:
    called = row.call(client, stream=stream)
    if not hasattr(called, "__exit__") and not hasattr(called, "__aexit__"):
        called = await settled(called)
    if row.method == "stream":
        async with entered(called) as helper:
            async for happening in each(helper):
                yield happening
            return
    async for thing in looked_at(called):
        yield thing


async def raw(row: Row, client: Any, *, stream: bool) -> AsyncIterator[Any]:
    answer = await settled(row.call(client, "with_raw_response", stream=stream))
    yield answer.headers.raw
    yield answer.request_id
    async for thing in looked_at(await settled(answer.parse())):
        yield thing


async def streaming(row: Row, client: Any, *, stream: bool) -> AsyncIterator[Any]:
    async with entered(row.call(client, "with_streaming_response", stream=stream)) as answer:
        async for thing in looked_at(await settled(answer.parse())):
            yield thing


async def lines(row: Row, client: Any, *, stream: bool) -> AsyncIterator[Any]:
    async with entered(row.call(client, "with_streaming_response", stream=stream)) as answer:
        async for line in each(answer.iter_lines()):
            yield line


Act = Callable[..., AsyncIterator[Any]]
ACTS: list[Act] = [plain, raw, streaming, lines]


async def seen(things: AsyncIterator[Any]) -> list[str]:
    """Give all that the application sees, its exception included."""
    found: list[str] = []
    try:
        async for thing in things:
            found.append(repr(thing))
    except Exception as error:
        found.append(f"{type(error).__module__}.{type(error).__qualname__}: {error}")
        found.append(repr([getattr(error, name, None) for name in SAID_BY_ERRORS]))
    return found


# --- the bare client and ours, side by side


@dataclass
class Pair:
    """Two clients of a kind on one wire: one bare, one recorded."""

    wire: Wire
    bare: Any
    ours: Any
    loop: asyncio.AbstractEventLoop

    def same(self, act: Callable[[Any], AsyncIterator[Any]]) -> bytes:
        """Do the same with both; what is seen and what was sent may not differ. Gives what was sent."""
        expected = self._run(act(self.bare))
        assert self._run(act(self.ours)) == expected
        return self.wire.sent

    def _run(self, things: AsyncIterator[Any]) -> list[Any]:
        self.wire.sent = b""
        return [*self.loop.run_until_complete(seen(things)), self.wire.sent]


@contextlib.contextmanager
def side_by_side(kind: str) -> Iterator[Pair]:
    """Give both clients of a kind, and close them."""
    wire, loop = Wire(), asyncio.new_event_loop()
    one, other = wire.client(BARE[kind]), wire.client(OURS[kind])
    try:
        yield Pair(wire, one, other, loop)
    finally:
        for client in (one, other):
            loop.run_until_complete(settled(client.close()))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
