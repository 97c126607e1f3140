"""Audio: no sound is read, decoded or kept; what comes back is what came back without us, byte for byte."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from media_ways import Counting, Media, dumped, is_listed, needs_transcription_streams, nowhere, sync, ways
from openai_ways import async_client, sync_client

import openai
from recorded import Recorded
from spantape import semconv
from spantape.instrumentors.openai import audio
from spantape.testing import Reply, ScriptedServer, error
from spantape.testing.media import SOUND

SPOKEN: dict[str, Any] = {"model": "gpt-4o-mini-tts", "input": "say 好", "voice": "alloy", "speed": 1.5}
SSE: dict[str, Any] = SPOKEN | {"extra_body": {"stream_format": "sse"}}
HEARD: dict[str, Any] = {"model": "gpt-4o-transcribe", "file": ("talk.mp3", SOUND), "prompt": "names: Ann"}


@pytest.fixture(autouse=True)
def deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def messages(recorded: Recorded, which: str) -> Any:
    return json.loads(recorded.attributes[f"gen_ai.{which}.messages"])


# --- speech


def create(client: openai.OpenAI, _: Path) -> Any:
    result = client.audio.speech.create(**SPOKEN)
    return type(result).__name__, result.content, result.response.headers["content-type"]


async def create_async(client: openai.AsyncOpenAI, _: Path) -> Any:
    result = await client.audio.speech.create(**SPOKEN)
    return type(result).__name__, await result.aread()


def create_to_a_file(client: openai.OpenAI, folder: Path) -> Any:
    client.audio.speech.create(**SPOKEN).write_to_file(folder / "out")
    return (folder / "out").read_bytes()


def create_iter_bytes(client: openai.OpenAI, _: Path) -> Any:
    return list(client.audio.speech.create(**SPOKEN).iter_bytes(100))


def raw(client: openai.OpenAI, _: Path) -> Any:
    response = client.audio.speech.with_raw_response.create(**SPOKEN)
    return type(response).__name__, response.content, type(response.parse()).__name__


def streaming_response_to_a_file(client: openai.OpenAI, folder: Path) -> Any:
    with client.audio.speech.with_streaming_response.create(**SPOKEN) as response:
        response.stream_to_file(folder / "out")
        return type(response).__name__, (folder / "out").read_bytes()


async def streaming_response_to_a_file_async(client: openai.AsyncOpenAI, folder: Path) -> Any:
    async with client.audio.speech.with_streaming_response.create(**SPOKEN) as response:
        await response.stream_to_file(folder / "out")
        return type(response).__name__, (folder / "out").read_bytes()


def streaming_response_iter_bytes(client: openai.OpenAI, _: Path) -> Any:
    with client.audio.speech.with_streaming_response.create(**SPOKEN) as response:
        return list(response.iter_bytes(100))


async def streaming_response_iter_bytes_async(client: openai.AsyncOpenAI, _: Path) -> Any:
    async with client.audio.speech.with_streaming_response.create(**SPOKEN) as response:
        return [part async for part in response.iter_bytes(100)]


def streaming_response_read(client: openai.OpenAI, _: Path) -> Any:
    with client.audio.speech.with_streaming_response.create(**SPOKEN) as response:
        return response.read()


SPEECHES = ways(
    *(create, create_async, create_to_a_file, create_iter_bytes, raw, streaming_response_to_a_file),
    *(streaming_response_to_a_file_async, streaming_response_iter_bytes, streaming_response_iter_bytes_async),
    streaming_response_read,
)


@pytest.mark.parametrize("way", SPEECHES)
def test_speech(way: Media, server: ScriptedServer, tmp_path: Path) -> None:
    bare = way(server.url, tmp_path)
    recorded = Recorded(tmp_path / "records")
    assert way(server.url, tmp_path) == bare
    first, second = (request.body for request in server.requests)
    assert first == second == SPOKEN
    assert recorded.span.name == "speech gpt-4o-mini-tts"
    assert recorded.span.status.status_code.name == "UNSET"
    assert recorded.attributes["gen_ai.output.type"] == "speech"
    (message,) = messages(recorded, "output")
    assert message["parts"] == [{"type": "blob", "modality": "audio", "mime_type": "audio/mpeg", "size": len(SOUND)}]
    record = recorded.record
    assert (record["prompt"], record["response"]) == ("say 好", "[audio audio/mpeg]")
    assert (record["request"]["voice"], record["request"]["speed"]) == ("alloy", 1.5)
    assert record["usage"] is None
    assert record["cost"] is None
    assert nowhere(recorded, SOUND, hashlib.sha256(SOUND).hexdigest())


def sse_lines(client: openai.OpenAI, _: Path) -> Any:
    with client.audio.speech.with_streaming_response.create(**SSE) as response:
        return list(response.iter_lines())


async def sse_bytes_async(client: openai.AsyncOpenAI, _: Path) -> Any:
    async with client.audio.speech.with_streaming_response.create(**SSE) as response:
        return b"".join([part async for part in response.iter_bytes(11)])


def sse_read_whole(client: openai.OpenAI, _: Path) -> Any:
    return client.audio.speech.create(**SSE).content


@pytest.mark.parametrize("way", ways(sse_lines, sse_bytes_async, sse_read_whole))
def test_speech_as_events(way: Media, server: ScriptedServer, tmp_path: Path) -> None:
    bare = way(server.url, tmp_path)
    recorded = Recorded(tmp_path / "records")
    assert way(server.url, tmp_path) == bare
    found = recorded.attributes
    assert found["gen_ai.request.stream"] is True
    assert found.get("spantape.stream.chunks") in {4, None}  # None: the client had read it all before anybody asked
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (2, 3)
    if is_listed("gpt-4o-mini-tts"):
        assert found["spantape.cost.total"] == pytest.approx(2 * 0.6e-6 + 3 * 12e-6)
    (message,) = messages(recorded, "output")
    assert message["parts"] == [{"type": "blob", "modality": "audio", "size": len(SOUND)}]
    assert nowhere(recorded, SOUND)


def test_events_that_are_packed(server: ScriptedServer, recorded: Recorded) -> None:
    chunks = [{"type": "speech.audio.delta", "audio": base64.b64encode(SOUND).decode()}] * 3
    lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    packed = Reply(raw=gzip.compress(lines.encode()), content_type="text/event-stream")
    server.replies(packed.but(headers={"content-encoding": "gzip"}))
    with sync_client(server.url) as client:
        assert "".join(f"{line}\n" for line in sse_lines(client, Path())) == lines
    assert messages(recorded, "output")[0]["parts"][0]["size"] == 3 * len(SOUND)


def test_speech_that_is_left_early_has_no_size(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(Reply(raw=bytes(1_000_000), content_type="audio/pcm"))
    with sync_client(server.url) as client, client.audio.speech.with_streaming_response.create(**SPOKEN) as response:
        next(response.iter_bytes(10))
    assert recorded.span.status.status_code.name == "UNSET"
    assert "gen_ai.output.messages" not in recorded.attributes


@pytest.mark.parametrize("kind", ["audio/pcm", "application/octet-stream", ""])
def test_a_sound_is_not_held_while_it_passes(kind: str, server: ScriptedServer, recorded: Recorded) -> None:
    size = 8_000_000
    server.replies(Reply(raw=bytes(size), content_type=kind or "application/x-unknown"))
    with sync_client(server.url) as client, client.audio.speech.with_streaming_response.create(**SPOKEN) as response:
        tracemalloc.start()
        passed = sum(map(len, response.iter_bytes()))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert passed == size
    assert held < size / 4
    assert messages(recorded, "output")[0]["parts"][0]["size"] == size


# --- transcription and translation


def transcribe(client: openai.OpenAI, _: Path) -> Any:
    return dumped(client.audio.transcriptions.create(**HEARD))


async def transcribe_async(client: openai.AsyncOpenAI, _: Path) -> Any:
    return dumped(await client.audio.transcriptions.create(**HEARD))


def transcribe_raw(client: openai.OpenAI, _: Path) -> Any:
    response = client.audio.transcriptions.with_raw_response.create(**HEARD)
    return response.content, dumped(response.parse())


def transcribe_streaming_response(client: openai.OpenAI, _: Path) -> Any:
    with client.audio.transcriptions.with_streaming_response.create(**HEARD) as response:
        return b"".join(response.iter_bytes(5))


async def transcribe_streaming_response_async(client: openai.AsyncOpenAI, _: Path) -> Any:
    async with client.audio.transcriptions.with_streaming_response.create(**HEARD) as response:
        return await response.json()


@pytest.mark.parametrize(
    "way",
    ways(
        *(transcribe, transcribe_async, transcribe_raw),
        *(transcribe_streaming_response, transcribe_streaming_response_async),
    ),
)
def test_transcription(way: Media, server: ScriptedServer, tmp_path: Path) -> None:
    bare = way(server.url, tmp_path)
    recorded = Recorded(tmp_path / "records")
    assert way(server.url, tmp_path) == bare
    first, second = (request.body for request in server.requests)
    assert first == second
    assert second["file"]["content"] == SOUND
    found = recorded.attributes
    assert recorded.span.name == "transcription gpt-4o-transcribe"
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.audio.input_tokens"]) == (14, 14)
    assert not is_listed("gpt-4o-transcribe") or found["spantape.cost.input"] == pytest.approx(14 * 6e-6)
    hint, sound = messages(recorded, "input")[0]["parts"]
    assert hint == {"type": "text", "content": "names: Ann"}
    assert sound == {
        "type": "blob",
        "modality": "audio",
        "mime_type": "audio/mpeg",
        "name": "talk.mp3",
        "size": len(SOUND),
        "sha256": hashlib.sha256(SOUND).hexdigest(),
    }
    assert messages(recorded, "output")[0]["parts"] == [{"type": "text", "content": "You sent: talk.mp3"}]
    assert recorded.record["prompt"] == "names: Ann\n[audio talk.mp3]"
    assert nowhere(recorded, SOUND)


def events(client: openai.OpenAI, _: Path) -> Any:
    return [dumped(event) for event in client.audio.transcriptions.create(**HEARD, stream=True)]


async def events_async(client: openai.AsyncOpenAI, _: Path) -> Any:
    return [dumped(event) async for event in await client.audio.transcriptions.create(**HEARD, stream=True)]


def events_raw(client: openai.OpenAI, _: Path) -> Any:
    with client.audio.transcriptions.with_streaming_response.create(**HEARD, stream=True) as response:
        return b"".join(response.iter_bytes())


@needs_transcription_streams
@pytest.mark.parametrize("way", ways(events, events_async, events_raw))
def test_transcription_streams(way: Media, server: ScriptedServer, tmp_path: Path) -> None:
    bare = way(server.url, tmp_path)
    recorded = Recorded(tmp_path / "records")
    assert way(server.url, tmp_path) == bare
    found = recorded.attributes
    assert (found["gen_ai.request.stream"], found["spantape.stream.end"]) == (True, "completed")
    assert found["gen_ai.usage.audio.input_tokens"] == 14
    assert messages(recorded, "output")[0]["parts"] == [{"type": "text", "content": "You sent: talk.mp3"}]
    assert recorded.record["response"] == "You sent: talk.mp3"
    assert nowhere(recorded, SOUND)


@needs_transcription_streams
def test_what_was_heard_so_far_is_kept(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client, client.audio.transcriptions.create(**HEARD, stream=True) as stream:
        said = "".join(getattr(next(stream), "delta", "") for _ in range(2))
    assert said
    assert recorded.record["response"] == said
    assert recorded.record["metadata"]["stream_end"] == "closed"


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
@pytest.mark.parametrize("is_async", [False, True])
def test_plain_text_comes_back_untouched(form: Any, is_async: bool, server: ScriptedServer, tmp_path: Path) -> None:
    body: Any = HEARD | {"response_format": form}

    def ask() -> Any:
        async def main() -> Any:
            async with async_client(server.url) as client:
                return await client.audio.transcriptions.create(**body)

        if is_async:
            return asyncio.run(main())
        with sync_client(server.url) as client:
            return client.audio.transcriptions.create(**body)

    bare = ask()
    recorded = Recorded(tmp_path / "records")
    assert type(ask()) is type(bare) is str
    assert ask() == bare
    assert "You sent: talk.mp3" in bare
    record = recorded.records[0]
    assert (record["response"], record["request"]["output_type"]) == (bare, "text")


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        ("schön".encode("latin-1"), "text/plain; charset=latin-1", "schön"),
        ("schön".encode(), 'text/plain; charset="no-such"', "schön"),
        (b"\xffbad", "text/html", "�bad"),
        (b'{"text": "as text"}', "text/plain", "as text"),
        (b' \n{"text": "as a sound"}', "audio/mpeg", "as a sound"),
        (b'{"text": "as nothing"}', "x", "as nothing"),
        (b"", "text/plain", None),
        (b"\x00\x01", "application/octet-stream", None),
    ],
)
@pytest.mark.parametrize("how", ["create", "with_raw_response", "with_streaming_response"])
def test_the_content_decides_what_it_is(
    data: bytes, kind: str, said: str | None, how: str, server: ScriptedServer, recorded: Recorded
) -> None:
    server.replies(Reply(raw=data, content_type=kind))
    body: Any = {**HEARD, "response_format": "text", "model": "whisper-1"}
    with sync_client(server.url) as client:
        if how == "create":
            client.audio.transcriptions.create(**body)
        elif how == "with_raw_response":
            assert client.audio.transcriptions.with_raw_response.create(**body).content == data
        else:
            with client.audio.transcriptions.with_streaming_response.create(**body) as response:
                assert response.read() == data
    assert recorded.record["response"] == said


@pytest.mark.parametrize("how", ["with_raw_response", "with_streaming_response"])
def test_json_that_was_cut_is_no_text(how: str, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(Reply(raw=b'{"text": "cut', content_type="application/json"))
    with sync_client(server.url) as client:
        if how == "with_raw_response":
            client.audio.transcriptions.with_raw_response.create(**HEARD)
        else:
            with client.audio.transcriptions.with_streaming_response.create(**HEARD) as response:
                response.read()
    assert recorded.record["response"] is None


@pytest.mark.skipif(openai.__version__.startswith("1.40"), reason="this openai reads all that is declared to be JSON")
def test_a_text_that_is_declared_to_be_json(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(Reply(raw=b"just text", content_type="application/json"))
    with sync_client(server.url) as client:
        assert client.audio.transcriptions.create(**HEARD, response_format="text") == "just text"  # type: ignore[comparison-overlap]
    assert recorded.record["response"] == "just text"


def test_the_users_encoding_can_still_be_set(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(Reply(raw="schön".encode("latin-1"), content_type="text/plain"))
    with sync_client(server.url) as client:
        response = client.audio.transcriptions.with_raw_response.create(**HEARD).http_response
        response.encoding = "latin-1"
        assert response.text == "schön"
    assert recorded.record["success"] is True


def test_seconds_are_a_usage_without_cost(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        client.audio.translations.create(**{**HEARD, "model": "whisper-1"}, response_format="verbose_json")
    assert recorded.span.name == "translation whisper-1"
    assert recorded.attributes["gen_ai.output.type"] == "json"
    assert recorded.record["usage"] == {"seconds": 2.0}
    assert recorded.record["cost"] is None


def test_no_cost_where_it_is_not_said_what_was_heard(server: ScriptedServer, recorded: Recorded) -> None:
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 4, "total_tokens": 18}
    server.replies(Reply({"text": "a", "usage": usage}))
    with sync_client(server.url) as client:
        client.audio.transcriptions.create(**HEARD)
    assert recorded.record["usage"]["input_tokens"] == 14
    assert recorded.record["cost"] is None


def test_no_file_is_touched(server: ScriptedServer, tmp_path: Path) -> None:
    def hear(client: openai.OpenAI, _: Path) -> Any:
        sounds = [Counting(SOUND, "/secret/a.wav"), Counting(SOUND, "b")]
        client.audio.transcriptions.create(model="whisper-1", file=sounds[0])
        client.audio.translations.create(model="whisper-1", file=("c.wav", sounds[1]))
        return [sound.done for sound in sounds]

    bare = sync(hear)(server.url, tmp_path)
    recorded = Recorded(tmp_path / "records")
    assert sync(hear)(server.url, tmp_path) == bare
    assert [request.body["file"]["content"] for request in server.requests] == [SOUND] * 4
    parts = [json.loads(span.attributes["gen_ai.input.messages"])[0]["parts"] for span in recorded.spans]
    names = [[{key: part[key] for key in part if key in {"name", "size"}} for part in said] for said in parts]
    assert names == [[{"name": "a.wav"}], [{"name": "c.wav"}]]
    assert nowhere(recorded, SOUND, "/secret")


def test_a_large_recording_is_not_hashed(server: ScriptedServer, recorded: Recorded) -> None:
    size = 9 * 1024 * 1024
    with sync_client(server.url) as client:
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", bytes(size)))
    (part,) = messages(recorded, "input")[0]["parts"]
    assert part["size"] == size
    assert "sha256" not in part


@pytest.mark.parametrize("name", ["create", "transcribe", "sse_lines"])
def test_content_off(name: str, server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", capture_content=False)
    sync(globals()[name])(server.url, tmp_path)
    assert not [key for key in recorded.attributes if "messages" in key or "parameters" in key]
    assert nowhere(recorded, SOUND, "say 好", "names: Ann", "You sent", "talk.mp3", "alloy")


@pytest.mark.parametrize("name", ["create", "transcribe", "streaming_response_iter_bytes"])
def test_errors(name: str, server: ScriptedServer, recorded: Recorded, tmp_path: Path) -> None:
    server.replies(error(400, "too long", code="audio_too_long"))
    with pytest.raises(openai.BadRequestError, match="too long"):
        sync(globals()[name])(server.url, tmp_path)
    assert recorded.span.status.status_code.name == "ERROR"
    assert recorded.attributes["spantape.error.code"] == "audio_too_long"


# --- odd bodies


@pytest.mark.parametrize(
    "body", [{}, {"usage": None}, {"usage": 3, "text": None, "size": "x"}, {"text": 5, "usage": []}]
)
def test_nothing_in_it(body: dict[str, Any]) -> None:
    assert audio.response(body) == {semconv.SECONDS: None}
    assert audio.heard(body) == audio.spoken(body) == {semconv.OUTPUT_MESSAGES: None}


@pytest.mark.parametrize("body", [{}, {"input": None, "prompt": 4}, {"files": [None, 3], "input": ["a"], "prompt": ""}])
def test_nothing_asked(body: dict[str, Any]) -> None:
    assert audio.speech_asked(body)[semconv.INPUT_MESSAGES] is None
    assert audio.heard_asked(body)[semconv.INPUT_MESSAGES] is None
    assert audio.heard_request(body) == {semconv.OUTPUT_TYPE: None}


@pytest.mark.parametrize("join", [audio.Heard, audio.Spoken])
def test_odd_events(join: Any) -> None:
    joined = join()
    joined.add([None, 3, {}, {"type": None}, {"delta": 3, "audio": 4}, {"type": "transcript.text.done", "text": None}])
    assert not joined.body().get("text")
    assert joined.body().get("size") is None
    assert joined.body()["usage"] is None


def test_the_last_event_has_the_whole_text() -> None:
    joined = audio.Heard()
    joined.add([{"type": "transcript.text.delta", "delta": "a"}, {"type": "transcript.text.delta", "delta": "b"}])
    assert joined.body()["text"] == "ab"
    joined.add([{"type": "transcript.text.done", "text": "A b.", "usage": {"type": "tokens"}}])
    assert joined.body() == {"text": "A b.", "usage": {"type": "tokens"}}


@pytest.mark.parametrize("sound", [b"", b"a", b"ab", b"abc", SOUND])
def test_the_size_of_a_sound_is_worked_out_from_its_base64(sound: bytes) -> None:
    joined = audio.Spoken()
    joined.add([{"type": "speech.audio.delta", "audio": base64.b64encode(sound).decode()}] * 2)
    assert joined.body()["size"] == 2 * len(sound)
