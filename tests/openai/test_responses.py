"""Responses: one span and one record a call, however it is made; failures that come as answers; fetching."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai_ways import Way, sync_client
from response_ways import BODY, HAS_RESPONSES, SAID, WAYS, needs_responses

import openai
import spantape
from recorded import Recorded
from spantape import semconv
from spantape.testing import ScriptedServer, error, response, response_stream

pytestmark = needs_responses


@pytest.fixture(params=list(WAYS) if HAS_RESPONSES else [])
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return request.param


def reply(streamed: bool, *args: Any, **kwargs: Any) -> Any:
    return (response_stream if streamed else response)(*args, **kwargs)


def create(server: ScriptedServer, **more: Any) -> list[Any]:
    with sync_client(server.url) as client:
        result = client.responses.create(**(BODY | more))
        return list(result) if more.get("stream") else [result]


def said(recorded: Recorded, attribute: str) -> Any:
    return json.loads(recorded.attributes[attribute])


def test_the_application_sees_the_same(way: Way, server: ScriptedServer, tmp_path: Path) -> None:
    bare = way.run(server.url)
    Recorded(tmp_path)
    assert way.run(server.url) == bare
    first, second = (request.body for request in list(server.requests)[-2:])
    assert first == second


def test_one_span_and_one_record(way: Way, server: ScriptedServer, recorded: Recorded) -> None:
    _, text = way.run(server.url)
    assert (recorded.span.name, recorded.span.kind.name) == ("chat gpt-4o-mini", "CLIENT")
    assert recorded.span.status.status_code.name == "UNSET"
    found = recorded.attributes
    expected = {
        semconv.OPERATION: "chat",
        semconv.OPENAI_API_TYPE: "responses",
        semconv.REQUEST_TEMPERATURE: 0.5,
        semconv.RESPONSE_MODEL: "gpt-4o-mini-2024-07-18",
        semconv.RESPONSE_ID: "resp_1",
        semconv.RESPONSE_FINISH_REASONS: ("stop",),
        semconv.CACHE_READ_TOKENS: 0,
        semconv.REASONING_TOKENS: 0,
    }
    assert expected.items() <= found.items()
    assert found.get(semconv.STREAM_END) == ("completed" if way.streams else None)
    assert said(recorded, semconv.SYSTEM_INSTRUCTIONS) == [{"type": "text", "content": "be kind"}]
    assert said(recorded, semconv.INPUT_MESSAGES) == [{"role": "user", "parts": [{"type": "text", "content": SAID}]}]
    assert said(recorded, semconv.OUTPUT_MESSAGES)[0]["parts"] == [{"type": "text", "content": text}]
    record = recorded.record
    assert (record["prompt"], record["response"]) == (f"system: be kind\n\nuser: {SAID}", text)
    assert record["messages"][0]["role"] == "system"
    assert record["usage"]["total_tokens"] == record["usage"]["input_tokens"] + record["usage"]["output_tokens"]
    assert record["cost"]["total"] > 0
    assert record["success"] is True


def test_error(way: Way, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(error(400, "no 好", code="bad_thing"))
    with pytest.raises(openai.BadRequestError, match="no 好"):
        way.run(server.url)
    assert recorded.attributes[semconv.ERROR_TYPE] == "openai.BadRequestError"
    assert recorded.record["success"] is False


def test_nothing_is_said_when_content_is_off(way: Way, server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", capture_content=False)
    prompt = {"id": "p", "variables": {"name": "Ada " + SAID}}
    way.run(server.url, prompt=prompt, metadata={"x": SAID})
    assert recorded.attributes[semconv.INPUT_TOKENS] > 0
    assert recorded.attributes[semconv.PROMPT_NAME] == "p"
    everything = json.dumps([recorded.attributes, recorded.record], ensure_ascii=False)
    assert not any(word in everything for word in (SAID, "be kind", "Ada", "You said"))


def test_tool_calls(streamed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(reply(streamed, tool_calls=[("weather", {"city": "杭州"}), ("clock", "{}")]))
    tool = {"type": "function", "name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}
    create(server, tools=[tool, {"type": "web_search"}], **({"stream": True} if streamed else {}))
    [message] = said(recorded, semconv.OUTPUT_MESSAGES)
    assert message["parts"] == [
        {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "杭州"}},
        {"type": "tool_call", "id": "call_2", "name": "clock", "arguments": {}},
    ]
    assert message["finish_reason"] == "tool_calls"
    assert recorded.attributes[semconv.RESPONSE_FINISH_REASONS] == ("tool_calls",)
    assert [one["name"] for one in said(recorded, semconv.TOOL_DEFINITIONS)] == ["weather", "web_search"]
    assert recorded.record["response"] == '[call weather {"city":"杭州"}]\n[call clock {}]'


def test_what_was_asked_is_known_when_no_answer_tells_it(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(error(400, "no"))
    with pytest.raises(openai.BadRequestError):
        create(server, prompt={"id": "pmpt_1", "version": "7"}, extra_body={"conversation": "conv_1"})
    found = recorded.attributes
    assert (found[semconv.PROMPT_NAME], found[semconv.PROMPT_VERSION]) == ("pmpt_1", "7")
    assert found[semconv.CONVERSATION_ID] == "conv_1"


def test_request_attributes(server: ScriptedServer, recorded: Recorded) -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,aGVsbG8="}
    with spantape.session("s", conversation_id="ours"):
        create(
            server,
            model="gpt-5-mini",
            top_p=0.9,
            max_output_tokens=50,
            reasoning={"effort": "low", "summary": "auto"},
            previous_response_id="resp_0",
            extra_body={"conversation": {"id": "conv_1"}, "background": False, "truncation": "auto"},
            prompt={"id": "pmpt_1", "version": "7", "variables": {"name": "Ada", "photo": image}},
            text={"format": {"type": "json_object"}},
            service_tier="flex",
        )
    expected = {
        semconv.REQUEST_TOP_P: 0.9,
        semconv.REQUEST_MAX_TOKENS: 50,
        semconv.REQUEST_REASONING_LEVEL: "low",
        semconv.REQUEST_PREVIOUS_RESPONSE_ID: "resp_0",
        semconv.CONVERSATION_ID: "conv_1",
        semconv.PROMPT_NAME: "pmpt_1",
        semconv.PROMPT_VERSION: "7",
        semconv.PROMPT_VARIABLE + "name": "Ada",
        semconv.OUTPUT_TYPE: "json",
        semconv.OPENAI_REQUEST_SERVICE_TIER: "flex",
    }
    assert expected.items() <= recorded.attributes.items()
    assert semconv.PROMPT_VARIABLE + "photo" not in recorded.attributes
    request = recorded.record["request"]
    assert request["truncation"] == "auto"
    assert request["background"] is False
    assert request["prompt_variables"]["name"] == "Ada"
    assert "aGVsbG8" not in json.dumps(request)
    assert "sha256" in request["prompt_variables"]["photo"]["image_url"]
    assert recorded.record["conversation_id"] == "conv_1"


def test_variables_are_masked_and_few(server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", content_filter=lambda said: said.replace("Ada", "***"))
    create(server, prompt={"id": "p", "variables": {f"v{number}": f"Ada {number}" for number in range(100)}})
    found = {name for name in recorded.attributes if name.startswith(semconv.PROMPT_VARIABLE)}
    assert len(found) == 32
    assert "Ada" not in json.dumps(recorded.attributes)
    assert recorded.record["request"]["prompt_variables"]["v99"] == "*** 99"


def test_instructions_of_a_prompt_template_are_those_of_the_response(
    server: ScriptedServer, recorded: Recorded
) -> None:
    item = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "be short"}]}
    server.replies(response("ok", prompt={"id": "p", "version": "3"}, instructions=[item]))
    with sync_client(server.url) as client:
        client.responses.create(prompt={"id": "p"}, input="hi")
    assert recorded.span.name == "chat"
    assert recorded.attributes[semconv.PROMPT_VERSION] == "3"
    assert said(recorded, semconv.SYSTEM_INSTRUCTIONS) == [{"type": "text", "content": "be short"}]
    assert recorded.record["model"] == "gpt-4o-mini-2024-07-18"


USAGE = {
    "input_tokens": 100,
    "output_tokens": 20,
    "total_tokens": 120,
    "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8, "image_tokens": 30, "text_tokens": 70}
    | {"cached_tokens_details": {"image_tokens": 14, "text_tokens": 50}},
    "output_tokens_details": {"reasoning_tokens": 5, "image_tokens": 3},
}


def test_usage(streamed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(reply(streamed, "hi", usage=USAGE, service_tier="flex"))
    create(server, **({"stream": True} if streamed else {}))
    found = {name: value for name, value in recorded.attributes.items() if name.startswith("gen_ai.usage")}
    assert found == {
        semconv.INPUT_TOKENS: 100,
        semconv.OUTPUT_TOKENS: 20,
        semconv.CACHE_READ_TOKENS: 64,
        semconv.CACHE_WRITE_TOKENS: 8,
        semconv.REASONING_TOKENS: 5,
        semconv.TEXT_INPUT_TOKENS: 70,
        semconv.IMAGE_INPUT_TOKENS: 30,
        semconv.TEXT_CACHE_READ_TOKENS: 50,
        semconv.IMAGE_CACHE_READ_TOKENS: 14,
        semconv.IMAGE_OUTPUT_TOKENS: 3,
    }
    assert recorded.attributes[semconv.OPENAI_RESPONSE_SERVICE_TIER] == "flex"
    assert recorded.record["usage"]["image_input_tokens"] == 30


FAILURE = {"code": "server_error", "message": f"it broke on {SAID}"}


@pytest.mark.parametrize("capture", [True, False])
def test_a_failure_that_comes_as_an_answer(
    capture: bool, streamed: bool, server: ScriptedServer, tmp_path: Path
) -> None:
    recorded = Recorded(tmp_path / "records", capture_content=capture)
    server.replies(reply(streamed, "half of", status="failed", error=FAILURE))
    results = create(server, **({"stream": True} if streamed else {}))
    assert results
    found = recorded.attributes
    assert recorded.span.status.status_code.name == "ERROR"
    assert recorded.span.status.description == (FAILURE["message"] if capture else None)
    assert (found[semconv.ERROR_TYPE], found[semconv.ERROR_CODE]) == ("server_error", "server_error")
    assert found[semconv.STATUS] == "failed"
    assert found[semconv.RESPONSE_FINISH_REASONS] == ("error",)
    assert found[semconv.INPUT_TOKENS] > 0
    assert (SAID in json.dumps(found, ensure_ascii=False)) == capture
    assert recorded.record["success"] is False
    assert recorded.record["error"]["code"] == "server_error"


def test_an_error_event_that_raises_nothing(server: ScriptedServer, recorded: Recorded) -> None:
    chunks = [
        *response_stream("one two three").chunks[:6],
        {"type": "error", "code": "overloaded", "message": "later", "param": None, "sequence_number": 9},
    ]
    server.replies(response_stream("").but(chunks=chunks))
    create(server, stream=True)
    assert recorded.span.status.status_code.name == "ERROR"
    assert recorded.attributes[semconv.ERROR_TYPE] == "overloaded"
    assert recorded.attributes[semconv.RESPONSE_FINISH_REASONS] == ("error",)
    assert recorded.record["error_message"] == "later"
    assert recorded.record["response"] == "one two "


REASONS = [
    ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
    ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
    ({"status": "incomplete", "incomplete_details": {"reason": "novel"}}, "novel"),
    ({"status": "incomplete"}, "incomplete"),
    ({"status": "cancelled"}, "error"),
]


@pytest.mark.parametrize(("more", "reason"), REASONS)
def test_finish_reasons(
    more: dict[str, Any], reason: str, streamed: bool, server: ScriptedServer, recorded: Recorded
) -> None:
    server.replies(reply(streamed, "hi", **more))
    create(server, **({"stream": True} if streamed else {}))
    assert recorded.attributes[semconv.RESPONSE_FINISH_REASONS] == (reason,)
    assert recorded.span.status.status_code.name == "UNSET"
    assert recorded.record["response"] == "hi"


def test_in_the_background(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(response(None, status="queued", background=True, usage=None))
    create(server, background=True)
    assert recorded.attributes[semconv.RESPONSE_ID] == "resp_1"
    assert semconv.RESPONSE_FINISH_REASONS not in recorded.attributes
    assert recorded.record["usage"] is None
    assert recorded.record["cost"] is None
    assert recorded.record["success"] is True


@pytest.mark.parametrize("status", ["completed", "failed", "in_progress"])
def test_fetching(status: str, server: ScriptedServer, recorded: Recorded) -> None:
    failed = FAILURE if status == "failed" else None
    tools = [{"type": "function", "name": "f", "parameters": {}}]
    server.replies(response("hi", id="resp_7", status=status, error=failed, instructions="be kind", tools=tools))
    with sync_client(server.url) as client:
        assert client.responses.retrieve("resp_7").status == status
    found = recorded.attributes
    assert recorded.span.name == "fetch_response"
    assert recorded.span.status.status_code.name == "UNSET"  # the fetch has not failed
    assert found[semconv.OPERATION] == "fetch_response"
    assert found[semconv.RESPONSE_ID] == "resp_7"
    assert found[semconv.RESPONSE_STATUS] == status
    assert found[semconv.RESPONSE_MODEL] == "gpt-4o-mini-2024-07-18"
    reasons = {"completed": ("stop",), "failed": ("error",)}
    assert found.get(semconv.RESPONSE_FINISH_REASONS) == reasons.get(status)
    assert not [name for name in found if name.startswith(("gen_ai.usage", "spantape.cost", "gen_ai.input"))]
    assert semconv.REQUEST_STREAM not in found
    assert said(recorded, semconv.SYSTEM_INSTRUCTIONS) == [{"type": "text", "content": "be kind"}]
    assert said(recorded, semconv.TOOL_DEFINITIONS)[0]["name"] == "f"
    assert recorded.record["response"] == "hi"
    assert recorded.record["metadata"]["response_status"] == status


def test_fetching_what_is_not_there(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(error(404, "no such response"))
    with sync_client(server.url) as client, pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_7")
    assert recorded.attributes[semconv.RESPONSE_ID] == "resp_7"
    assert recorded.attributes[semconv.ERROR_TYPE] == "openai.NotFoundError"


def test_resuming_a_stream(server: ScriptedServer, recorded: Recorded) -> None:
    whole = response_stream("one two three four", id="resp_7")
    server.replies(whole.but(chunks=whole.chunks[6:]))
    with sync_client(server.url) as client:
        events = list(client.responses.retrieve("resp_7", stream=True, starting_after=5))
    assert events[-1].type == "response.completed"
    found = recorded.attributes
    assert recorded.span.name == "fetch_response"
    assert found[semconv.REQUEST_STREAM] is True
    assert found[semconv.REQUEST_STREAM_CURSOR] == "5"
    assert found[semconv.RESPONSE_STATUS] == "completed"
    assert recorded.record["response"] == "one two three four"
    assert server.requests[-1].path.partition("?")[2]


def test_a_resumed_stream_that_is_left_keeps_what_came(server: ScriptedServer, recorded: Recorded) -> None:
    whole = response_stream("one two three four", id="resp_7")
    server.replies(whole.but(chunks=whole.chunks[5:]))
    with sync_client(server.url) as client, client.responses.retrieve("resp_7", stream=True) as events:
        next(events)
        next(events)
    assert recorded.attributes[semconv.STREAM_END] == "closed"
    assert recorded.record["response"] == "two thre"


def test_the_stream_helper_on_a_response_that_runs(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client, client.responses.stream(response_id="resp_7") as stream:
        assert stream.get_final_response().output_text == "Hello"
    assert recorded.span.name == "fetch_response"
    assert recorded.attributes[semconv.RESPONSE_ID] == "resp_7"
    assert recorded.record["response"] == "Hello"


def test_cancelling(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        assert client.responses.cancel("resp_7").status == "cancelled"
    assert recorded.span.name == "cancel_response"
    assert recorded.attributes[semconv.RESPONSE_ID] == "resp_7"
    assert recorded.attributes[semconv.RESPONSE_STATUS] == "cancelled"
    assert recorded.record["cost"] is None
    assert recorded.record["success"] is True


@pytest.mark.skipif(not HAS_RESPONSES or not hasattr(openai.OpenAI(api_key="x").responses, "compact"), reason="too old")
def test_compacting(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        client.responses.compact(model="gpt-4o-mini", input=SAID)
    assert recorded.span.name == "compact_response gpt-4o-mini"
    assert recorded.attributes[semconv.CONVERSATION_COMPACTED] is True
    assert said(recorded, semconv.OUTPUT_MESSAGES)[0]["parts"] == [
        {"type": "compaction", "id": "cmp_1", "encrypted": True}
    ]
    assert recorded.record["prompt"] == SAID
    assert recorded.record["cost"]["total"] > 0


@pytest.mark.skipif(
    not HAS_RESPONSES or not hasattr(openai.OpenAI(api_key="x").responses, "input_tokens"), reason="old"
)
def test_counting_uses_no_tokens(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        counted = client.responses.input_tokens.count(model="gpt-4o-mini", input=SAID)
    assert recorded.span.name == "count_tokens gpt-4o-mini"
    assert recorded.attributes[semconv.COUNTED_TOKENS] == counted.input_tokens
    assert recorded.record["metadata"]["counted_tokens"] == counted.input_tokens
    assert recorded.record["usage"] is None
    assert recorded.record["cost"] is None


def test_what_lies_about_a_response_is_not_recorded(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(response("x").but(body={"object": "list", "data": [], "has_more": False}), response("x"))
    with sync_client(server.url) as client:
        client.responses.input_items.list("resp_7")
        client.responses.delete("resp_7")
    assert recorded.spans == []


def test_an_answer_can_be_sent_back_as_it_is(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(response(None, reasoning="hm", tool_calls=[("weather", {"city": "x"})]))
    with sync_client(server.url) as client:
        first = client.responses.create(**BODY)
        result = {"type": "function_call_output", "call_id": first.output[1].call_id, "output": "sunny"}
        history = [{"role": "user", "content": SAID}, *first.output, result]
        client.responses.create(**(BODY | {"input": history}))
    messages = json.loads(recorded.spans[-1].attributes[semconv.INPUT_MESSAGES])
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert [part["type"] for part in messages[1]["parts"]] == ["reasoning", "tool_call"]
    assert messages[2]["parts"] == [{"type": "tool_call_response", "id": "call_1", "response": "sunny"}]
    assert recorded.records[-1]["performance_metrics"]["history_messages_count"] == 2


@pytest.mark.parametrize(
    "body",
    [
        {"id": "x", "object": "response"},
        {"id": "x", "output": None, "usage": None, "error": None, "status": None},
        {"id": 7, "output": [None, "x", 3, {"type": None}], "usage": "many", "conversation": []},
        {"output": [{"type": "message", "content": None}, {"type": "reasoning", "summary": "x"}]},
        {"output": [{"type": "function_call", "arguments": {"a": 1}}, {"type": "function_call"}], "prompt": 3},
    ],
)
def test_odd_answers(body: Any, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(response("x").but(body=body))
    create(server)
    assert recorded.span.status.status_code.name == "UNSET"


ODD_EVENTS: list[Any] = [
    {"type": "novel", "sequence_number": 3},
    {"no": "type"},
    {"type": "response.output_text.delta"},
    {"type": "response.output_text.delta", "delta": None, "output_index": None},
    {"type": "response.output_item.added", "item": None, "output_index": 5},
    {"type": "response.in_progress", "response": None},
    {"type": "response.audio.delta", "delta": "AAAA"},
]


@pytest.mark.parametrize("odd", ODD_EVENTS)
def test_odd_events(odd: Any, server: ScriptedServer, recorded: Recorded) -> None:
    whole = response_stream("one two three")
    server.replies(whole.but(chunks=[*whole.chunks[:5], odd, *whole.chunks[5:]]))
    assert len(create(server, stream=True)) == len(whole.chunks) + 1
    assert recorded.record["response"] == "one two three"
    assert recorded.attributes[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
