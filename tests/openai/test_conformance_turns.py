"""Turns on websockets are as the conventions of OpenTelemetry want them: `test_conformance.py` for these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

pytest.importorskip("websockets")
pytest.importorskip("openai.resources.beta.realtime", reason="this version has no websockets")

from listening import Listening
from made import Made
from openai_ways import SAID, sync_client
from realtime_server import CREATE, HELLO, LEAVE, USAGE, Event, WebSocketServer, created, delta, done, item, said

import openai
from spantape.testing import response_stream

SESSION = HELLO["session"]
MCP = {"type": "mcp", "server_label": "s", "server_url": "https://example.com", "authorization": "a secret"}
SETTINGS: dict[str, Any] = {
    "output_modalities": ["text"],
    "max_output_tokens": 9,
    "temperature": 0.5,
    "reasoning": {"effort": "low"},
    "tools": [*SESSION["tools"], MCP],
}
WAITED = {"response.done", "response.completed", "response.failed", "error"}


@pytest.fixture(params=["current", "latest"])
def listening(request: pytest.FixtureRequest) -> Listening:
    return Listening(request.param, content=request.param == "current")


def play(server: WebSocketServer, resource: str, *events: Event) -> BaseException | None:
    """Send events, and receive until the turn has ended; gives what the connection broke with."""
    from websockets.exceptions import ConnectionClosed

    asked = {"model": "gpt-realtime"} if resource == "realtime" else {}
    with sync_client(server.url, websocket_base_url=server.url.replace("http", "ws")) as client:
        if not hasattr(getattr(client, resource, None), "connect"):
            pytest.skip(f"openai {openai.__version__} has no {resource}.connect")
        with getattr(client, resource).connect(**asked) as connection:
            if resource == "realtime":
                assert connection.recv().type == "session.created"
            for event in events:
                connection.send(event)
            try:
                while connection.recv().type not in WAITED:
                    pass
            except ConnectionClosed as closed:
                return closed
    return None


BEGUN = created("resp_1")
TALKS: dict[str, list[Event]] = {
    "answered": [BEGUN, delta("resp_1", "hello"), done("resp_1", said("hello"), usage=USAGE)],
    "a tool is called": [
        BEGUN,
        done("resp_1", {"id": "i", "type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"}),
    ],
    "cut short": [BEGUN, done("resp_1", status="incomplete", status_details={"reason": "max_output_tokens"})],
    "cancelled": [BEGUN, delta("resp_1", "hel"), done("resp_1", status="cancelled")],
    "failed": [BEGUN, done("resp_1", status="failed", status_details={"error": {"code": "oops"}})],
    "the server leaves": [BEGUN, delta("resp_1", "hel"), LEAVE],
}


@pytest.mark.parametrize("name", TALKS)
def test_realtime(name: str, listening: Listening) -> None:
    def script(event: Event) -> Iterable[Event]:
        return TALKS[name] if event["type"] == "response.create" else []

    with WebSocketServer(script) as server:
        broke = play(server, "realtime", item(SAID), {**CREATE, "response": SETTINGS})
    sent = {**SESSION, **SETTINGS, "model": "gpt-realtime", "stream": True, "input": SAID}
    sent |= {"modalities": sent["output_modalities"]}
    answers = [event for event in TALKS[name] if event is not LEAVE]
    made = Made("WS /v1/realtime", sent, answers, ("127.0.0.1", server.port), error=broke)
    assert listening.deviations(made) == []
    assert "a secret" not in str(dict(listening.spans[0].attributes))


@pytest.mark.parametrize("status", ["completed", "failed", "refused"])
def test_responses(status: str, listening: Listening) -> None:
    failed = {"status": "failed", "error": {"code": "server_error", "message": "no"}} if status == "failed" else {}
    answers: list[Event] = list(response_stream("hello", id="resp_7", **failed).chunks or ())
    if status == "refused":
        answers = [{"type": "error", "status": 400, "error": {"code": "bad", "message": "no"}}]
    ask = {"type": "response.create", "model": "gpt-5", "input": SAID, "instructions": "be kind"}
    with WebSocketServer(lambda _: answers, hello=None) as server:
        play(server, "responses", ask)
    sent = {**ask, "stream": True}
    made = Made("WS /v1/responses", sent, answers, ("127.0.0.1", server.port))
    assert listening.deviations(made) == []
