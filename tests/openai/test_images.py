"""Images: what comes back is what came back without us; what is kept of a picture is its type, size and digest."""

from __future__ import annotations

import base64
import gc
import hashlib
import json
import tracemalloc
import warnings
import weakref
from pathlib import Path
from typing import Any

import pytest
from media_ways import Counting, Media, dumped, is_listed, needs_image_streams, nowhere, sync, ways
from openai_ways import sync_client

import openai
from recorded import Recorded
from spantape import semconv
from spantape.instrumentors.openai import images
from spantape.testing import Reply, ScriptedServer, error
from spantape.testing.media import picture

ASKED: dict[str, Any] = {"model": "gpt-image-1", "prompt": "a grey 点", "size": "1024x1024", "quality": "low"}
PHOTO = bytes(range(256)) * 8


def about(data: bytes) -> dict[str, Any]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def blob(data: bytes, **more: Any) -> dict[str, Any]:
    return {"type": "blob", "modality": "image", **more, **about(data)}


def messages(recorded: Recorded, which: str) -> Any:
    return json.loads(recorded.attributes[f"gen_ai.{which}.messages"])


# --- ways to generate


def create(client: openai.OpenAI, _: Path) -> Any:
    return dumped(client.images.generate(**ASKED))


async def create_async(client: openai.AsyncOpenAI, _: Path) -> Any:
    return dumped(await client.images.generate(**ASKED))


def raw(client: openai.OpenAI, _: Path) -> Any:
    response = client.images.with_raw_response.generate(**ASKED)
    return type(response).__name__, response.content, dumped(response.parse())


async def raw_async(client: openai.AsyncOpenAI, _: Path) -> Any:
    response = await client.images.with_raw_response.generate(**ASKED)
    return type(response).__name__, response.content, dumped(response.parse())


def streaming_response_read(client: openai.OpenAI, _: Path) -> Any:
    with client.images.with_streaming_response.generate(**ASKED) as response:
        return type(response).__name__, response.read()


async def streaming_response_bytes_async(client: openai.AsyncOpenAI, _: Path) -> Any:
    async with client.images.with_streaming_response.generate(**ASKED) as response:
        return type(response).__name__, b"".join([part async for part in response.iter_bytes(100)])


def streaming_response_parsed(client: openai.OpenAI, _: Path) -> Any:
    with client.images.with_streaming_response.generate(**ASKED) as response:
        return dumped(response.parse())


WAYS = ways(
    *(create, create_async, raw, raw_async),
    *(streaming_response_read, streaming_response_bytes_async, streaming_response_parsed),
)


def stream(client: openai.OpenAI, _: Path) -> Any:
    events = client.images.generate(**ASKED, stream=True, partial_images=3)
    assert isinstance(events, openai.Stream)
    return [dumped(event) for event in events]


async def stream_async(client: openai.AsyncOpenAI, _: Path) -> Any:
    events = await client.images.generate(**ASKED, stream=True, partial_images=3)
    return [dumped(event) async for event in events]


def raw_stream(client: openai.OpenAI, _: Path) -> Any:
    response = client.images.with_raw_response.generate(**ASKED, stream=True, partial_images=3)
    return [dumped(event) for event in response.parse()]


def streaming_response_lines(client: openai.OpenAI, _: Path) -> Any:
    with client.images.with_streaming_response.generate(**ASKED, stream=True, partial_images=3) as response:
        return list(response.iter_lines())


async def streaming_response_stream_async(client: openai.AsyncOpenAI, _: Path) -> Any:
    async with client.images.with_streaming_response.generate(**ASKED, stream=True, partial_images=3) as response:
        return b"".join([part async for part in response.iter_bytes(7)])


STREAMS = ways(stream, stream_async, raw_stream, streaming_response_lines, streaming_response_stream_async)


@pytest.mark.parametrize("way", WAYS)
def test_the_application_sees_the_same(way: Media, server: ScriptedServer, tmp_path: Path) -> None:
    bare = way(server.url, tmp_path)
    Recorded(tmp_path / "records")
    assert way(server.url, tmp_path) == bare
    first, second = (request.body for request in server.requests)
    assert first == second == ASKED


