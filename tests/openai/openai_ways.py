"""Every way to make a chat call, each giving what the application sees: the result's type and what was said."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

import openai

SAID = "你好 🎉 please"
MESSAGES = [{"role": "system", "content": "be kind"}, {"role": "user", "content": SAID}]
BODY: dict[str, Any] = {"model": "gpt-4o-mini", "messages": MESSAGES, "temperature": 0.5}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}


class Answer(BaseModel):
    text: str


@dataclass(frozen=True)
class Way:
    """A way to call: `run(url, **changes to the body)` gives (type's name, what was said)."""

    name: str
    run: Callable[..., tuple[str, str]]
    streams: bool = False
    format: bool = False


WAYS: dict[str, Way] = {}


# Loading the certificates takes longer than a dozen calls over plain loopback.
def http() -> Any:
    return openai.DefaultHttpxClient(verify=False)


def async_http() -> Any:
    return openai.DefaultAsyncHttpxClient(verify=False)


@contextlib.contextmanager
def sync_client(url: str, **options: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key="test", http_client=http(), **options) as client:
        yield client


@contextlib.asynccontextmanager
async def async_client(url: str, **options: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=url, api_key="test", http_client=async_http(), **options) as client:
        yield client


def way(name: str, *, streams: bool = False, format: bool = False) -> Callable[[Any], Any]:  # noqa: A002
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        def sync(url: str, **body: Any) -> tuple[str, str]:
            with sync_client(url) as client:
                return function(client, BODY | body)

        def asynchronous(url: str, **body: Any) -> tuple[str, str]:
            async def main() -> tuple[str, str]:
                async with async_client(url) as client:
                    return await function(client, BODY | body)

            return asyncio.run(main())

        run = asynchronous if asyncio.iscoroutinefunction(function) else sync
        WAYS[name] = Way(name, run, streams, format)
        return function

    return register


def helper(client: Any, name: str) -> Any:
    """`parse` and `stream` were under `beta` in openai 1.x."""
    found = getattr(client.chat.completions, name, None)
    return found or getattr(client.beta.chat.completions, name)


def text_of(completion: Any) -> str:
    return completion.choices[0].message.content or ""


def delta(chunk: Any) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


def sse(lines: list[str]) -> str:
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])


@way("create")
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    result = client.chat.completions.create(**body)
    return type(result).__name__, text_of(result)


@way("async create")
async def _(client: openai.AsyncOpenAI, body: dict[str, Any]) -> tuple[str, str]:
    result = await client.chat.completions.create(**body)
    return type(result).__name__, text_of(result)


@way("stream", streams=True)
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    stream = client.chat.completions.create(**body, **USAGE)
    assert isinstance(stream, openai.Stream)
    return type(stream).__name__, "".join(delta(chunk) for chunk in stream)


@way("async stream", streams=True)
async def _(client: openai.AsyncOpenAI, body: dict[str, Any]) -> tuple[str, str]:
    stream = await client.chat.completions.create(**body, **USAGE)
    assert isinstance(stream, openai.AsyncStream)
    return type(stream).__name__, "".join([delta(chunk) async for chunk in stream])


@way("next() by hand", streams=True)
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    stream = client.chat.completions.create(**body, **USAGE)
    said = []
    with contextlib.suppress(StopIteration):
        while True:
            said.append(delta(next(stream)))
    return type(stream).__name__, "".join(said)


@way("parse", format=True)
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    result = helper(client, "parse")(**body, response_format=Answer)
    assert isinstance(result.choices[0].message.parsed, Answer)
    return type(result).__name__.partition("[")[0], text_of(result)


@way("async parse", format=True)
async def _(client: openai.AsyncOpenAI, body: dict[str, Any]) -> tuple[str, str]:
    result = await helper(client, "parse")(**body, response_format=Answer)
    assert isinstance(result.choices[0].message.parsed, Answer)
    return type(result).__name__.partition("[")[0], text_of(result)


@way("stream helper", streams=True)
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    with helper(client, "stream")(**body, stream_options=USAGE["stream_options"]) as stream:
        kinds = [event.type for event in stream]
        assert "chunk" in kinds
        return type(stream).__name__, text_of(stream.get_final_completion())


@way("async stream helper", streams=True)
async def _(client: openai.AsyncOpenAI, body: dict[str, Any]) -> tuple[str, str]:
    async with helper(client, "stream")(**body, stream_options=USAGE["stream_options"]) as stream:
        kinds = [event.type async for event in stream]
        assert "chunk" in kinds
        return type(stream).__name__, text_of(await stream.get_final_completion())


