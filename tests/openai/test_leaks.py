"""However calls end, and however often: nothing of them stays in memory."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import types
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from openai_rows import ROWS
from openai_ways import BODY, helper
from openai_wire import EVENTS, HTTP, Parts, Wire, events, streamed, whole
from opentelemetry.sdk.trace import TracerProvider
from test_streams import ASYNC_EARLY, EARLY

import openai
import spantape
from spantape import provider as providers
from spantape.instrumentors._in_flight import in_flight
from spantape.instrumentors._ledger import ledger
from spantape.pricing.book import PriceBook

WARM_UP, TIMES = 10, 30
PACKAGES = frozenset({"spantape", "opentelemetry", "openai", HTTP.__name__})
RUNNING = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType, types.TracebackType)
CHAT = ROWS[0]
SENT = events(CHAT.chunks)

Answer = Callable[[Any], Any]
Way = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def own_garbage() -> Iterator[None]:
    """The collector looks at what this test makes, not at what all the others have left."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def provider(tmp_path: Path) -> TracerProvider:
    """Instruments with files, and with a provider that keeps no span itself."""
    provider = TracerProvider(shutdown_on_exit=False)
    spantape.instrument(base_dir=tmp_path / "records", tracer_provider=provider, latest_size=5, upkeep=False)
    return provider


def alive() -> dict[str, int]:
    """Count what lives of ours, of OpenTelemetry's and of the client's, and what is registered somewhere."""
    gc.collect()  # which ends what was left to the collector
    gc.collect()  # it may end a call, which is then to be written
    assert spantape.flush()
    for book in [found for found in gc.get_objects() if type(found) is PriceBook]:
        book._ladder.cache_clear()  # bounded, and made anew each minute
    ledger._named.clear()  # bounded: the newest calls are known by their ids, and by what they gave
    ledger._given.clear()
    files = sys.modules["spantape.process"]._active._files  # type: ignore[union-attr]
    with files._background._lock:  # nothing of ours is at work that would be counted
        gc.collect()
        kinds = Counter(map(type, gc.get_objects()))
    found = {
        f"{kind.__module__}.{kind.__qualname__}": count
        for kind, count in kinds.items()
        if kind in RUNNING or str(kind.__module__).partition(".")[0] in PACKAGES
    }
    return found | {
        "finalizers": len(weakref.finalize._registry),  # type: ignore[attr-defined]
        "in flight": len(in_flight),
        "relays": len(providers._relays),
        **{name: len(getattr(files._live, name)) for name in ("_running", "_finished", "_ended", "_shown")},
        "buffered": len(files._background.buffer),
    }


# --- what is answered


def streams(request: Any) -> Any:
    return streamed(SENT)


def breaks(request: Any) -> Any:
    return streamed(SENT[:3], cut=True)


def says_an_error(request: Any) -> Any:
    return streamed([*SENT[:3], b'data: {"error": {"message": "overloaded"}}\n\n'])


def answers(request: Any) -> Any:
    return whole(CHAT.body)


def refuses(request: Any) -> Any:
    return whole({"error": {"message": "no", "code": "bad"}}, status=400)


def says_no_json(request: Any) -> Any:
    return whole(b"{")


def is_not_there(request: Any) -> Any:
    raise HTTP.ConnectError("nobody there")


