"""Bodies that the application reads from the wire itself are understood however they are packed, or not at all."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai_ways import BODY

import openai
from recorded import Recorded
from spantape import semconv
from spantape.testing import Reply, ScriptedServer, completion

HEARD: Any = {"model": "whisper-1", "file": ("a.wav", b"RIFF"), "response_format": "text"}


def zstd(data: bytes) -> bytes:
    packed: bytes = pytest.importorskip("zstandard").compress(data)
    return packed


PACKING: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd}


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[openai.OpenAI]:
    """Has an httpx that unpacks zstd where zstandard is installed: LangChain brings both along."""
    httpx = pytest.importorskip("httpx")
    with openai.OpenAI(base_url=server.url, api_key="test", http_client=httpx.Client(verify=False)) as client:
        yield client


@pytest.mark.parametrize("how", PACKING)
def test_an_answer(how: str, client: openai.OpenAI, server: ScriptedServer, recorded: Recorded) -> None:
    data = json.dumps(completion("你好").body).encode()
    server.replies(Reply(raw=PACKING[how](data), headers={"content-encoding": how}))
    with client.chat.completions.with_streaming_response.create(**BODY) as response:
        assert response.parse().choices[0].message.content == "你好"
    assert recorded.attributes[semconv.INPUT_TOKENS] > 0
    assert "你好" in recorded.attributes[semconv.OUTPUT_MESSAGES]


@pytest.mark.parametrize("how", PACKING)
def test_events(how: str, client: openai.OpenAI, server: ScriptedServer, recorded: Recorded) -> None:
    chunk = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"content": "ab"}, "finish_reason": "stop"}]}
    lines = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    server.replies(Reply(raw=PACKING[how](lines), content_type="text/event-stream", headers={"content-encoding": how}))
    with client.chat.completions.with_streaming_response.create(**BODY, stream=True) as response:
        assert b"".join(response.iter_bytes()) == lines
    assert '"ab"' in recorded.attributes[semconv.OUTPUT_MESSAGES]


@pytest.mark.parametrize("how", ["novel", "gzip, br"])
def test_what_only_the_application_can_unpack_is_not_guessed_at(
    how: str, client: openai.OpenAI, server: ScriptedServer, recorded: Recorded
) -> None:
    server.replies(Reply(raw=b"\x8b\x03hello", content_type="text/plain", headers={"content-encoding": how}))
    with client.audio.transcriptions.with_streaming_response.create(**HEARD) as response:
        assert b"".join(response.http_response.iter_raw()) == b"\x8b\x03hello"
    assert semconv.OUTPUT_MESSAGES not in recorded.attributes
    assert recorded.record["success"] is True
