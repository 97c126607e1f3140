"""Every way to create a response, each giving what the application sees: the result's type and what was said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from openai.resources.beta import Beta
from openai_ways import Answer, Way, async_client, sync_client

import openai

SAID = "你好 🎉 please"
BODY: dict[str, Any] = {"model": "gpt-4o-mini", "input": SAID, "instructions": "be kind", "temperature": 0.5}
WAYS: dict[str, Way] = {}

HAS_RESPONSES = hasattr(openai.OpenAI, "responses")
HAS_BETA = hasattr(Beta, "responses")
needs_responses = pytest.mark.skipif(not HAS_RESPONSES, reason="this version of openai has no responses")


def way(name: str, *, streams: bool = False, since: bool = True) -> Callable[[Any], Any]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        def sync(url: str, **body: Any) -> tuple[str, str]:
            with sync_client(url) as client:
                return function(client, BODY | body)

        def asynchronous(url: str, **body: Any) -> tuple[str, str]:
            async def main() -> tuple[str, str]:
                async with async_client(url) as client:
                    return await function(client, BODY | body)

            return asyncio.run(main())

        if since:
            run = asynchronous if asyncio.iscoroutinefunction(function) else sync
            WAYS[name] = Way(name, run, streams)
        return function

    return register


def delta(event: Any) -> str:
    return event.delta if event.type == "response.output_text.delta" else ""


def sse(lines: list[str]) -> str:
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


@way("create")
def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    result = client.responses.create(**body)
    return type(result).__name__, result.output_text


@way("async create")
async def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    result = await client.responses.create(**body)
    return type(result).__name__, result.output_text


@way("stream", streams=True)
def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    stream = client.responses.create(**body, stream=True)
    assert isinstance(stream, openai.Stream)
    return type(stream).__name__, "".join(map(delta, stream))


@way("async stream", streams=True)
async def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    stream = await client.responses.create(**body, stream=True)
    assert isinstance(stream, openai.AsyncStream)
    return type(stream).__name__, "".join([delta(event) async for event in stream])


@way("stream helper", streams=True)
def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    with client.responses.stream(**body) as stream:
        assert "response.output_text.delta" in [event.type for event in stream]
        return type(stream).__name__, stream.get_final_response().output_text


@way("async stream helper", streams=True)
async def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    async with client.responses.stream(**body) as stream:
        assert "response.output_text.delta" in [event.type async for event in stream]
        return type(stream).__name__, (await stream.get_final_response()).output_text


@way("parse")
def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    result = client.responses.parse(**body, text_format=Answer)
    assert isinstance(result.output_parsed, Answer)
    return type(result).__name__.partition("[")[0], result.output_text


@way("async parse")
async def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    result = await client.responses.parse(**body, text_format=Answer)
    assert isinstance(result.output_parsed, Answer)
    return type(result).__name__.partition("[")[0], result.output_text


@way("raw")
def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    raw = client.responses.with_raw_response.create(**body)
    assert raw.headers["x-request-id"]
    return type(raw).__name__, raw.parse().output_text


@way("async raw, never parsed")
async def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    raw = await client.responses.with_raw_response.create(**body)
    return type(raw).__name__, json.loads(raw.text)["output"][0]["content"][0]["text"]


@way("raw stream", streams=True)
def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    stream = client.responses.with_raw_response.create(**body, stream=True).parse()
    return type(stream).__name__, "".join(map(delta, stream))


@way("streaming response")
def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    with client.responses.with_streaming_response.create(**body) as response:
        return type(response).__name__, response.parse().output_text


@way("async streaming response, lines", streams=True)
async def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    async with client.responses.with_streaming_response.create(**body, stream=True) as response:
        return type(response).__name__, sse([line async for line in response.iter_lines()])


@way("client.post")
def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    result = client.post("/responses", body=body, cast_to=object)
    return type(result).__name__, result["output"][0]["content"][0]["text"]


@way("beta", since=HAS_BETA)
def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    result = client.beta.responses.create(**body)
    return type(result).__name__, result.output[0].content[0].text


@way("beta, async stream", streams=True, since=HAS_BETA)
async def _(client: Any, body: dict[str, Any]) -> tuple[str, str]:
    stream = await client.beta.responses.create(**body, stream=True)
    return type(stream).__name__, "".join([delta(event) async for event in stream])
