"""Whatever function of ours fails, the application's results and exceptions are those it would have had without us.

Every function of the modules that run inside a call is replaced in turn by one that raises. Left out is only the
frame: the functions that consist of a guard and of handing through what the client gives, and so have nothing to fail.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai_calls import CASES, make, there
from openai_ways import BODY, USAGE, WAYS, sync_client
from response_ways import WAYS as RESPONSES

import openai
import spantape
from spantape.testing import ScriptedServer, error, response

MODULES = [
    "content",
    "context",
    "instrumentors._body",
    "instrumentors._call",
    "instrumentors._endpoint",
    "instrumentors._estimate",
    "instrumentors._events",
    "instrumentors._failure",
    "instrumentors._mapping",
    "instrumentors._messages",
    "instrumentors._metrics",
    "instrumentors._observer",
    "instrumentors._source",
    "instrumentors._stream",
    "instrumentors._tape",
    "instrumentors.openai",
    "instrumentors.openai.audio",
    "instrumentors.openai.batches",
    "instrumentors.openai.chat",
    "instrumentors.openai.client",
    "instrumentors.openai.completions",
    "instrumentors.openai.covering",
    "instrumentors.openai.decisions",
    "instrumentors.openai.dialogue",
    "instrumentors.openai.embeddings",
    "instrumentors.openai.images",
    "instrumentors.openai.include_usage",
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
    "sinks._background",
    "sinks._forks",
    "sinks.files.arrays",
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
    "instrumentors._call.Frame.__init__",
    "instrumentors._call.Frame.__enter__",
    "instrumentors._call.Frame.__exit__",
    "instrumentors._stream.Watched.__next__",
    "instrumentors._stream.Watched.__anext__",
    "instrumentors._stream.Watched.__iter__",
    "instrumentors._stream.Watched.__aiter__",
    "instrumentors._stream.Watched.__getattr__",
    "instrumentors._stream.Hiding.__next__",
    "instrumentors._stream.Hiding.__anext__",
    "instrumentors._stream._is_hidden",
    "instrumentors._stream._stopped",
    "instrumentors._call.Call.chunk",
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
    "instrumentors.openai.client.Wrappers.building",
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
SERVED = [{"type": "web_search_call", "id": "w", "status": "completed", "action": {"type": "search", "query": "q"}}]
HAS_WEBSOCKETS = all(map(importlib.util.find_spec, ("websockets", "openai.resources.realtime")))


def functions() -> Iterator[str]:
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
                    yield f"{prefix}.{attribute}"


POISONED = sorted(set(functions()) - FRAME)


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


def outcome(run: Callable[[], Any]) -> tuple[str, str]:
    try:
        return run()
    except openai.APIError as raised:
        return type(raised).__name__, str(raised)


def scenario(server: ScriptedServer) -> list[tuple[str, str]]:
    """Make calls of the kinds that between them run through all of our code."""

    def failing() -> tuple[str, str]:
        server.replies(error(400, "no"))
        return WAYS["create"].run(server.url)

    def left_early() -> tuple[str, str]:
        with sync_client(server.url) as client, client.chat.completions.create(**BODY, **USAGE) as chunks:
            return "left early", next(chunks).choices[0].delta.role or ""

    def tools() -> tuple[str, str]:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8gaGVsbG8gaGVsbG8="}}
        messages = [
            {"role": "user", "content": [{"type": "text", "text": "hi"}, image]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "done"},
        ]
        return WAYS["stream"].run(server.url, messages=messages)

    def media() -> tuple[str, str]:
        with sync_client(server.url) as client:
            sound: Any = ("a.mp3", b"sound")
            heard = client.audio.transcriptions.create(model="whisper-1", file=sound, response_format="text")
            with client.audio.speech.with_streaming_response.create(
                model="tts", input="a", voice="alloy", extra_body={"stream_format": "sse"}
            ) as response:
                spoken = b"".join(response.iter_bytes(50))
            client.audio.speech.create(model="tts", input="a", voice="alloy", extra_body={"stream_format": "sse"})
            edited: Any = client.images.edit(model="gpt-image-1", prompt="a", image=b"picture")
            return str(heard), f"{spoken!r} {edited.data[0].b64_json}"

    def text_stream() -> Any:
        with sync_client(server.url) as client:
            chunks = client.completions.create(model="gpt-3.5-turbo-instruct", prompt=["a", "b"], stream=True)
            return "text", [chunk.choices[0].text for chunk in chunks]

    def run_stream() -> Any:
        with sync_client(server.url) as client:
            thread: Any = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}
            with client.beta.threads.create_and_run_stream(assistant_id="asst_7", thread=thread) as events:
                return "run", "".join(events.text_deltas)

    def fetching() -> tuple[str, str]:
        server.replies(response("x", status="failed", error={"code": "bad", "message": "no"}), response(output=SERVED))
        with sync_client(server.url) as client:
            client.responses.create(model="gpt-4o", prompt={"id": "p", "variables": {"a": "b"}})
            return "fetched", str(client.responses.retrieve("resp_7").id)

    with spantape.session("5", topic="t", extra=1):
        newer = [RESPONSES[name] for name in ("async create", "stream", "stream helper") if name in RESPONSES]
        ways = ["create", "async stream", "raw", "streaming response, lines", "streaming response, bytes"]
        results = [outcome(functools.partial(WAYS[name].run, server.url)) for name in ways]
        cases = [CASES[name] for name in ("embeddings", "moderations", "decisions", "a batch", "tool outputs")]
        others = [functools.partial(make, "create", case, server.url) for case in cases if there(case.path)]
        results += [outcome(functools.partial(way.run, server.url, input=ITEMS, tools=TOOLS)) for way in newer]
        runs = [failing, left_early, tools, media, text_stream, run_stream, *others, *([fetching] if newer else [])]
        return results + [outcome(run) for run in runs] + websockets()


def websockets() -> list[tuple[str, str]]:
    """Talk over a websocket, where the client can: typed, spoken and left in the middle."""
    if not HAS_WEBSOCKETS:
        return []
    from realtime_ways import scene

    return scene()


@pytest.fixture(scope="module")
def expected() -> list[tuple[str, str]]:
    with ScriptedServer() as server:
        return scenario(server)


@pytest.mark.usefixtures("forgiving")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the client marks assistants so
@pytest.mark.parametrize("place", POISONED)
def test_poisoned(
    place: str,
    expected: list[tuple[str, str]],
    server: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spantape.instrument(base_dir=tmp_path / "records")
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, logger="spantape"):
        poison(place, patch)
        assert scenario(server) == expected
        spantape.flush(2)
    lines = [entry.getMessage() for entry in caplog.records if "Poison" in entry.getMessage()]
    assert len(lines) <= 1, lines


def test_most_of_it_is_poisoned() -> None:
    assert len(POISONED) > 150
    assert set(functions()) >= FRAME
