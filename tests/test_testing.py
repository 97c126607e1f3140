"""The scripted server, as the real `openai` client sees it."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

import openai
from spantape.testing import Reply, ScriptedServer, completion, error, response, response_stream, stream
from spantape.testing.server import HOLD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "天气很好 🌦️👩‍👩‍👧 — naïve"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"type": "string"}},
            "required": ["city", "days"],
        },
    },
}


class City(BaseModel):
    name: str
    population: int
    capital: bool


class Country(BaseModel):
    cities: list[str]
    capital: City
    neighbour: Country | None


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="test", max_retries=0, timeout=20) as made:
        yield made


def ask(client: Any, text: str = "Hi", **options: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, **options)


def joined(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_echoes_the_last_user_message(server: ScriptedServer, client: openai.OpenAI) -> None:
    answer = ask(client, TEXT)
    assert answer.choices[0].message.content == f"You said: {TEXT}"
    assert (answer.id, answer.created, answer.model) == ("chatcmpl-1", 1_700_000_000, "gpt-4o-mini-2024-07-18")
    assert answer.usage.prompt_tokens == len(TEXT) // 4 + 1
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    request = server.requests[-1]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.body["messages"] == [{"role": "user", "content": TEXT}] == json.loads(request.raw)["messages"]
    assert request.headers["authorization"] == "Bearer test"


def test_headers_and_counters(client: openai.OpenAI) -> None:
    raw = [client.chat.completions.with_raw_response.create(model="m", messages=[]) for _ in range(2)]
    assert [answer.headers["x-request-id"] for answer in raw] == ["req_1", "req_2"]
    assert [answer.parse().id for answer in raw] == ["chatcmpl-1", "chatcmpl-2"]
    assert raw[0].headers["openai-processing-ms"] == "12"
    assert raw[0].headers["openai-organization"] == "test"


def test_one_connection_serves_many_requests(server: ScriptedServer) -> None:
    connection = http.client.HTTPConnection(server.url.split("/")[2], timeout=10)
    with closing(connection):
        connection.connect()
        used = connection.sock
        for body in ('{"messages": []}', '{"messages": [], "stream": true}', "no JSON", '{"messages": []}'):
            connection.request("POST", "/v1/chat/completions", body)
            assert connection.getresponse().read()
            assert connection.sock is used


def test_content_parts_and_choices(client: openai.OpenAI) -> None:
    parts = [{"type": "text", "text": "A"}, {"type": "image_url", "image_url": {"url": "x"}}]
    answer = client.chat.completions.create(model="m", n=2, messages=[{"role": "user", "content": parts}])
    assert [(c.index, c.message.content) for c in answer.choices] == [(0, "You said: A"), (1, "You said: A")]


def test_streams(client: openai.OpenAI) -> None:
    chunks = list(ask(client, TEXT, stream=True))
    assert joined(chunks) == f"You said: {TEXT}"
    assert len(chunks) > 4
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert {(chunk.id, chunk.usage) for chunk in chunks} == {("chatcmpl-1", None)}


def test_streams_usage_when_asked(client: openai.OpenAI) -> None:
    whole = ask(client)
    *chunks, last = ask(client, stream=True, stream_options={"include_usage": True})
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert last.choices == []
    assert last.usage == whole.usage


def test_streams_several_choices(client: openai.OpenAI) -> None:
    chunks = list(ask(client, stream=True, n=2))
    for index in (0, 1):
        assert joined(chunk for chunk in chunks if chunk.choices[0].index == index) == "You said: Hi"


def test_async(server: ScriptedServer) -> None:
    async def run() -> tuple[str, str]:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="test") as client:
            plain = await ask(client, TEXT)
            chunks = [chunk async for chunk in await ask(client, TEXT, stream=True)]
            return plain.choices[0].message.content, joined(chunks)

    assert asyncio.run(run()) == (f"You said: {TEXT}",) * 2


def test_async_burst(server: ScriptedServer) -> None:
    async def run() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="test", max_retries=0) as client:
            return await asyncio.gather(*(ask(client, f"no. {number}") for number in range(50)))

    answers = asyncio.run(run())
    assert [answer.choices[0].message.content for answer in answers] == [f"You said: no. {n}" for n in range(50)]
    assert len({answer.id for answer in answers}) == 50


def test_calls_the_first_tool_and_then_answers(client: openai.OpenAI) -> None:
    first = ask(client, tools=[WEATHER]).choices[0]
    assert (first.finish_reason, first.message.content) == ("tool_calls", None)
    (call,) = first.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "demo", "days": 1})
    messages: Any = [
        {"role": "user", "content": "Weather?"},
        first.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "rain"},
    ]
    second = client.chat.completions.create(model="m", messages=messages, tools=[WEATHER])  # type: ignore[list-item]
    assert second.choices[0].message.content == "You said: Weather?"
    assert ask(client, tools=[WEATHER], tool_choice="none").choices[0].finish_reason == "stop"


def test_streams_a_tool_call(client: openai.OpenAI) -> None:
    chunks = list(ask(client, stream=True, tools=[WEATHER]))
    deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert (deltas[0].id, deltas[0].function.name) == ("call_1", "get_weather")
    assert json.loads("".join(delta.function.arguments for delta in deltas)) == {"city": "demo", "days": 1}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_parse(client: openai.OpenAI) -> None:
    completions: Any = getattr(client, "beta", client).chat.completions
    messages = [{"role": "user", "content": "Hi"}]
    answer = completions.parse(model="gpt-4o-mini", messages=messages, response_format=Country)
    parsed = answer.choices[0].message.parsed
    assert parsed.capital == City(name="demo", population=1, capital=True)
    assert parsed.cities == []


def test_json_object(client: openai.OpenAI) -> None:
    text = ask(client, response_format={"type": "json_object"}).choices[0].message.content
    assert json.loads(text) == {"answer": "You said: Hi"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"enum": ["red", "blue"]}, "red"),
        ({"const": 7}, 7),
        ({"type": ["number", "null"]}, 1),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, ["demo", "demo"]),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, True),
        ({}, None),
    ],
)
def test_made_up_values(client: openai.OpenAI, schema: Any, value: Any) -> None:
    whole = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": whole}}
    assert json.loads(ask(client, response_format=form).choices[0].message.content) == {"x": value}


def test_azure(server: ScriptedServer) -> None:
    endpoint = server.url.removesuffix("/v1")
    client = openai.AzureOpenAI(azure_endpoint=endpoint, api_key="test", api_version="2024-06-01")
    assert ask(client).choices[0].message.content == "You said: Hi"
    assert server.requests[-1].path == "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-06-01"


def test_azure_model_from_the_deployment(server: ScriptedServer) -> None:
    url = server.url.replace("/v1", "/openai/deployments/mine/chat/completions?api-version=1")
    with urllib.request.urlopen(url, data=b'{"messages": []}') as answer:
        assert json.load(answer)["model"] == "mine"


def test_other_paths(server: ScriptedServer, client: openai.OpenAI) -> None:
    assert "gpt-4o" in [model.id for model in client.models.list()]
    with pytest.raises(openai.NotFoundError) as caught:
        client.files.list()
    assert caught.value.code == "unknown_url"
    assert server.requests[-1].body is None


@pytest.mark.parametrize("data", [b"no JSON", b"[]", b"{}", b'{"messages": ["x"]}'])
def test_bad_requests(server: ScriptedServer, data: bytes) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(server.url + "/chat/completions", data=data)
    assert caught.value.code == 400
    assert "messages" in json.load(caught.value)["error"]["message"]


@pytest.mark.parametrize(
    ("path", "kind", "data"),
    [
        ("/images/generations", "application/json", b"{}"),
        ("/images/edits", "multipart/form-data; boundary=b", b"--b--"),
        ("/images/edits", "multipart/form-data", b"no boundary"),
        ("/audio/speech", "application/json", b"[]"),
        ("/audio/transcriptions", "application/json", b'{"file": "x"}'),
        ("/audio/translations", "multipart/form-data; boundary=b", b""),
    ],
)
def test_media_without_what_they_need(server: ScriptedServer, path: str, kind: str, data: bytes) -> None:
    request = urllib.request.Request(server.url + path, data, {"Content-Type": kind})
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request)
    assert raised.value.code == 400
    raised.value.close()


def test_a_form_is_read(server: ScriptedServer, client: openai.OpenAI) -> None:
    client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", b"\x00\xff\r\n--"), language="zh", prompt="好")
    file = {"filename": "a.mp3", "content_type": "audio/mpeg", "content": b"\x00\xff\r\n--"}
    assert server.requests[-1].body == {"model": "whisper-1", "language": "zh", "prompt": "好", "file": file}


def test_pictures_differ(client: openai.OpenAI) -> None:
    made: Any = client.images.generate(model="dall-e-3", prompt="a", n=2, response_format="b64_json")
    first, second = (base64.b64decode(image.b64_json) for image in made.data)
    assert first.startswith(b"\x89PNG")
    assert first != second


def test_scripted_replies_come_first(server: ScriptedServer, client: openai.OpenAI) -> None:
    server.replies(completion("One"), completion(TEXT, model="m", usage=None, id="mine", system_fingerprint="fp"))
    assert ask(client).choices[0].message.content == "One"
    second = ask(client)
    assert (second.choices[0].message.content, second.model, second.usage) == (TEXT, "m", None)
    assert (second.id, second.system_fingerprint) == ("mine", "fp")
    assert ask(client).choices[0].message.content == "You said: Hi"


def test_scripted_completion(server: ScriptedServer, client: openai.OpenAI) -> None:
    calls = [("f", {"a": "中"}), {"id": "x", "type": "function", "function": {"name": "g", "arguments": "{"}}]
    server.replies(
        completion(tool_calls=calls), completion(refusal="No", reasoning="Hm", n=2, usage={"total_tokens": 3})
    )
    first, second = ask(client).choices[0], ask(client)
    assert [(c.id, c.function.arguments) for c in first.message.tool_calls] == [("call_1", '{"a": "中"}'), ("x", "{")]
    assert (first.message.content, first.finish_reason) == (None, "tool_calls")
    message = second.choices[1].message
    assert (message.content, message.refusal, message.reasoning_content) == (None, "No", "Hm")
    assert second.usage.total_tokens == 3


def test_scripted_stream(server: ScriptedServer, client: openai.OpenAI) -> None:
    server.replies(stream(["a", "bc"], usage=True, reasoning="Hm", finish_reason="length", service_tier="default"))
    chunks = list(ask(client, stream=True))
    assert [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content] == ["a", "bc"]
    assert chunks[1].choices[0].delta.reasoning_content == "Hm"
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage.model_dump()["completion_tokens_details"]["reasoning_tokens"] == 1
    assert {chunk.service_tier for chunk in chunks} == {"default"}


def test_stream_and_completion_agree() -> None:
    options: Any = {"tool_calls": [("f", {})], "usage": True}
    assert completion("", **options).body["usage"] == stream("", **options).chunks[-1]["usage"]  # type: ignore[index]
    assert all("usage" not in chunk for chunk in stream("x").chunks or ())


def test_raw_bytes_and_content_type(server: ScriptedServer) -> None:
    server.replies(Reply(raw=b"<p>no</p>", content_type="text/html", headers={"X-Request-ID": "mine"}))
    with urllib.request.urlopen(server.url + "/models") as answer:
        assert answer.read() == b"<p>no</p>"
        assert (answer.headers["content-type"], answer.headers.get_all("x-request-id")) == ("text/html", ["mine"])


def test_stream_of_raw_events_without_done(server: ScriptedServer) -> None:
    server.replies(Reply(chunks=[b": ping\n\n", {"a": "中"}], done=False, delay=0.001))
    with urllib.request.urlopen(server.url + "/models") as answer:
        assert answer.read().decode() == ': ping\n\ndata: {"a": "中"}\n\n'


def test_error(server: ScriptedServer, client: openai.OpenAI) -> None:
    server.replies(error(400, "Too long", code="context_length_exceeded"))
    with pytest.raises(openai.BadRequestError, match="Too long") as caught:
        ask(client)
    assert (caught.value.code, caught.value.type) == ("context_length_exceeded", "invalid_request_error")
    assert caught.value.request_id == "req_1"


def test_error_in_a_stream(server: ScriptedServer, client: openai.OpenAI) -> None:
    chunks = [*(stream("Hello").chunks or ())[:2], error(500, "Overloaded", type="server_error").body]
    server.replies(Reply(chunks=chunks))
    with pytest.raises(openai.APIError, match="Overloaded"):
        joined(ask(client, stream=True))


def test_rate_limit_and_retry(server: ScriptedServer) -> None:
    server.replies(error(429, "Slow down", headers={"retry-after-ms": "1"}), completion("Now"))
    with openai.OpenAI(base_url=server.url, api_key="test", max_retries=1) as client:
        assert ask(client).choices[0].message.content == "Now"
    assert len(server.requests) == 2


def test_cut_before_the_response(server: ScriptedServer, client: openai.OpenAI) -> None:
    server.replies(Reply(cut=True))
    with pytest.raises(openai.APIConnectionError):
        ask(client)
    assert ask(client).choices[0].message.content == "You said: Hi"


def test_cut_in_a_stream(server: ScriptedServer, client: openai.OpenAI) -> None:
    server.replies(stream("Hello").but(cut=True))
    seen: list[Any] = []
    with pytest.raises(Exception) as caught:
        seen.extend(ask(client, stream=True))
    # Old versions of the client let the error of their HTTP library through.
    assert type(caught.value).__name__ in {"APIConnectionError", "RemoteProtocolError"}
    assert joined(seen) == "Hello"


def test_hold_and_timeout(server: ScriptedServer, client: openai.OpenAI) -> None:
    release = threading.Event()
    server.replies(completion("Late").but(hold=release))
    with pytest.raises(openai.APITimeoutError):
        ask(client, timeout=openai.Timeout(60, read=0.05))
    assert server.wait_for(1)  # it may come to read the request only now
    release.set()
    assert ask(client).choices[0].message.content == "You said: Hi"


def test_hold_and_release(server: ScriptedServer, client: openai.OpenAI) -> None:
    release = threading.Event()
    server.replies(completion("Late").but(hold=release))
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, client)
        assert server.wait_for(1)
        assert not answer.done()
        release.set()
        assert answer.result().choices[0].message.content == "Late"
    assert not server.wait_for(2, timeout=0)


@pytest.mark.parametrize("after", [0, 2, 99])
def test_hold_after_chunks(server: ScriptedServer, client: openai.OpenAI, after: int) -> None:
    release = threading.Event()
    reply = stream("Hello", usage=True).but(hold=release, hold_after=after)
    server.replies(reply)
    chunks = ask(client, stream=True)
    first = [next(chunks) for _ in range(min(after, len(reply.chunks or ())))]
    release.set()
    assert joined([*first, *chunks]) == "Hello"


def test_cancelled_while_held(server: ScriptedServer) -> None:
    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="test") as client:
            task = asyncio.ensure_future(ask(client))
            assert await asyncio.get_running_loop().run_in_executor(None, server.wait_for, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    server.replies(completion().but(hold=threading.Event()))
    asyncio.run(run())


def test_client_which_leaves_prints_nothing(
    server: ScriptedServer, client: openai.OpenAI, capfd: pytest.CaptureFixture[str]
) -> None:
    release = threading.Event()
    server.replies(stream(["x" * 100_000] * 50).but(hold=release, hold_after=1))
    chunks = ask(client, stream=True)
    next(chunks)
    chunks.close()
    release.set()
    server.close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("reply", [completion(), stream("Hello").but(hold_after=1), stream("Hello")])
def test_close_while_held(reply: Reply, capfd: pytest.CaptureFixture[str]) -> None:
    before = set(threading.enumerate())
    server = ScriptedServer().start()
    held = threading.Event()
    server.replies(reply.but(hold=held))
    with ThreadPoolExecutor() as pool, openai.OpenAI(base_url=server.url, api_key="t", max_retries=0) as client:
        failed = pool.submit(lambda: list(ask(client, stream=True)))
        assert server.wait_for(1)
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < HOLD_LIMIT / 2  # it does not wait for what is held
        assert failed.exception() is not None
    assert set(threading.enumerate()) <= before
    assert not held.is_set()
    assert capfd.readouterr() == ("", "")


def test_close_drops_idle_connections_and_the_server_starts_again() -> None:
    before = set(threading.enumerate())
    server = ScriptedServer()
    with pytest.raises(RuntimeError):
        _ = server.url
    with openai.OpenAI(base_url=server.start().url, api_key="t", max_retries=0) as client:
        ask(client)
        server.close()
        server.close()
        assert set(threading.enumerate()) <= before
        with socket.socket() as taken, pytest.raises(openai.APIConnectionError):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", client.base_url.port))  # or somebody else may begin to listen there
            ask(client)
        client.base_url = server.start().start().url
        assert ask(client).id == "chatcmpl-2"
    server.close()


def test_requests_are_bounded(server: ScriptedServer) -> None:
    assert server.requests.maxlen == 1000


def test_garbage_on_the_wire(server: ScriptedServer, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", int(server.url.split("/")[2].split(":")[1]))) as connection:
        connection.sendall(b"\x16\x03\x01 what\r\n\r\n")
        assert b"400" in connection.recv(1000)
    assert capfd.readouterr() == ("", "")


responses_are_known = pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason="too old an openai")


@responses_are_known
@pytest.mark.parametrize("given", [TEXT, [{"role": "user", "content": [{"type": "input_text", "text": TEXT}]}]])
def test_responses_echo(given: Any, server: ScriptedServer, client: openai.OpenAI) -> None:
    answer = client.responses.create(model="gpt-4o-mini", input=given, instructions="be kind")
    assert answer.output_text == f"You said: {TEXT}"
    assert (answer.id, answer.model, answer.instructions) == ("resp_1", "gpt-4o-mini-2024-07-18", "be kind")
    assert answer.usage is not None
    assert answer.usage.input_tokens == len(TEXT) // 4 + 1
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    events = list(client.responses.create(model="gpt-4o-mini", input=given, stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == answer.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].response.id == events[-1].response.id == "resp_2"
    assert events[-1].response.output[0].content[0].text == answer.output_text


@responses_are_known
def test_responses_call_tools_and_fit_formats(client: openai.OpenAI) -> None:
    tool: Any = {"type": "function", **WEATHER["function"], "strict": False}
    given: list[Any] = [{"role": "user", "content": "how is it?"}]
    first = client.responses.create(model="m", input=given, tools=[tool])
    call: Any = first.output[0]
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "demo", "days": 1})
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = client.responses.create(model="m", input=[*given, *first.output, result], tools=[tool])
    assert second.output_text == "You said: how is it?"
    parsed = client.responses.parse(model="m", input="hi", text_format=City)
    assert parsed.output_parsed == City(name="demo", population=1, capital=True)


@responses_are_known
def test_responses_scripted(server: ScriptedServer, client: openai.OpenAI) -> None:
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }
    server.replies(
        response("ok", reasoning="hm", output=[search], usage={"input_tokens": 3, "output_tokens": 4}),
        response_stream(tool_calls=[("f", {"a": 1})], refusal="no", status="incomplete"),
        response_stream("x", usage=False),
    )
    answer = client.responses.create(model="m", input="x")
    assert [item.type for item in answer.output] == ["reasoning", "message", "web_search_call"]
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 4)  # type: ignore[union-attr]
    events = list(client.responses.create(model="m", input="x", stream=True))
    assert events[-1].type == "response.incomplete"
    assert [item.type for item in events[-1].response.output] == ["message", "function_call"]
    with client.responses.stream(model="m", input="x") as stream:
        assert stream.get_final_response().output_text == "x"


@responses_are_known
def test_responses_by_id_and_errors(server: ScriptedServer, client: openai.OpenAI) -> None:
    assert client.responses.retrieve("resp_9").id == "resp_9"
    assert [event.type for event in client.responses.retrieve("resp_9", stream=True)][-1] == "response.completed"
    assert client.responses.cancel("resp_9").status == "cancelled"
    with pytest.raises(openai.BadRequestError, match="input"):
        client.responses.create(model="m")
    with pytest.raises(openai.NotFoundError):
        client.post("/responses/x/y/z", body={}, cast_to=object)
