"""Every span, metric and event of every endpoint and way of calling is as the conventions of OpenTelemetry want it.

The conventions are the tables in `conventions.py`; `made.py` says from outside what a call has to have.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from conformance_calls import CALLS, EVERY, LEAVING, PLAIN_MANNERS, STREAMS, cancel, create, in_manner, manners_of
from conformance_requests import RICH
from conventions import ATTRIBUTES, GENERAL, HEADERS, OPERATIONS, OURS, VARIABLE, operation
from listening import Listening
from made import Made
from openai_calls import Case
from openai_ways import SAID, WAYS, sync_client

import openai
import spantape
from spantape import semconv
from spantape.instrumentors.openai import OpenAIInstrumentor
from spantape.instrumentors.openai.routes import ENDPOINTS
from spantape.testing import Reply, ScriptedServer, completion, error, response, response_stream, stream
from spantape.testing.answers import default_reply

# The client marks assistants as deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(params=["current", "latest"])
def listening(request: pytest.FixtureRequest) -> Listening:
    """Listen with content under today's names of metrics, and without content under the newest."""
    return Listening(request.param, content=request.param == "current")


def made(server: ScriptedServer, reply: Reply | None = None, **how: Any) -> Made:
    """Give the last call that the server was sent; it answers by itself unless it was told a reply."""
    request = server.requests[-1]
    return Made.of(request, reply or default_reply(request), **how)


@pytest.mark.parametrize("name", CALLS)
def test_every_way(name: str, server: ScriptedServer, listening: Listening) -> None:
    CALLS[name](server.url)
    assert listening.deviations(made(server)) == []


@pytest.mark.parametrize("name", [*EVERY, *(f"{name}, streamed" for name in STREAMS)])
def test_the_instrumentor_alone(name: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_AND_EVENT")
    monkeypatch.setenv("SPANTAPE_ESTIMATE_USAGE", "false")
    instrumentor = OpenAIInstrumentor()
    listening = Listening("current", content=True, instrumentor=instrumentor)
    try:
        create(server, EVERY.get(name) or STREAMS[name.removesuffix(", streamed")])
    finally:
        instrumentor.uninstrument()
    assert listening.deviations(made(server)) == []


@pytest.mark.parametrize("name", EVERY)
def test_in_a_session(name: str, server: ScriptedServer) -> None:
    listening = Listening("current", content=True)
    with spantape.session("s", user_id="u", conversation_id="c", topic="t", step_id=3, metadata={"a": [1]}):
        create(server, EVERY[name])
    assert listening.deviations(made(server, conversation="c")) == []


@pytest.mark.parametrize("name", RICH)
def test_all_that_can_be_asked(name: str, server: ScriptedServer, listening: Listening) -> None:
    for case in manners_of(RICH[name]).values():
        fresh = Listening(listening.names, content=listening.content)
        create(server, case)
        assert fresh.deviations(made(server)) == []


USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 30, "text_tokens": 70, "image_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 3, "text_tokens": 17},
}
COUNTED = {
    "input_tokens": 100,
    "output_tokens": 20,
    "total_tokens": 120,
    "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8, "image_tokens": 30, "text_tokens": 70}
    | {"cached_tokens_details": {"image_tokens": 14, "text_tokens": 50, "audio_tokens": 0}},
    "output_tokens_details": {"reasoning_tokens": 5, "image_tokens": 3},
}
ITEMS: list[Any] = [
    {"type": "code_interpreter_call", "id": "ci_1", "code": "1", "outputs": [{"type": "logs", "logs": "1"}]},
    {"type": "file_search_call", "id": "fs_1", "queries": ["x"], "results": []},
    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBORw0KGgo="},
    {"type": "mcp_approval_request", "id": "ma_1", "name": "t", "arguments": "{}", "server_label": "s"},
]
DEVELOPER = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "be short"}]}
FAILED = {"status": "failed", "error": {"code": "server_error", "message": f"it broke on {SAID}"}}
TOLD: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "usage": (completion, stream, {"usage": USAGE, "service_tier": "flex", "system_fingerprint": "fp_1"}),
    "no usage": (completion, stream, {"usage": None}),
    "two choices": (completion, stream, {"n": 2, "finish_reason": "length"}),
    "tool calls": (completion, stream, {"tool_calls": [("weather", {"city": "x"}), ("clock", "{}")]}),
    "reasoning": (completion, stream, {"text": "ok", "reasoning": "hm"}),
    "a refusal": (completion, stream, {"refusal": "no", "finish_reason": "content_filter"}),
    "response: usage": (response, response_stream, {"usage": COUNTED, "service_tier": "flex"}),
    "response: no usage": (response, response_stream, {"usage": None}),
    "response: tool calls": (response, response_stream, {"tool_calls": [("weather", {"city": "x"})]}),
    "response: reasoning": (response, response_stream, {"reasoning": "hm", "refusal": "no"}),
    "response: items": (response, response_stream, {"output": ITEMS}),
    "response: a template": (response, response_stream, {"prompt": {"id": "p"}, "instructions": [DEVELOPER]}),
    "response: a conversation": (response, response_stream, {"conversation": {"id": "conv_2"}}),
    "response: too long": (
        response,
        response_stream,
        {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    ),
    "response: failed": (response, response_stream, FAILED),
    "response: in the background": (
        response,
        response_stream,
        {"status": "queued", "background": True, "usage": None, "output": []},
    ),
}


