"""Every endpoint besides chat, called in every way: one span, one record, and the application sees the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from openai_calls import CASES, MANNERS, SAID, Case, case, make

import openai
from recorded import Recorded
from spantape.testing import ScriptedServer, error

# The client marks assistants as deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(params=CASES)
def call(request: pytest.FixtureRequest) -> Case:
    return case(request.param)


@pytest.fixture(params=MANNERS)
def manner(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_application_sees_the_same(manner: str, call: Case, server: ScriptedServer, tmp_path: Path) -> None:
    bare = make(manner, call, server.url)
    Recorded(tmp_path)
    assert make(manner, call, server.url) == bare
    first, second = list(server.requests)[-2:]
    assert (first.method, first.path, first.body) == (second.method, second.path, second.body)


def test_one_span_and_one_record(manner: str, call: Case, server: ScriptedServer, recorded: Recorded) -> None:
    make(manner, call, server.url)
    found, record = recorded.attributes, recorded.record
    assert recorded.span.name == call.name
    assert recorded.span.status.status_code.name == "UNSET"
    assert call.attributes.items() <= found.items()
    assert found["gen_ai.operation.name"] == record["operation"] == call.name.split()[0]
    assert found["spantape.request_id"].startswith("req_")
    assert "openai.api.type" not in found
    assert record["prompt"] == call.prompt
    if call.response is None:
        assert not record["response"]
    else:
        assert call.response in record["response"]
    assert record["success"] is True


def test_an_error(manner: str, call: Case, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(error(400, "no 好", code="bad_thing"))
    with pytest.raises(openai.BadRequestError, match="no 好"):
        make(manner, call, server.url)
    assert recorded.span.status.status_code.name == "ERROR"
    assert recorded.attributes["spantape.error.code"] == "bad_thing"
    assert recorded.record["success"] is False
    assert recorded.record["prompt"] == call.prompt


def test_nothing_that_was_said_without_content(call: Case, server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", capture_content=False)
    make("create", call, server.url)
    assert call.attributes.items() <= recorded.attributes.items()
    told = repr(recorded.attributes) + recorded.span.to_json() + repr(recorded.record)
    assert SAID not in told
    assert "messages" not in recorded.span.attributes


def test_the_caller_is_the_application(call: Case, server: ScriptedServer, recorded: Recorded) -> None:
    make("create", call, server.url)
    assert recorded.attributes["code.function.name"] == "openai_calls._create"


@pytest.mark.parametrize("body", [None, [], "text", {}, {"data": 1, "usage": [], "choices": {}, "results": "x"}])
def test_odd_bodies_cost_nothing(body: object, call: Case, server: ScriptedServer, recorded: Recorded) -> None:
    from spantape.testing import Reply

    server.replies(Reply(body))
    make("raw, never parsed", call, server.url)
    assert recorded.span.status.status_code.name == "UNSET"
    assert recorded.record["usage"] is None
