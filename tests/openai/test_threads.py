"""Runs of assistants: agents at the provider, whole and as streams of events."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from openai_ways import async_client, sync_client

import openai
from recorded import Recorded
from spantape import semconv
from spantape.instrumentors.openai import threads
from spantape.testing import Reply, ScriptedServer

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.skipif(not hasattr(openai.resources.beta, "Threads"), reason="this openai has no assistants"),
]

THREAD: Any = {"messages": [{"role": "user", "content": "你好"}]}
TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
SAID = "You said: 你好"


def content(recorded: Recorded, attribute: str) -> Any:
    return json.loads(recorded.attributes[attribute])


def events(*each: tuple[str, Any]) -> Reply:
    return Reply(chunks=[f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in each])


def watched(client: openai.OpenAI) -> str:
    said = []
    for event in client.beta.threads.create_and_run(assistant_id="asst_7", thread=THREAD, stream=True):
        if event.event == "thread.message.delta":
            said += [part.text.value for part in event.data.delta.content]  # type: ignore[union-attr]
    return "".join(said)


def helped(client: openai.OpenAI) -> str:
    with client.beta.threads.create_and_run_stream(assistant_id="asst_7", thread=THREAD) as stream:
        return "".join(stream.text_deltas)


def handled(client: openai.OpenAI) -> str:
    class Handler(openai.AssistantEventHandler):
        said = ""

        def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            self.said += delta.value

    handler = Handler()
    with client.beta.threads.create_and_run_stream(
        assistant_id="asst_7", thread=THREAD, event_handler=handler
    ) as stream:
        stream.until_done()
        assert stream is handler
        assert stream.get_final_run().status == "completed"
    return handler.said


def in_lines(client: openai.OpenAI) -> str:
    with client.beta.threads.with_streaming_response.create_and_run(
        assistant_id="asst_7", thread=THREAD, stream=True
    ) as response:
        lines = [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: {")]
    pieces = [line["delta"]["content"][0]["text"]["value"] for line in lines if line["object"].endswith("delta")]
    return "".join(pieces)


@pytest.mark.parametrize("way", [watched, helped, handled, in_lines])
def test_a_stream(way: Any, server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        assert way(client) == SAID
    found, record = recorded.attributes, recorded.record
    assert recorded.span.name == "invoke_agent"
    assert found[semconv.OPERATION] == "invoke_agent"
    assert found[semconv.AGENT_ID] == "asst_7"
    assert found[semconv.CONVERSATION_ID] == "thread_1"
    assert found[semconv.RESPONSE_ID] == "run_1"
    assert found[semconv.RESPONSE_MODEL] == "gpt-4o-mini"
    assert found[semconv.RUN_STATUS] == "completed"
    assert found[semconv.REQUEST_STREAM] is True
    assert found[semconv.STREAM_END] == "completed"
    assert found[semconv.INPUT_TOKENS] > 0
    assert found[semconv.OUTPUT_TOKENS] > 0
    assert record["prompt"] == "你好"
    assert record["response"] == SAID
    assert record["conversation_id"] == "thread_1"
    assert record["cost"]["total"] > 0


def test_an_async_stream(server: ScriptedServer, recorded: Recorded) -> None:
    async def main() -> str:
        async with async_client(server.url) as client:
            manager = client.beta.threads.runs.stream(thread_id="thread_7", assistant_id="asst_7", model="gpt-4o")
            async with manager as stream:
                return "".join([piece async for piece in stream.text_deltas])

    assert asyncio.run(main()) == "Hello"
    assert recorded.span.name == "invoke_agent"  # and no model, which is the agent's affair
    assert recorded.attributes[semconv.REQUEST_MODEL] == "gpt-4o"
    assert recorded.attributes[semconv.CONVERSATION_ID] == "thread_7"
    assert recorded.record["response"] == "Hello"


def test_polling_makes_one_span(server: ScriptedServer, recorded: Recorded) -> None:
    run = {"id": "run_1", "object": "thread.run", "thread_id": "thread_7", "status": "queued"}
    server.replies(Reply(run), Reply(run), Reply(run | {"status": "completed"}))
    with sync_client(server.url) as client:
        runs = client.beta.threads.runs
        done = runs.create_and_poll(thread_id="thread_7", assistant_id="asst_7", poll_interval_ms=1)
    assert done.status == "completed"
    assert recorded.attributes[semconv.RUN_STATUS] == "queued"
    assert semconv.INPUT_TOKENS not in recorded.attributes
    assert semconv.OUTPUT_MESSAGES not in recorded.attributes


def test_tool_calls_and_their_outputs(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        runs = client.beta.threads.runs
        with runs.stream(thread_id="thread_7", assistant_id="asst_7", tools=[TOOL]) as stream:
            stream.until_done()
        outputs: Any = [{"tool_call_id": "call_1", "output": "sunny"}]
        with runs.submit_tool_outputs_stream(thread_id="thread_7", run_id="run_1", tool_outputs=outputs) as stream:
            stream.until_done()
    first, second = (span.attributes for span in recorded.spans)
    assert first[semconv.RUN_STATUS] == "requires_action"
    assert json.loads(first[semconv.TOOL_DEFINITIONS])[0]["name"] == "weather"
    assert json.loads(first[semconv.OUTPUT_MESSAGES]) == [
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {}}]}
    ]
    assert semconv.INPUT_TOKENS not in first  # told once, when the run is done
    assert json.loads(second[semconv.INPUT_MESSAGES]) == [
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "sunny"}]}
    ]
    assert second[semconv.RESPONSE_ID] == "run_1"
    assert second[semconv.OUTPUT_TOKENS] > 0


def test_what_is_asked(server: ScriptedServer, recorded: Recorded) -> None:
    image = {"type": "image_file", "image_file": {"file_id": "file-1"}}
    address = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
    more: Any = [{"role": "user", "content": [{"type": "text", "text": "look"}, image, address]}]
    with sync_client(server.url) as client:
        client.beta.threads.runs.create(
            thread_id="thread_7",
            assistant_id="asst_7",
            instructions="Be brief.",
            additional_instructions="Be kind.",
            additional_messages=more,
            temperature=0.5,
            top_p=0.9,
            max_completion_tokens=10,
            max_prompt_tokens=99,
        )
    assert content(recorded, semconv.SYSTEM_INSTRUCTIONS) == [
        {"type": "text", "content": "Be brief."},
        {"type": "text", "content": "Be kind."},
    ]
    assert content(recorded, semconv.INPUT_MESSAGES)[0]["parts"] == [
        {"type": "text", "content": "look"},
        {"type": "file", "modality": "image", "file_id": "file-1"},
        {"type": "uri", "modality": "image", "uri": "https://x.example/a.png"},
    ]
    found = recorded.attributes
    assert (found[semconv.REQUEST_TEMPERATURE], found[semconv.REQUEST_TOP_P]) == (0.5, 0.9)
    assert found[semconv.REQUEST_MAX_TOKENS] == 10
    assert content(recorded, semconv.REQUEST_PARAMETERS) == {"max_prompt_tokens": 99}


def test_instructions_are_content(server: ScriptedServer, tmp_path: Any) -> None:
    with sync_client(server.url) as client:
        masked = Recorded(tmp_path / "a", content_filter=lambda text: text.replace("Ada", "[name]"))
        client.beta.threads.runs.create(thread_id="t", assistant_id="a", instructions="Obey Ada.")
        assert content(masked, semconv.SYSTEM_INSTRUCTIONS)[0]["content"] == "Obey [name]."
        import spantape

        spantape.uninstrument()
        silent = Recorded(tmp_path / "b", capture_content=False)
        client.beta.threads.runs.create(thread_id="t", assistant_id="a", instructions="Obey Ada.")
        assert semconv.SYSTEM_INSTRUCTIONS not in silent.attributes


def test_a_thread_s_settings_are_parameters() -> None:
    thread = {"messages": [{"role": "user", "content": "hi"}], "metadata": {"a": "b"}}
    asked = threads.asked({"assistant_id": "a", "thread": thread, "tool_choice": "auto"})
    assert asked[semconv.REQUEST_PARAMETERS] == {"tool_choice": "auto", "thread": {"metadata": {"a": "b"}}}


def test_a_run_that_fails(server: ScriptedServer, recorded: Recorded) -> None:
    run = {"id": "run_1", "object": "thread.run", "thread_id": "t", "model": "gpt-4o", "status": "failed"}
    error = {"code": "rate_limit_exceeded", "message": "slow down, 你好"}
    server.replies(events(("thread.run.created", run), ("thread.run.failed", run | {"last_error": error})))
    with sync_client(server.url) as client:
        assert len(list(client.beta.threads.runs.create(thread_id="t", assistant_id="a", stream=True))) == 2
    assert recorded.attributes[semconv.ERROR_TYPE] == "rate_limit_exceeded"
    assert recorded.span.status.status_code.name == "ERROR"
    assert recorded.attributes[semconv.RUN_STATUS] == "failed"
    assert recorded.record["success"] is False
    assert recorded.record["error_message"] == "slow down, 你好"


def test_a_stream_left_early(server: ScriptedServer, recorded: Recorded) -> None:
    with (
        sync_client(server.url) as client,
        client.beta.threads.create_and_run_stream(assistant_id="asst_7", thread=THREAD) as stream,
    ):
        assert next(iter(stream.text_deltas)) == SAID[:4]
    assert recorded.attributes[semconv.STREAM_END] == "closed"
    assert recorded.attributes[semconv.RUN_STATUS] == "in_progress"
    assert recorded.record["response"] == SAID[:4]


def test_an_error_in_the_middle(server: ScriptedServer, recorded: Recorded) -> None:
    run = {"id": "run_1", "object": "thread.run", "thread_id": "t", "status": "queued"}
    server.replies(events(("thread.run.created", run), ("error", {"error": {"message": "overloaded"}})))
    with sync_client(server.url) as client, pytest.raises(openai.APIError, match="overloaded"):
        list(client.beta.threads.runs.create(thread_id="t", assistant_id="a", stream=True))
    assert recorded.attributes[semconv.ERROR_TYPE] == "openai.APIError"
    assert recorded.attributes[semconv.RESPONSE_ID] == "run_1"


def delta(name: str, index: Any, text: Any) -> dict[str, Any]:
    said = [{"index": index, "type": "text", "text": text}]
    return {"id": name, "object": "thread.message.delta", "delta": {"content": said}}


def answers(*data: Any) -> Any:
    join = threads.Join()
    join.add(data)
    messages = threads.answered(join.body())[semconv.OUTPUT_MESSAGES] or []
    return [[part.get("content") or part.get("file_id") for part in message["parts"]] for message in messages]


def test_messages_and_their_parts_are_kept_apart() -> None:
    pieces = [delta("a", 0, {"value": "1"}), delta("b", 0, {"value": "x"})]
    pieces += [delta("a", 1, {"value": "2"}), delta("a", 0, {"value": "1"})]
    assert answers(*pieces) == [["11", "2"], ["x"]]


def test_the_whole_message_replaces_its_pieces() -> None:
    image = {"type": "image_file", "image_file": {"file_id": "file-1"}}
    whole = {"id": "a", "object": "thread.message", "content": [{"type": "text", "text": {"value": "12"}}, image]}
    begun = {"id": "a", "object": "thread.message", "content": []}
    assert answers(begun, delta("a", 0, {"value": "1"}), whole) == [["12", "file-1"]]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        {},
        "x",
        {"event": "thread.run.created", "data": None},
        {"object": "thread.run"},
        {"object": "thread.message.delta"},
        {"object": "thread.message.delta", "delta": {"content": None}},
        delta("a", None, None),
        delta("a", 0, {"value": None}),
        delta("a", 0, []),
        {"id": "a", "object": "thread.message", "content": None},
        {"object": "thread.run.step.delta", "delta": {"step_details": {}}},
        {"object": ["thread.run"]},
    ],
)
def test_odd_events(odd: Any) -> None:
    assert ["one two"] in answers(delta("a", 0, {"value": "one "}), odd, delta("a", 0, {"value": "two"}))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"required_action": {"submit_tool_outputs": None}, "usage": None},
        {"required_action": "x", "last_error": None, "messages": None},
        {"required_action": {"submit_tool_outputs": {"tool_calls": [None]}}, "usage": 3},
        {"messages": "x", "last_error": []},
    ],
)
def test_odd_runs(body: Any) -> None:
    assert threads.response(body) == {}
    assert threads.answered(body) == {semconv.OUTPUT_MESSAGES: None}


def test_cached_tokens_of_a_run() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_token_details": {"cached_tokens": 4}}
    assert threads.response({"usage": usage})[semconv.CACHE_READ_TOKENS] == 4


@pytest.mark.parametrize("body", [{}, {"thread": None, "tools": {}}, {"thread": [], "tool_outputs": "x", "tools": [7]}])
def test_odd_requests(body: Any) -> None:
    asked = threads.asked({"assistant_id": "a", **body})
    assert asked[semconv.INPUT_MESSAGES] is None
    assert asked[semconv.TOOL_DEFINITIONS] is None