@pytest.mark.parametrize("how", ["whole", "streamed"])
@pytest.mark.parametrize("name", TOLD)
def test_all_that_can_be_answered(name: str, how: str, server: ScriptedServer, listening: Listening) -> None:
    whole, streamed, options = TOLD[name]
    options = dict(options)
    said = [options.pop("text")] if "text" in options else []
    reply = (streamed if how == "streamed" else whole)(*said, **options)
    case = EVERY.get("responses" if "response" in name else "chat")
    if case is None:
        pytest.skip(f"openai {openai.__version__} has no responses")
    server.replies(reply)
    create(server, manners_of(case)[how])
    assert listening.deviations(made(server, reply)) == []


FAILING = [*EVERY, *(f"{name}, streamed" for name in STREAMS)]


@pytest.mark.parametrize(("name", "status"), [*((name, 400) for name in FAILING), ("chat", 500), ("embeddings", 500)])
def test_errors(name: str, status: int, server: ScriptedServer, listening: Listening) -> None:
    case = EVERY.get(name) or STREAMS[name.removesuffix(", streamed")]
    reply = error(status, f"no 好: {SAID}", code="bad_thing", type="bad")
    server.replies(reply)
    with pytest.raises(openai.APIStatusError) as raised:
        create(server, case)
    assert listening.deviations(made(server, reply, error=raised.value)) == []


OTHERS = [(name, manner) for name in ("chat", "embeddings") for manner in PLAIN_MANNERS if manner != "create"]


@pytest.mark.parametrize(("name", "manner"), [*((name, "create") for name in EVERY), *OTHERS])
def test_timeouts(name: str, manner: str) -> None:
    hold, listening = threading.Event(), Listening("current", content=True)
    with ScriptedServer() as server:
        server.replies(Reply({}).but(hold=hold))
        with pytest.raises(openai.APITimeoutError) as raised:
            in_manner(manner, EVERY[name], server.url, max_retries=0, timeout=openai.Timeout(60, read=0.03))
        assert server.wait_for(1)  # it may come to read the request only now
        hold.set()
    assert listening.deviations(made(server, Reply({}, status=500), error=raised.value)) == []


@pytest.mark.parametrize("leaving", LEAVING, ids=lambda leaving: leaving.__name__)
@pytest.mark.parametrize("name", STREAMS)
def test_streams_left(name: str, leaving: Any, server: ScriptedServer, listening: Listening) -> None:
    with sync_client(server.url) as client:
        taken = leaving(client, STREAMS[name])
        found = made(server, taken=taken)
        assert listening.deviations(found) == []


@pytest.mark.parametrize("after", [1, 3])
@pytest.mark.parametrize("name", STREAMS)
def test_streams_cancelled(name: str, after: int, server: ScriptedServer, listening: Listening) -> None:
    server_own = own_reply(server, STREAMS[name])
    fresh = Listening(listening.names, content=listening.content)
    raised = cancel(server, STREAMS[name], server_own, after)
    assert fresh.deviations(made(server, server_own, taken=after, error=raised)) == []


def own_reply(server: ScriptedServer, case: Case) -> Reply:
    create(server, case)
    return default_reply(server.requests[-1])


@pytest.mark.parametrize("name", STREAMS)
def test_streams_cut(name: str, server: ScriptedServer, listening: Listening) -> None:
    reply = own_reply(server, STREAMS[name])
    reply = reply.but(chunks=(reply.chunks or [])[:3], cut=True, done=False)
    fresh = Listening(listening.names, content=listening.content)
    server.replies(reply)
    with pytest.raises(Exception) as raised:
        create(server, STREAMS[name])
    assert fresh.deviations(made(server, reply, error=raised.value)) == []


@pytest.mark.parametrize("name", ["chat", "responses"])
def test_an_error_in_the_middle_of_a_stream(name: str, server: ScriptedServer, listening: Listening) -> None:
    if name not in STREAMS:
        pytest.skip(f"openai {openai.__version__} has no responses")
    event = {"chat": {"error": {"message": "overloaded"}}, "responses": {"type": "error", "code": "overloaded"}}[name]
    reply = own_reply(server, STREAMS[name])
    reply = reply.but(chunks=[*(reply.chunks or ())[:3], event])
    fresh = Listening(listening.names, content=listening.content)
    server.replies(reply)
    raised: BaseException | None = None
    with contextlib.suppress(openai.APIError):
        try:
            create(server, STREAMS[name])
        except openai.APIError as caught:
            raised = caught
    assert fresh.deviations(made(server, reply, taken=3 if raised else 4, error=raised)) == []


def test_an_answer_that_the_client_cannot_parse(server: ScriptedServer, listening: Listening) -> None:
    reply = completion("no JSON at all")
    server.replies(reply)
    with pytest.raises(ValueError) as raised:
        WAYS["parse"].run(server.url)
    # openai 1.40 parses after the call, which by then has succeeded
    failed = None if openai.__version__.startswith("1.40.") else raised.value
    assert listening.deviations(made(server, reply, error=failed)) == []


# --- the tables themselves


def test_every_route_has_a_row_and_every_row_is_called(server: ScriptedServer) -> None:
    rows = {operation(f"{method.upper()} /v1{path}").name for method, path in ENDPOINTS}
    assert rows == {endpoint.operation for endpoint in ENDPOINTS.values()}
    assert rows == {row.name for row in OPERATIONS.values()}


def test_names_in_the_code_are_the_conventions() -> None:
    names = {
        value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str) and "." in value
    }
    theirs = {name for name in names if not name.startswith(OURS)}
    assert theirs - {VARIABLE} - HEADERS <= set(ATTRIBUTES) | set(GENERAL)
