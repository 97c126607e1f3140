"""Every call that the conformance test makes: endpoints, ways, streams and how they are left."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from openai_calls import CASES, MANNERS, Case, make, named, resource, there
from openai_ways import BODY, SAID, WAYS, async_client, sync_client
from response_ways import BODY as ASKED
from response_ways import HAS_RESPONSES
from response_ways import WAYS as RESPONSES

import openai
from spantape.testing import Reply, ScriptedServer

PICTURE, SOUND = ("a.png", b"\x89PNG", "image/png"), ("a.wav", b"RIFF", "audio/wav")
SPOKEN = {"model": "gpt-4o-mini-tts", "input": SAID, "voice": "alloy"}
HEARD = {"model": "gpt-4o-transcribe", "file": SOUND}
THREAD: Any = {"messages": [{"role": "user", "content": SAID}]}

# Endpoints that are called in ways of their own, elsewhere or below.
OWN: Mapping[str, Case] = {
    "chat": Case("chat.completions.create", BODY, "chat"),
    "responses": Case("responses.create", ASKED, "chat"),
    "images": Case("images.generate", {"model": "gpt-image-1", "prompt": SAID, "n": 2}, "image_generation"),
    "images by address": Case("images.generate", {"model": "dall-e-3", "prompt": SAID}, "image_generation"),
    "image edits": Case("images.edit", {"model": "gpt-image-1", "prompt": SAID, "image": PICTURE}, "image_edit"),
    "image variations": Case("images.create_variation", {"image": PICTURE}, "image_variation"),
    "speech": Case("audio.speech.create", SPOKEN, "speech"),
    "speech in events": Case("audio.speech.create", SPOKEN | {"extra_body": {"stream_format": "sse"}}, "speech"),
    "transcriptions": Case("audio.transcriptions.create", HEARD | {"prompt": SAID}, "transcription"),
    "transcriptions as text": Case("audio.transcriptions.create", HEARD | {"response_format": "text"}, "transcription"),
    "translations": Case("audio.translations.create", {"model": "whisper-1", "file": SOUND}, "translation"),
}
FURTHER: Mapping[str, Case] = {
    "a response": Case("responses.retrieve", {"response_id": "resp_7"}, "fetch_response"),
    "a response cancelled": Case("responses.cancel", {"response_id": "resp_7"}, "cancel_response"),
    "a response compacted": Case("responses.compact", {"model": "gpt-4o-mini", "input": SAID}, "compact_response"),
    "tokens counted": Case("responses.input_tokens.count", {"model": "gpt-4o-mini", "input": SAID}, "count_tokens"),
}
_STREAMED = {"stream": True}
_STREAMS: Mapping[str, Case] = {
    "chat": Case("chat.completions.create", BODY | _STREAMED, "chat"),
    "chat with usage": Case(
        "chat.completions.create", BODY | _STREAMED | {"stream_options": {"include_usage": True}}, "chat"
    ),
    "completions": Case(
        "completions.create", {"model": "gpt-3.5-turbo-instruct", "prompt": SAID, **_STREAMED}, "text_completion"
    ),
    "responses": Case("responses.create", ASKED | _STREAMED, "chat"),
    "a response": Case("responses.retrieve", {"response_id": "resp_7", **_STREAMED}, "fetch_response"),
    "runs": Case(
        "beta.threads.create_and_run", {"assistant_id": "asst_7", "thread": THREAD, **_STREAMED}, "invoke_agent"
    ),
    "images": Case(
        "images.generate",
        {"model": "gpt-image-1", "prompt": SAID, "partial_images": 2, **_STREAMED},
        "image_generation",
    ),
    "transcriptions": Case("audio.transcriptions.create", HEARD | _STREAMED, "transcription"),
}


def _there(cases: Mapping[str, Case]) -> dict[str, Case]:
    return {name: case for name, case in cases.items() if there(case.path)}


EVERY = _there({**OWN, **FURTHER, **CASES})
"""One call of each endpoint that this version of openai has."""


def _can_stream(case: Case) -> bool:
    with sync_client("http://127.0.0.1:9") as client:
        return "stream" in inspect.signature(resource(client, case.path)).parameters


STREAMS = {name: case for name, case in _there(_STREAMS).items() if _can_stream(case)}


def begin(client: Any, case: Case) -> Any:
    return resource(client, case.path)(**case.arguments)


def create(server: ScriptedServer, case: Case, **options: Any) -> None:
    """Make a call, and read it to its end if it is a stream."""
    with sync_client(server.url, max_retries=0, **options) as client:
        result = begin(client, case)
        if isinstance(result, openai.Stream):
            list(result)


# --- ways to call what need not answer in JSON


def _create(client: Any, case: Case) -> None:
    begin(client, case)


async def _create_async(client: Any, case: Case) -> None:
    await begin(client, case)


def _raw(client: Any, case: Case) -> None:
    owner, method = named(case, ".with_raw_response")
    getattr(resource(client, owner), method)(**case.arguments).parse()


def _bytes(client: Any, case: Case) -> None:
    owner, method = named(case, ".with_streaming_response")
    with getattr(resource(client, owner), method)(**case.arguments) as response:
        b"".join(response.iter_bytes())


async def _bytes_async(client: Any, case: Case) -> None:
    owner, method = named(case, ".with_streaming_response")
    async with getattr(resource(client, owner), method)(**case.arguments) as response:
        await response.read()


PLAIN_MANNERS: Mapping[str, Callable[[Any, Case], Any]] = {
    "create": _create,
    "async create": _create_async,
    "raw": _raw,
    "streaming response, bytes": _bytes,
    "async streaming response, read": _bytes_async,
}


def in_manner(manner: str, case: Case, url: str, **options: Any) -> None:
    function = PLAIN_MANNERS[manner]
    if not asyncio.iscoroutinefunction(function):
        with sync_client(url, **options) as client:
            function(client, case)
        return

    async def main() -> None:
        async with async_client(url, **options) as client:
            await function(client, case)

    asyncio.run(main())


def _bound(function: Callable[..., Any], *arguments: Any) -> Callable[[str], Any]:
    return lambda url: function(*arguments, url)


CALLS: Mapping[str, Callable[[str], Any]] = {
    **{f"chat, {name}": way.run for name, way in WAYS.items()},
    **{f"responses, {name}": way.run for name, way in RESPONSES.items() if HAS_RESPONSES},
    **{
        f"{name}, {manner}": _bound(make, manner, case)
        for name, case in _there({**FURTHER, **CASES}).items()
        for manner in MANNERS
    },
    **{
        f"{name}, {manner}": _bound(in_manner, manner, case)
        for name, case in _there(OWN).items()
        for manner in PLAIN_MANNERS
    },
}
"""Every endpoint in every way, by name. A new endpoint is one more row above, or in `openai_calls.CASES`."""


# --- streams, and how they are left: each gives how many chunks the application took


def read(client: Any, case: Case) -> int:
    return len(list(begin(client, case)))


def drop(client: Any, case: Case) -> int:
    for _ in begin(client, case):
        break
    return 1


def leave(client: Any, case: Case) -> int:
    chunks = begin(client, case)
    for _ in range(3):
        next(chunks)
    chunks.close()
    return 3


def never_look(client: Any, case: Case) -> int:
    begin(client, case)
    return 0


LEAVING = (read, drop, leave, never_look)


def cancel(server: ScriptedServer, case: Case, reply: Reply, after: int) -> BaseException:
    """Cancel the task that reads a stream, once it has `after` chunks."""
    hold = threading.Event()
    server.replies(reply.but(hold=hold, hold_after=after))

    async def consume(reached: asyncio.Event) -> None:
        async with async_client(server.url) as client:
            chunks = await begin(client, case)
            for _ in range(after):
                await chunks.__anext__()
            reached.set()
            await chunks.__anext__()

    async def main() -> None:
        reached = asyncio.Event()
        task = asyncio.create_task(consume(reached))
        await asyncio.wait_for(reached.wait(), 60)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    hold.set()
    return asyncio.CancelledError()


def manners_of(case: Case) -> dict[str, Case]:
    """Give a case as it is, and as a stream where it can be one."""
    can = case.path in {"chat.completions.create", "responses.create", "completions.create"}
    streamed = replace(case, arguments={**case.arguments, **_STREAMED})
    return {"whole": case, "streamed": streamed} if can else {"whole": case}