@way("raw")
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    raw = client.chat.completions.with_raw_response.create(**body)
    assert raw.headers["x-request-id"]
    return type(raw).__name__, text_of(raw.parse())


@way("async raw")
async def _(client: openai.AsyncOpenAI, body: dict[str, Any]) -> tuple[str, str]:
    raw = await client.chat.completions.with_raw_response.create(**body)
    return type(raw).__name__, text_of(raw.parse())


@way("raw, never parsed")
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    raw = client.chat.completions.with_raw_response.create(**body)
    return type(raw).__name__, json.loads(raw.text)["choices"][0]["message"]["content"]


@way("raw stream", streams=True)
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    stream = client.chat.completions.with_raw_response.create(**body, **USAGE).parse()
    return type(stream).__name__, "".join(delta(chunk) for chunk in stream)


@way("async raw stream", streams=True)
async def _(client: openai.AsyncOpenAI, body: dict[str, Any]) -> tuple[str, str]:
    stream = (await client.chat.completions.with_raw_response.create(**body, **USAGE)).parse()
    return type(stream).__name__, "".join([delta(chunk) async for chunk in stream])


@way("streaming response")
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    with client.chat.completions.with_streaming_response.create(**body) as response:
        return type(response).__name__, text_of(response.parse())


@way("async streaming response")
async def _(client: openai.AsyncOpenAI, body: dict[str, Any]) -> tuple[str, str]:
    async with client.chat.completions.with_streaming_response.create(**body) as response:
        return type(response).__name__, text_of(await response.parse())


@way("streaming response, bytes")
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    with client.chat.completions.with_streaming_response.create(**body) as response:
        data = b"".join(response.iter_bytes())
        return type(response).__name__, json.loads(data)["choices"][0]["message"]["content"]


@way("streaming response, lines", streams=True)
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    with client.chat.completions.with_streaming_response.create(**body, **USAGE) as response:
        return type(response).__name__, sse(list(response.iter_lines()))


@way("async streaming response, lines", streams=True)
async def _(client: openai.AsyncOpenAI, body: dict[str, Any]) -> tuple[str, str]:
    async with client.chat.completions.with_streaming_response.create(**body, **USAGE) as response:
        return type(response).__name__, sse([line async for line in response.iter_lines()])


@way("streaming response, parsed to a stream", streams=True)
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    with client.chat.completions.with_streaming_response.create(**body, **USAGE) as response:
        stream = response.parse()
        return type(stream).__name__, "".join(delta(chunk) for chunk in stream)


@way("with_options")
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    result = client.with_options(max_retries=1, timeout=20).chat.completions.create(**body)
    return type(result).__name__, text_of(result)


@way("client.post")
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    from openai.types.chat import ChatCompletion

    result = client.post("/chat/completions", body=body, cast_to=ChatCompletion)
    return type(result).__name__, text_of(result)


@way("async client.post to a dict")
async def _(client: openai.AsyncOpenAI, body: dict[str, Any]) -> tuple[str, str]:
    result = await client.post("/chat/completions", body=body, cast_to=object)
    return type(result).__name__, result["choices"][0]["message"]["content"]  # type: ignore[index]


def azure(client: Any, url: str, http_client: Any) -> Any:
    endpoint = url.removesuffix("/v1")
    return client(azure_endpoint=endpoint, api_key="test", api_version="2024-10-21", http_client=http_client)


@way("azure")
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    with azure(openai.AzureOpenAI, str(client.base_url).rstrip("/"), http()) as other:
        result = other.chat.completions.create(**body)
        return type(result).__name__, text_of(result)


@way("async azure stream", streams=True)
async def _(client: openai.AsyncOpenAI, body: dict[str, Any]) -> tuple[str, str]:
    async with azure(openai.AsyncAzureOpenAI, str(client.base_url).rstrip("/"), async_http()) as other:
        stream = await other.chat.completions.create(**body, **USAGE)
        return type(stream).__name__, "".join([delta(chunk) async for chunk in stream])


@way("legacy one-shot messages")
def _(client: openai.OpenAI, body: dict[str, Any]) -> tuple[str, str]:
    result = client.chat.completions.create(**{**body, "messages": (message for message in body["messages"])})
    return type(result).__name__, text_of(result)


def awaited(value: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await value

    return asyncio.run(main())
