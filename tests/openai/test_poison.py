"""Whatever function of ours fails, the application's results and exceptions are those it would have had without us.

Every function of the modules that run inside a call is replaced in turn by one that raises. Left out is only the
frame: the functions that consist of a guard and of handing through what the client gives, and so have nothing to fail.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import logging
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai_calls import CASES, make, there
from openai_ways import BODY, USAGE, WAYS, sync_client
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from response_ways import HAS_RESPONSES
from response_ways import WAYS as RESPONSES

import openai
import spantape
from spantape.testing import ScriptedServer, error, response, stream

Run = Callable[[ScriptedServer], Any]

# With metrics and events, too.
TOLD: Any = {
    "meter_provider": MeterProvider(shutdown_on_exit=False),
    "logger_provider": LoggerProvider(shutdown_on_exit=False),
    "capture_content": "SPAN_AND_EVENT",
    "without_roles": "developer",
    "capture_headers": "x-*",
}
MODULES = [
    "content",
    "context",
    "instrumentors._body",
    "instrumentors._call",
    "instrumentors._chunks",
    "instrumentors._endpoint",
    "instrumentors._estimate",
    "instrumentors._events",
    "instrumentors._failure",
    "instrumentors._frame",
    "instrumentors._headers",
    "instrumentors._keys",
    "instrumentors._mapping",
    "instrumentors._messages",
    "instrumentors._metrics",
    "instrumentors._observer",
    "instrumentors._packed",
    "instrumentors._source",
    "instrumentors._stream",
    "instrumentors._tape",
    "instrumentors.openai",
    "instrumentors.openai.audio",
    "instrumentors.openai.batches",
    "instrumentors.openai.chat",
    "instrumentors.openai.chat_chunks",
    "instrumentors.openai.client",
    "instrumentors.openai.completions",
    "instrumentors.openai.covering",
    "instrumentors.openai.decisions",
    "instrumentors.openai.dialogue",
    "instrumentors.openai.embeddings",
    "instrumentors.openai.images",
    "instrumentors.openai.include_usage",
    "instrumentors.openai.keys",
    "instrumentors.openai.inputs",
    "instrumentors.openai.moderations",
    "instrumentors.openai.provider",
    "instrumentors.openai.realtime",
    "instrumentors.openai.realtime_turns",
    "instrumentors.openai.response_events",
    "instrumentors.openai.response_items",
    "instrumentors.openai.response_turns",
    "instrumentors.openai.responses",
    "instrumentors.openai.routes",
    "instrumentors.openai.threads",
    "instrumentors.openai.turns",
    "instrumentors.openai.uploads",
    "instrumentors.openai.usage",
    "instrumentors.openai.websocket",
    "interaction",
    "jsontext",
    "pricing",
    "provider",
    "record",
    "sinks._background",
    "sinks._forks",
    "sinks.files.arrays",
    "sinks.files.disk",
    "sinks.files.exporter",
    "sinks.files.layout",
    "sinks.files.lease",
    "sinks.files.live",
    "sinks.files.lock",
    "sinks.files.processor",
    "sinks.files.writer",
    "transcript",
]
FRAME = {
    "instrumentors._estimate.Estimator._load",
    "instrumentors._frame.Frame.__init__",
    "instrumentors._frame.Frame.__enter__",
    "instrumentors._frame.Frame.__exit__",
    "instrumentors._stream.Watched.__anext__",
    "instrumentors._stream.Watched.__aiter__",
    "instrumentors._stream.Watched.__getattr__",
    "instrumentors._stream.Hiding.__anext__",
    "instrumentors._stream._is_hidden",
    "instrumentors._stream._stopped",
    "instrumentors._call.Call.chunk",
    "instrumentors._chunks.Chunks.full",
    "instrumentors._chunks.Chunks.take",
    "instrumentors._stream.WatchedBytes.__iter__",
    "instrumentors._stream.WatchedBytes.__aiter__",
    "instrumentors._stream.WatchedBytes.close",
    "instrumentors._stream.WatchedBytes.aclose",
    "instrumentors._stream.WatchedBytes._self_closed",
    "instrumentors._stream._abandon",
    "instrumentors._stream.Tee.sync",
    "instrumentors._stream.Tee.asynchronous",
    "instrumentors._stream.Tee._note",
    "instrumentors.openai.OpenAIInstrumentor._building",
    "instrumentors.openai.client.Wrappers.sync",
    "instrumentors.openai.client.Wrappers.asynchronous",
    "instrumentors.openai.client.Wrappers.processing",
    "instrumentors.openai.client.Wrappers._opened",
    "instrumentors.openai.client.Wrappers._shown",
    "instrumentors.openai.client._returned",
    "instrumentors.openai.client.PostParser.__call__",
    "instrumentors.openai.websocket.Connections.sending",
    "instrumentors.openai.websocket.Connections.async_sending",
    "instrumentors.openai.websocket.Connections.receiving",
    "instrumentors.openai.websocket.Connections.async_receiving",
    "instrumentors.openai.websocket.Connections.closing",
    "instrumentors.openai.websocket.Connections.async_closing",
    "instrumentors.openai.websocket.Connections.queuing",
    "instrumentors.openai.websocket.Connections._sending",
    "instrumentors.openai.websocket.Connections._turns_of",
    "instrumentors.openai.websocket.Sending.__exit__",
    "instrumentors.openai.websocket._end",
    "instrumentors.openai.websocket._received",
    "sinks._background.Background._run",
    "context.session.__init__",
    "context.session.__enter__",
    "context.session.__exit__",
    "context.session.__aenter__",
    "context.session.__aexit__",
    "context.session.__call__",
}


ITEMS = [
    {"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image", "file_id": "f"}]},
    {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "hm"}]},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "done"},
    {"type": "item_reference", "id": "i"},
]
TOOLS = [{"type": "mcp", "server_label": "dice", "server_url": "https://x.example", "require_approval": "never"}]
ODD = [
    {"role": "user", "content": [{"type": "file", "file": {"file_id": "file_7"}}]},
    {"role": "assistant", "content": None, "refusal": "no"},
    {"role": "user", "content": "once more"},
]
WITH_TOOLS = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "hi"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8gaGVsbG8gaGVsbG8="}},
        ],
    },
    {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "done"},
]
SERVED = [{"type": "web_search_call", "id": "w", "status": "completed", "action": {"type": "search", "query": "q"}}]
HAS_WEBSOCKETS = all(map(importlib.util.find_spec, ("websockets", "openai.resources.realtime")))


def functions() -> Iterator[tuple[str, types.CodeType]]:
    for name in MODULES:
        module = importlib.import_module(f"spantape.{name}")
        for owner in [module, *(value for value in vars(module).values() if inspect.isclass(value))]:
            if getattr(owner, "__module__", module.__name__) != module.__name__:
                continue
            prefix = name if owner is module else f"{name}.{owner.__name__}"
            for attribute, value in vars(owner).items():
                inner = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
                inner = inner.fget if isinstance(inner, property) else inner
                if inspect.isfunction(inner) and inner.__code__.co_filename == module.__file__:
                    yield f"{prefix}.{attribute}", inner.__code__


CODES = dict(functions())
POISONED = sorted(CODES.keys() - FRAME)


class Poison(Exception):
    """What our functions raise here."""


def poison(place: str, patch: pytest.MonkeyPatch) -> None:
    path, _, attribute = place.rpartition(".")
    owner: Any = importlib.import_module("spantape")
    for part in path.split("."):
        owner = getattr(owner, part) if hasattr(owner, part) else importlib.import_module(f"{owner.__name__}.{part}")
    original = vars(owner)[attribute]

    def raising(*_: object, **__: object) -> None:
        raise Poison(place)

    stand_in: Any = raising
    if isinstance(original, (staticmethod, classmethod)):
        stand_in = staticmethod(raising)
    elif isinstance(original, property):
        stand_in = property(raising)
    patch.setattr(owner, attribute, stand_in)
    if owner.__name__.startswith("spantape"):  # a module's function is known by name in other modules too
        for name in MODULES:
            module = importlib.import_module(f"spantape.{name}")
            if vars(module).get(attribute) is original:
                patch.setattr(module, attribute, stand_in)


def outcome(run: Run) -> tuple[str, Any]:
    with ScriptedServer() as server, spantape.session("5", topic="t", extra=1):
        try:
            return "result", run(server)
        except openai.APIError as raised:
            return type(raised).__name__, str(raised)


def usual() -> dict[str, Run]:
    """Give calls that between them run through what all calls share."""
    ways = ["create", "async stream", "raw", "streaming response, lines", "streaming response, bytes"]

    def failing(server: ScriptedServer) -> Any:
        server.replies(error(400, "no"))
        return WAYS["create"].run(server.url)

    def left_early(server: ScriptedServer) -> Any:
        with sync_client(server.url) as client, client.chat.completions.create(**BODY, **USAGE) as chunks:
            return next(chunks).choices[0].delta.role

    return {name: chat(name) for name in ways} | {"failing": failing, "left early": left_early}


def chat(name: str, **body: Any) -> Run:
    return lambda server: WAYS[name].run(server.url, **body)


def special() -> dict[str, Run]:
    """Give calls that run through what only some endpoints have."""

    def media(server: ScriptedServer) -> Any:
        with sync_client(server.url) as client:
            sound: Any = ("a.mp3", b"sound")
            heard = client.audio.transcriptions.create(model="whisper-1", file=sound, response_format="text")
            with client.audio.speech.with_streaming_response.create(
                model="tts", input="a", voice="alloy", extra_body={"stream_format": "sse"}
            ) as response:
                spoken = b"".join(response.iter_bytes(50))
            client.audio.speech.create(model="tts", input="a", voice="alloy", extra_body={"stream_format": "sse"})
            edited: Any = client.images.edit(model="gpt-image-1", prompt="a", image=b"picture")
            return str(heard), spoken, edited.data[0].b64_json

    def text_stream(server: ScriptedServer) -> Any:
        with sync_client(server.url) as client:
            chunks = client.completions.create(model="gpt-3.5-turbo-instruct", prompt=["a", "b"], stream=True)
            return [chunk.choices[0].text for chunk in chunks]

    def run_stream(server: ScriptedServer) -> Any:
        with sync_client(server.url) as client:
            thread: Any = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}
            with client.beta.threads.create_and_run_stream(assistant_id="asst_7", thread=thread) as events:
                return "".join(events.text_deltas)

    def fetching(server: ScriptedServer) -> Any:
        server.replies(response("x", status="failed", error={"code": "bad", "message": "no"}), response(output=SERVED))
        with sync_client(server.url) as client:
            client.responses.create(model="gpt-4o", prompt={"id": "p", "variables": {"a": "b"}})
            return client.responses.retrieve("resp_7").id

    runs: dict[str, Run] = {"tools": chat("stream", messages=WITH_TOOLS), "media": media, "suppressed": suppressed}
    runs |= {"text stream": text_stream, "run stream": run_stream, "tool stream": tool_stream, "spoken": spoken}
    runs["odd"] = chat("create", messages=ODD, extra_body={"large": 2**70})
    for name in ("embeddings", "moderations", "decisions", "a batch", "tool outputs"):
        if there(CASES[name].path):
            runs[name] = lambda server, name=name: make("create", CASES[name], server.url)  # type: ignore[misc]
    for name in ("async create", "stream", "stream helper") if HAS_RESPONSES else ():
        runs[f"responses: {name}"] = lambda server, name=name: RESPONSES[name].run(  # type: ignore[misc]
            server.url, input=ITEMS, tools=TOOLS
        )
        runs |= {"fetching": fetching, "media streams": media_streams}
    return runs | ({"websockets": websockets} if HAS_WEBSOCKETS else {})


def tool_stream(server: ScriptedServer) -> Any:
    tool: Any = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    server.replies(stream("", tool_calls=[("f", "{}")]))
    with sync_client(server.url) as client:
        chunks = client.chat.completions.create(**BODY, **USAGE, tools=[tool])
        return [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]


def spoken(server: ScriptedServer) -> Any:
    """Have an answer spoken, in pieces."""
    sounds = [{"role": "assistant", "audio": {"transcript": "hi"}}, {"audio": {"data": "UklGRg=="}}]
    chunks = [{"id": "x", "model": "m", "choices": [{"index": 0, "delta": sound}]} for sound in sounds]
    server.replies(stream().but(chunks=chunks))
    with sync_client(server.url) as client:
        return [chunk.id for chunk in client.chat.completions.create(**BODY, stream=True)]


def media_streams(server: ScriptedServer) -> Any:
    """Have a picture made and a sound read, in pieces."""
    with sync_client(server.url) as client:
        drawn = client.images.generate(model="gpt-image-1", prompt="a", stream=True, partial_images=1)
        sound: Any = ("a.mp3", b"sound")
        heard = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound, stream=True)
        return [event.type for event in drawn], [event.type for event in heard]


def suppressed(server: ScriptedServer) -> Any:
    """Make a call that is not ours to record."""
    with suppress_instrumentation():
        return WAYS["create"].run(server.url)


def websockets(server: ScriptedServer) -> Any:
    """Talk over a websocket: typed, spoken and left in the middle."""
    from realtime_ways import scene

    return scene()


USUAL, SPECIAL = usual(), special()
Reached = dict[str, set[str]]


@pytest.fixture(scope="module")
def expected() -> dict[str, tuple[str, Any]]:
    return {name: outcome(run) for name, run in {**USUAL, **SPECIAL}.items()}


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Reached:
    """Find out which functions each call runs through, in this thread or in ours."""
    found: Reached = {}
    seen: set[Any] = set()

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            seen.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

    for name, run in {**USUAL, **SPECIAL}.items():
        threading.setprofile(note)
        sys.setprofile(note)
        spantape.instrument(base_dir=tmp_path_factory.mktemp("records"), **TOLD)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the client marks assistants so
            outcome(run)
        spantape.uninstrument()
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        found[name] = {place for place, code in CODES.items() if (code.co_filename, code.co_firstlineno) in seen}
        seen.clear()
    return found


def chosen(place: str, reached: Reached) -> dict[str, Run]:
    """Give the calls that run through a function: of those that share much with others, only the usual ones."""
    found = {name: run for name, run in USUAL.items() if place in reached[name]}
    return (
        found or {name: run for name, run in SPECIAL.items() if place in reached[name]} or {"create": USUAL["create"]}
    )


@pytest.mark.usefixtures("forgiving")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the client marks assistants so
@pytest.mark.parametrize("place", POISONED)
def test_poisoned(
    place: str,
    expected: dict[str, tuple[str, Any]],
    reached: Reached,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spantape.instrument(base_dir=tmp_path / "records", **TOLD)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, logger="spantape"):
        poison(place, patch)
        for name, run in chosen(place, reached).items():
            assert outcome(run) == expected[name], name
        spantape.flush(2)
    lines = [entry.getMessage() for entry in caplog.records if "Poison" in entry.getMessage()]
    assert len(lines) <= 1, lines


@pytest.mark.skipif(not (HAS_RESPONSES and HAS_WEBSOCKETS), reason="this version of openai lacks what reaches it")
def test_nearly_all_of_it_is_reached(reached: Reached) -> None:
    unreached = set(POISONED) - set().union(*reached.values())
    assert len(unreached) < len(POISONED) / 5, sorted(unreached)


def test_most_of_it_is_poisoned() -> None:
    assert len(POISONED) > 150
    assert CODES.keys() >= FRAME