@pytest.mark.parametrize("way", WAYS)
def test_one_span_and_one_record(way: Media, server: ScriptedServer, recorded: Recorded, tmp_path: Path) -> None:
    way(server.url, tmp_path)
    found, record = recorded.attributes, recorded.record
    assert recorded.span.name == "image_generation gpt-image-1"
    assert recorded.span.status.status_code.name == "UNSET"
    assert found["gen_ai.operation.name"] == "image_generation"
    assert found["gen_ai.output.type"] == "image"
    assert "gen_ai.request.stream" not in found
    assert messages(recorded, "input") == [{"role": "user", "parts": [{"type": "text", "content": ASKED["prompt"]}]}]
    assert messages(recorded, "output")[0]["parts"] == [blob(picture(), mime_type="image/png")]
    assert record["request"] == {
        "model": "gpt-image-1", "output_type": "image", "size": "1024x1024", "quality": "low"
    }  # fmt: skip
    assert (record["prompt"], record["response"]) == (ASKED["prompt"], "[image image/png]")
    assert record["usage"]["image_output_tokens"] == record["usage"]["output_tokens"] == 1056
    assert nowhere(recorded, picture())


@needs_image_streams
@pytest.mark.parametrize("way", STREAMS)
def test_streams(way: Media, server: ScriptedServer, tmp_path: Path) -> None:
    bare = way(server.url, tmp_path)
    recorded = Recorded(tmp_path / "records")
    assert way(server.url, tmp_path) == bare
    found = recorded.attributes
    assert recorded.span.name == "image_generation gpt-image-1"
    assert found["gen_ai.request.stream"] is True
    assert (found["spantape.stream.end"], found["spantape.stream.chunks"]) == ("completed", 4)
    assert found["gen_ai.usage.output_tokens"] == 1056
    assert not is_listed("gpt-image-1") or found["spantape.cost.output"] == pytest.approx(1056 * 40e-6)
    (message,) = messages(recorded, "output")
    assert message["parts"] == [blob(picture(255), mime_type="image/png")]
    assert nowhere(recorded, *map(picture, (0, 1, 2, 255)))


@needs_image_streams
def test_an_unfinished_picture_is_let_go_of_at_once(server: ScriptedServer, recorded: Recorded) -> None:
    seen: list[weakref.ref[Any]] = []
    with sync_client(server.url) as client:
        events = client.images.generate(**ASKED, stream=True, partial_images=3)
        for event in events:
            if len(seen) == 3:
                gc.collect()
                assert [ref() for ref in seen[:2]] == [None, None]
            seen.append(weakref.ref(event))
    assert len(seen) == 4
    assert recorded.attributes["spantape.stream.chunks"] == 4