class Hanging(Parts):
    """Stops in the middle, for ever."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"".join(SENT[:2])
        await asyncio.Event().wait()


def hangs(request: Any) -> Any:
    return HTTP.Response(200, headers=list(EVENTS), stream=Hanging([]))


async def never_answers(request: Any) -> Any:
    await asyncio.Event().wait()


# --- what the application does


def begin(client: Any) -> Any:
    return client.chat.completions.create(**BODY, stream=True)


def plain(client: Any) -> None:
    client.chat.completions.create(**BODY)


def exhaust(client: Any) -> None:
    list(begin(client))


def leave_the_helper(client: Any) -> None:
    with helper(client, "stream")(**BODY) as happenings:
        next(iter(happenings))


def drop_raw(client: Any) -> None:
    client.chat.completions.with_raw_response.create(**BODY, stream=True)


def drop_parsed_raw(client: Any) -> None:
    next(client.chat.completions.with_raw_response.create(**BODY, stream=True).parse())


def leave_a_streaming_response(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(**BODY, stream=True) as response:
        next(response.iter_lines())


def drop_a_streaming_response(client: Any) -> None:
    client.chat.completions.with_streaming_response.create(**BODY, stream=True).__enter__()


def hold_the_error(client: Any) -> None:
    try:
        plain(client)
    except openai.APIError as error:
        held = error  # an application that keeps it has a reference cycle of its own: frame, error, traceback
        assert held.__traceback__ is not None


def early(leave: Callable[[Any, Any], None]) -> Way:
    def act(client: Any) -> None:
        leave(client, begin(client))

    act.__name__ = leave.__name__
    return act


SYNC: list[tuple[Way, Answer]] = [
    *((early(leave), streams) for leave in EARLY),
    *((act, streams) for act in (exhaust, leave_the_helper, drop_raw, drop_parsed_raw)),
    *((act, streams) for act in (leave_a_streaming_response, drop_a_streaming_response)),
    *((exhaust, answer) for answer in (breaks, says_an_error, refuses, is_not_there)),
    *((plain, answer) for answer in (answers, refuses, says_no_json, is_not_there)),
    (hold_the_error, refuses),
]


async def begin_async(client: Any) -> Any:
    return await client.chat.completions.create(**BODY, stream=True)


async def plain_async(client: Any) -> None:
    await client.chat.completions.create(**BODY)


async def exhaust_async(client: Any) -> None:
    async for _ in await begin_async(client):
        pass


async def leave_the_helper_async(client: Any) -> None:
    async with helper(client, "stream")(**BODY) as happenings:
        async for _ in happenings:
            break


async def drop_raw_async(client: Any) -> None:
    await client.chat.completions.with_raw_response.create(**BODY, stream=True)


async def be_cancelled(client: Any) -> None:
    """Cancel a task that waits: for the answer, or for the next chunk."""
    task = asyncio.create_task(exhaust_async(client))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def never_await(client: Any) -> None:
    begin_async(client).close()


def early_async(leave: Callable[[Any], Awaitable[None]]) -> Way:
    async def act(client: Any) -> None:
        await leave(await begin_async(client))

    act.__name__ = leave.__name__
    return act


ASYNC: list[tuple[Way, Answer]] = [
    *((early_async(leave), streams) for leave in ASYNC_EARLY),
    *((act, streams) for act in (exhaust_async, leave_the_helper_async, drop_raw_async, never_await)),
    *((be_cancelled, answer) for answer in (hangs, never_answers)),
    *((exhaust_async, answer) for answer in (breaks, says_an_error, refuses, is_not_there)),
    *((plain_async, answer) for answer in (answers, refuses, says_no_json, is_not_there)),
]


def named(value: Any) -> str:
    return str(value.__name__)


@pytest.mark.parametrize(("act", "answer"), SYNC, ids=named)
def test_nothing_is_left(act: Way, answer: Answer, provider: TracerProvider) -> None:
    with Wire(answer).client() as client:

        def repeat(times: int) -> None:
            for _ in range(times):
                with contextlib.suppress(openai.APIError, HTTP.ReadError, ValueError):
                    act(client)

        repeat(WARM_UP)
        before = alive()
        repeat(TIMES)
        assert alive() == before
    assert_all_ended(before)


@pytest.mark.parametrize(("act", "answer"), ASYNC, ids=named)
def test_nothing_is_left_async(act: Way, answer: Answer, provider: TracerProvider) -> None:
    async def repeat(client: Any, times: int) -> dict[str, int]:
        for _ in range(times):
            with contextlib.suppress(openai.APIError, HTTP.ReadError, ValueError):
                await act(client)
        for turn in range(24):  # the event loop closes the generators that were dropped, one inside the other
            if turn % 12 == 0:
                gc.collect()
            await asyncio.sleep(0)
        return alive()

    async def main() -> dict[str, int]:
        async with Wire(answer).client(openai.AsyncOpenAI) as client:
            before = await repeat(client, WARM_UP)
            assert await repeat(client, TIMES) == before
            return before

    assert_all_ended(asyncio.run(main()))


def assert_all_ended(found: dict[str, int]) -> None:
    """What did not grow may still be too much: nothing of a call is there when none runs."""
    assert [name for name in found if name.startswith("spantape.instrumentors._call")] == []
    assert [name for name in found if name.startswith("spantape.instrumentors._stream")] == []
    assert found["in flight"] == found["_running"] == found["_finished"] == found["buffered"] == 0


def test_two_thousand_calls_take_no_memory(provider: TracerProvider) -> None:
    wire = Wire(answers)
    with wire.client() as client:

        def repeat(times: int) -> tuple[dict[str, int], int]:
            for _ in range(times):  # by post(), which does not check the arguments: most of a call's time goes there
                client.post("/chat/completions", body=BODY, cast_to=ChatCompletion)
            found = alive()
            return found, sys.getallocatedblocks()

        before, blocks = repeat(300)
        after, more_blocks = repeat(2000)
    assert after == before
    assert more_blocks - blocks < 1000  # less than one for two calls