@needs_image_streams
def test_a_stream_that_is_left_before_its_picture(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client, client.images.generate(**ASKED, stream=True, partial_images=3) as events:
        next(events)
    assert recorded.attributes["spantape.stream.end"] == "closed"
    assert "gen_ai.output.messages" not in recorded.attributes
    assert "gen_ai.usage.output_tokens" not in recorded.attributes


def test_a_raw_stream_may_be_larger_than_what_is_held_of_it(server: ScriptedServer, recorded: Recorded) -> None:
    partial = {"type": "image_generation.partial_image", "b64_json": "A" * 6_000_000}
    last = {"type": "image_generation.completed", "b64_json": "aGk=", "usage": {"input_tokens": 1, "output_tokens": 2}}
    server.replies(Reply(chunks=[partial, partial, partial, last], done=False))
    with (
        sync_client(server.url) as client,
        client.images.with_streaming_response.generate(**ASKED, extra_body={"stream": True}) as response,
    ):
        tracemalloc.start()
        assert sum(map(len, response.iter_bytes())) > 18_000_000
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held < 1_000_000
    assert recorded.attributes["gen_ai.usage.output_tokens"] == 2
    assert messages(recorded, "output")[0]["parts"] == [blob(b"hi")]


# --- other images


def test_several_pictures_by_address(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        client.images.generate(model="dall-e-3", prompt="a cat", n=2)
    assert recorded.attributes["gen_ai.request.choice.count"] == 2
    first, second = messages(recorded, "output")
    assert first["parts"] == [
        {"type": "text", "content": "a cat"},
        {"type": "uri", "modality": "image", "uri": "https://images.test/0.png"},
    ]
    assert second["parts"][1]["uri"] == "https://images.test/1.png"
    assert recorded.record["response"].startswith("a cat\n[image https://images.test/0.png]")
    assert recorded.record["usage"] is None
    assert recorded.record["cost"] is None


def test_no_file_is_touched(server: ScriptedServer, tmp_path: Path) -> None:
    on_disk = tmp_path / "on disk.webp"
    on_disk.write_bytes(PHOTO)

    def edit(client: openai.OpenAI, _: Path) -> Any:
        photo, mask = Counting(PHOTO, "/secret/photo.png"), Counting(b"mask", "mask.png")
        client.images.edit(model="gpt-image-1", prompt="wider", image=photo, mask=mask)
        client.images.edit(model="gpt-image-1", prompt="wider", image=on_disk, mask=("m", mask, "image/png"))
        return photo.done, mask.done

    bare = sync(edit)(server.url, tmp_path)
    recorded = Recorded(tmp_path / "records")
    assert sync(edit)(server.url, tmp_path) == bare
    sent = [request.body for request in server.requests]
    assert sent[:2] == sent[2:]
    assert sent[2]["image"]["content"] == sent[3]["image"]["content"] == PHOTO
    first, second = (json.loads(span.attributes["gen_ai.input.messages"])[0]["parts"] for span in recorded.spans)
    untouched = {"type": "blob", "modality": "image", "mime_type": "image/png"}
    mask = untouched | {"purpose": "mask"}
    assert first == [
        {"type": "text", "content": "wider"}, untouched | {"name": "photo.png"}, mask | {"name": "mask.png"}
    ]  # fmt: skip
    # The client itself reads what is given as a path, so that the bytes are in memory.
    assert second[1:] == [blob(PHOTO, mime_type="image/webp", name="on disk.webp"), mask | {"name": "m"}]
    assert recorded.spans[0].name == "image_edit gpt-image-1"
    assert nowhere(recorded, PHOTO, "/secret")


def test_variation_of_bytes(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.images.create_variation(image=PHOTO, model="dall-e-2", n=1)
    assert recorded.span.name == "image_variation dall-e-2"
    assert "gen_ai.request.choice.count" not in recorded.attributes
    assert messages(recorded, "input")[0]["parts"] == [blob(PHOTO)]
    assert nowhere(recorded, PHOTO)


@pytest.mark.parametrize("way", WAYS)
def test_content_off(way: Media, server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", capture_content=False)
    way(server.url, tmp_path)
    assert not [name for name in recorded.attributes if "messages" in name or "parameters" in name]
    assert recorded.attributes["gen_ai.usage.image.output_tokens"] == 1056
    assert nowhere(recorded, ASKED["prompt"], about(picture())["sha256"], picture())


@pytest.mark.parametrize("way", WAYS)
def test_errors(way: Media, server: ScriptedServer, recorded: Recorded, tmp_path: Path) -> None:
    server.replies(error(400, "not this", code="moderation_blocked"))
    with pytest.raises(openai.BadRequestError, match="not this"):
        way(server.url, tmp_path)
    assert recorded.span.status.status_code.name == "ERROR"
    assert recorded.attributes["spantape.error.code"] == "moderation_blocked"


def test_a_large_picture_leaves_a_small_record(server: ScriptedServer, recorded: Recorded) -> None:
    large = picture() + bytes(2_000_000)
    data = [{"b64_json": base64.b64encode(large).decode()}]
    server.replies(Reply({"created": 1, "data": data, "output_format": "jpeg"}))
    with sync_client(server.url) as client:
        client.images.generate(**ASKED)
    assert messages(recorded, "output")[0]["parts"] == [blob(large, mime_type="image/jpeg")]
    assert len(json.dumps(recorded.record)) < 4000


# --- cost


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        ("gpt-image-1", {"input": {"text_tokens": 10, "image_tokens": 20}}, 10 * 5e-6 + 20 * 10e-6 + 100 * 40e-6),
        ("gpt-image-1", {"input": None}, None),
        ("gpt-image-1", {"input": {"text_tokens": 10, "image_tokens": 20, "cached_tokens": 5}}, None),
        (
            "gpt-image-1.5",
            {"input": {"text_tokens": 30, "image_tokens": 0}, "output": {"text_tokens": 10, "image_tokens": 90}},
            30 * 5e-6 + 10 * 10e-6 + 90 * 32e-6,
        ),
        ("gpt-image-1.5", {"input": {"text_tokens": 30, "image_tokens": 0}}, None),
        ("gpt-5-image", {"input": {"text_tokens": 30, "image_tokens": 0}, "output": {"image_tokens": 100}}, None),
        ("no-such-image", {"input": {"text_tokens": 30, "image_tokens": 0}}, None),
    ],
)
def test_cost_by_hand_or_none(
    model: str, usage: dict[str, Any], cost: float | None, server: ScriptedServer, tmp_path: Path
) -> None:
    if cost is not None and not is_listed(model):
        pytest.skip("not in this price list")
    recorded = Recorded(tmp_path / "records")
    told = {"input_tokens": 30, "output_tokens": 100, "total_tokens": 130}
    told |= {f"{side}_tokens_details": details for side, details in usage.items()}
    server.replies(Reply({"created": 1, "data": [], "usage": told}))
    with sync_client(server.url.replace("127.0.0.1", "localhost")) as client:
        client.images.generate(model=model, prompt="a")
    found = recorded.attributes
    assert found["gen_ai.usage.input_tokens"] == 30
    assert found.get("spantape.cost.total") == (None if cost is None else pytest.approx(cost))


def test_a_second_model_that_writes_svg_has_other_prices(server: ScriptedServer, recorded: Recorded) -> None:
    details = {"input_tokens_details": {"text_tokens": 3, "image_tokens": 0}}
    usage = {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8, **details}
    svg = {"model": "gpt-6", "input_tokens": 7, "output_tokens": 11, "reasoning_tokens": 0, "total_tokens": 18}
    server.replies(Reply({"created": 1, "data": [], "usage": usage, "svg_usage": svg}))
    with sync_client(server.url) as client:
        client.images.generate(**ASKED)
    assert recorded.record["usage"]["svg_output_tokens"] == 11
    assert recorded.record["cost"] is None


# --- odd bodies


@pytest.mark.parametrize(
    ("sent", "parts"),
    [
        ({}, None),
        ({"prompt": None, "image": 5, "files": "x"}, None),
        ({"prompt": ["a"], "images": [None, 3, {}]}, None),
        ({"image": "https://a.test/b.png"}, [{"type": "uri", "modality": "image", "uri": "https://a.test/b.png"}]),
        ({"image": ["aGk="]}, [{"type": "blob", "modality": "image", "content": "aGk="}]),
        (
            {"images": [{"image_url": "data:image/png;base64,aGk="}, {"file_id": "file-1"}]},
            [
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="},
                {"type": "file", "modality": "image", "file_id": "file-1"},
            ],
        ),
    ],
)
def test_asked(sent: dict[str, Any], parts: Any) -> None:
    expected = None if parts is None else [{"role": "user", "parts": parts}]
    assert images.asked(sent)[semconv.INPUT_MESSAGES] == expected


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": "x", "usage": []}, {"data": [None, 1], "usage": None}])
def test_nothing_in_it(body: dict[str, Any]) -> None:
    assert images.response(body) == {}
    assert images.answered(body) == {semconv.OUTPUT_MESSAGES: None}


def test_join_keeps_no_unfinished_picture() -> None:
    join = images.Join()
    partial = {"type": "image_generation.partial_image", "b64_json": "PARTIAL", "usage": None}
    join.add([partial, None, 3, {}, {"type": None}, {"type": ["x.completed"]}])
    assert "PARTIAL" not in repr(vars(join))
    assert join.body() == {"data": []}
    join.add(
        [{"type": "image_edit.completed", "b64_json": "aGk=", "usage": {"input_tokens": 1}, "output_format": "webp"}]
    )
    assert join.body()["usage"] == {"input_tokens": 1}
    (message,) = images.answered(join.body())[semconv.OUTPUT_MESSAGES]
    assert message["parts"][0]["mime_type"] == "image/webp"
