"""Chat bodies → attributes: through the real client where the client has a say, else as pure functions of JSON."""

from __future__ import annotations

import contextlib
import json
import operator
from typing import Any

import pytest
from openai_ways import BODY, sync_client

from recorded import Recorded
from spantape import semconv
from spantape.instrumentors.openai import chat
from spantape.testing import Reply, ScriptedServer, completion, stream

TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}}
]
CALLS = [("weather", '{"city": "杭州"}'), ("clock", "{}")]


def create(server: ScriptedServer, **more: Any) -> None:
    with sync_client(server.url) as client:
        result = client.chat.completions.create(**(BODY | more))
        if more.get("stream"):
            list(result)


def sent(recorded: Recorded) -> Any:
    return json.loads(recorded.attributes[semconv.INPUT_MESSAGES])


def answered(recorded: Recorded) -> Any:
    return json.loads(recorded.attributes[semconv.OUTPUT_MESSAGES])


def reply(streamed: bool, *args: Any, **kwargs: Any) -> Any:
    return stream(*args, **kwargs) if streamed else completion(*args, **kwargs)


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return request.param


def test_tool_calls(streamed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(reply(streamed, "", tool_calls=CALLS))
    create(server, tools=TOOLS, **({"stream": True} if streamed else {}))
    parts = answered(recorded)[0]["parts"]
    assert [part["name"] for part in parts] == ["weather", "clock"]
    assert parts[0]["arguments"] == {"city": "杭州"}
    assert parts[0]["id"]
    assert recorded.attributes[semconv.RESPONSE_FINISH_REASONS] == ("tool_calls",)
    assert json.loads(recorded.attributes[semconv.TOOL_DEFINITIONS])[0]["name"] == "weather"
    assert recorded.record["request"]["tools"][0]["description"] == "Tells it."
    assert recorded.record["response"] == '[call weather {"city":"杭州"}]\n[call clock {}]'


def test_interleaved_tool_call_deltas(server: ScriptedServer, recorded: Recorded) -> None:
    def delta(index: int, **function: str) -> dict[str, Any]:
        calls = [{"index": index, "id": f"call_{index}" if "name" in function else None, "function": function}]
        return {"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": None}]}

    chunks = [
        delta(0, name="a", arguments=""),
        delta(1, name="b", arguments=""),
        delta(0, arguments='{"x":'),
        delta(1, arguments='{"y":2}'),
        delta(0, arguments="1}"),
        {"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    ]
    server.replies(stream("").but(chunks=chunks))
    create(server, stream=True)
    parts = answered(recorded)[0]["parts"]
    assert [(part["id"], part["name"], part["arguments"]) for part in parts] == [
        ("call_0", "a", {"x": 1}),
        ("call_1", "b", {"y": 2}),
    ]


def test_tool_results_and_history(server: ScriptedServer, recorded: Recorded) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "x"}'}}
    history = [
        {"role": "user", "content": "how is it?", "name": "ada"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "sunny"},
        {
            "role": "tool",
            "tool_call_id": "2",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        },
    ]
    create(server, messages=history)
    assert sent(recorded) == [
        {"role": "user", "parts": [{"type": "text", "content": "how is it?"}], "name": "ada"},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "1", "name": "weather", "arguments": {"city": "x"}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "sunny"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "2", "response": "ab"}]},
    ]
    assert recorded.record["performance_metrics"]["history_messages_count"] == 3


def test_an_answer_can_be_sent_back_as_it_is(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(completion("", tool_calls=CALLS))
    with sync_client(server.url) as client:
        first = client.chat.completions.create(**BODY)
        client.chat.completions.create(**(BODY | {"messages": [*BODY["messages"], first.choices[0].message]}))
    last = json.loads(recorded.spans[-1].attributes[semconv.INPUT_MESSAGES])[-1]
    assert [part["name"] for part in last["parts"]] == ["weather", "clock"]


def test_refusal(streamed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(reply(streamed, "", refusal="I'd rather not"))
    create(server, **({"stream": True} if streamed else {}))
    assert {"type": "refusal", "content": "I'd rather not"} in answered(recorded)[0]["parts"]
    assert recorded.record["response"] == "I'd rather not"


def test_reasoning(streamed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(reply(streamed, "42", reasoning="六七四十二"))
    create(server, **({"stream": True} if streamed else {}))
    assert answered(recorded)[0]["parts"] == [
        {"type": "reasoning", "content": "六七四十二"},
        {"type": "text", "content": "42"},
    ]
    assert recorded.record["response"] == "42"


SPOKEN = [
    {"role": "assistant", "audio": {"id": "audio_1", "transcript": "你"}},
    {"audio": {"data": "UklGRg=="}},
    {"audio": {"transcript": "好"}},
    {"audio": {"data": "UklG", "expires_at": 1}},
]


def test_a_spoken_answer(streamed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    """Its words are text; of the sound there is a digest, or its size where it came in pieces."""
    sound = {"id": "audio_1", "data": "UklGRlJJRg==", "transcript": "你好", "expires_at": 1}
    message = {"index": 0, "message": {"role": "assistant", "content": None, "audio": sound}, "finish_reason": "stop"}
    deltas = [{"index": 0, "delta": delta, "finish_reason": None} for delta in SPOKEN]
    deltas.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    whole = Reply({"id": "x", "model": "m", "choices": [message]})
    pieces = stream().but(chunks=[{"id": "x", "model": "m", "choices": [delta]} for delta in deltas])
    server.replies(pieces if streamed else whole)
    create(server, extra_body={"modalities": ["text", "audio"], "audio": {"voice": "a"}}, stream=streamed)
    [said] = answered(recorded)
    blob, words = said["parts"]
    assert words == {"type": "text", "content": "你好"}
    assert (blob["type"], blob["modality"], blob["size"]) == ("blob", "audio", 7)
    assert ("sha256" in blob) is not streamed
    assert "UklG" not in json.dumps(recorded.record)
    assert "你好" in recorded.record["response"]


def test_choices(streamed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    create(server, n=3, **({"stream": True} if streamed else {}))
    assert recorded.attributes[semconv.REQUEST_CHOICE_COUNT] == 3
    assert recorded.attributes[semconv.RESPONSE_FINISH_REASONS] == ("stop",) * 3
    texts = [message["parts"][0]["content"] for message in answered(recorded)]
    assert len(texts) == 3
    assert len(set(texts)) == 1


def test_request_parameters(server: ScriptedServer, recorded: Recorded) -> None:
    create(
        server,
        top_p=0.9,
        frequency_penalty=0.1,
        presence_penalty=-0.1,
        seed=7,
        stop=["a", "b"],
        service_tier="flex",
        response_format={"type": "json_object"},
        parallel_tool_calls=False,
        # openai 1.40 knows neither of the last two yet
        extra_body={"top_k": 40, "enable_thinking": True, "reasoning_effort": "low", "max_completion_tokens": 50},
    )
    expected = {
        semconv.REQUEST_TOP_P: 0.9,
        semconv.REQUEST_TOP_K: 40,
        semconv.REQUEST_MAX_TOKENS: 50,
        semconv.REQUEST_FREQUENCY_PENALTY: 0.1,
        semconv.REQUEST_PRESENCE_PENALTY: -0.1,
        semconv.REQUEST_SEED: 7,
        semconv.REQUEST_STOP_SEQUENCES: ("a", "b"),
        semconv.REQUEST_REASONING_LEVEL: "low",
        semconv.OPENAI_REQUEST_SERVICE_TIER: "flex",
        semconv.OUTPUT_TYPE: "json",
    }
    assert expected.items() <= recorded.attributes.items()
    assert semconv.REQUEST_CHOICE_COUNT not in recorded.attributes
    request = recorded.record["request"]
    assert request["enable_thinking"] is True
    assert request["parallel_tool_calls"] is False
    assert request["stop"] == ["a", "b"]


def test_what_a_sampler_decides_by_is_there_when_it_does(server: ScriptedServer, tmp_path: Any) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

    import spantape

    seen: dict[str, Any] = {}

    class Looking(Sampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> Any:
            seen.update(args[4] if len(args) > 4 else kwargs["attributes"])
            return ALWAYS_ON.should_sample(*args, **kwargs)

        def get_description(self) -> str:
            return "looking"

    provider = TracerProvider(sampler=Looking(), shutdown_on_exit=False)
    spantape.instrument(base_dir=tmp_path / "records", tracer_provider=provider)
    create(server)
    assert seen[semconv.OPERATION] == "chat"
    assert seen[semconv.REQUEST_MODEL] == "gpt-4o-mini"
    assert seen[semconv.PROVIDER] == "127.0.0.1"
    assert seen[semconv.SERVER_ADDRESS] == "127.0.0.1"
    assert seen[semconv.SERVER_PORT]


USAGES: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "openai": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 2},
        },
        {
            semconv.INPUT_TOKENS: 100,
            semconv.OUTPUT_TOKENS: 20,
            semconv.CACHE_READ_TOKENS: 64,
            semconv.REASONING_TOKENS: 5,
            semconv.AUDIO_INPUT_TOKENS: 3,
            semconv.AUDIO_OUTPUT_TOKENS: 2,
        },
    ),
    "all details": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "prompt_tokens_details": {
                "cached_tokens": 64,
                "cache_write_tokens": 4,
                "text_tokens": 60,
                "image_tokens": 40,
                "cached_tokens_details": {"text_tokens": 50, "audio_tokens": 10, "image_tokens": 4},
            },
            "completion_tokens_details": {"text_tokens": 15, "image_tokens": 1, "accepted_prediction_tokens": 0},
        },
        {
            semconv.INPUT_TOKENS: 100,
            semconv.OUTPUT_TOKENS: 20,
            semconv.CACHE_READ_TOKENS: 64,
            semconv.CACHE_WRITE_TOKENS: 4,
            semconv.TEXT_INPUT_TOKENS: 60,
            semconv.IMAGE_INPUT_TOKENS: 40,
            semconv.TEXT_CACHE_READ_TOKENS: 50,
            semconv.AUDIO_CACHE_READ_TOKENS: 10,
            semconv.IMAGE_CACHE_READ_TOKENS: 4,
            semconv.TEXT_OUTPUT_TOKENS: 15,
            semconv.IMAGE_OUTPUT_TOKENS: 1,
        },
    ),
    "deepseek": (
        {"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 4},
        {semconv.INPUT_TOKENS: 10, semconv.OUTPUT_TOKENS: 2, semconv.CACHE_READ_TOKENS: 4},
    ),
    "moonshot": (
        {"prompt_tokens": 10, "completion_tokens": 2, "cached_tokens": 6},
        {semconv.INPUT_TOKENS: 10, semconv.OUTPUT_TOKENS: 2, semconv.CACHE_READ_TOKENS: 6},
    ),
    "dashscope": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_creation_input_tokens": 4},
        },
        {
            semconv.INPUT_TOKENS: 10,
            semconv.OUTPUT_TOKENS: 2,
            semconv.CACHE_READ_TOKENS: 0,
            semconv.CACHE_WRITE_TOKENS: 4,
        },
    ),
    "litellm": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 4,
        },
        {
            semconv.INPUT_TOKENS: 10,
            semconv.OUTPUT_TOKENS: 2,
            semconv.CACHE_READ_TOKENS: 3,
            semconv.CACHE_WRITE_TOKENS: 4,
        },
    ),
    "zero is not unknown": (
        {"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}},
        {semconv.INPUT_TOKENS: 10, semconv.OUTPUT_TOKENS: 0, semconv.CACHE_READ_TOKENS: 0},
    ),
    "details null": (
        {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": None},
        {semconv.INPUT_TOKENS: 1, semconv.OUTPUT_TOKENS: 2},
    ),
    "not numbers": ({"prompt_tokens": "many", "completion_tokens": None}, {}),
    "empty": ({}, {}),
}


@pytest.mark.parametrize("case", USAGES)
def test_usage(case: str, streamed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    usage, expected = USAGES[case]
    server.replies(reply(streamed, "hi", usage=usage))
    create(server, **({"stream": True} if streamed else {}))
    found = {key: value for key, value in recorded.attributes.items() if key.startswith("gen_ai.usage")}
    assert found == expected


def test_usage_in_the_first_choice(streamed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    """There Moonshot tells it."""
    usage = {"prompt_tokens": 5, "completion_tokens": 7}
    answer = reply(streamed, "hi", usage=None)
    bodies: Any = answer.chunks if streamed else [answer.body]
    last = {**bodies[-1], "choices": [{**bodies[-1]["choices"][0], "usage": usage}]}
    server.replies(answer.but(chunks=[*bodies[:-1], last]) if streamed else Reply(last))
    create(server, **({"stream": True} if streamed else {}))
    assert (recorded.attributes[semconv.INPUT_TOKENS], recorded.attributes[semconv.OUTPUT_TOKENS]) == (5, 7)


def test_predicted_tokens(server: ScriptedServer, recorded: Recorded) -> None:
    details = {"accepted_prediction_tokens": 3, "rejected_prediction_tokens": 0}
    usage = {"prompt_tokens": 1, "completion_tokens": 9, "completion_tokens_details": details}
    server.replies(completion("hi", usage=usage))
    create(server)
    assert recorded.attributes[semconv.ACCEPTED_PREDICTION_TOKENS] == 3
    assert semconv.REJECTED_PREDICTION_TOKENS not in recorded.attributes


def test_response_details(streamed: bool, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(reply(streamed, "hi", service_tier="flex", system_fingerprint="fp_1"))
    create(server, **({"stream": True} if streamed else {}))
    assert recorded.attributes[semconv.OPENAI_RESPONSE_SERVICE_TIER] == "flex"
    assert recorded.attributes[semconv.OPENAI_SYSTEM_FINGERPRINT] == "fp_1"
    assert recorded.record["metadata"]["api_response_time"] in (12, None)


@pytest.mark.parametrize(
    ("told", "kind", "code", "message"),
    [
        ({"message": "no credit", "code": 402, "type": "billing"}, "402", "402", "no credit"),
        ({"message": "no credit", "type": "billing"}, "billing", None, "no credit"),
        ("no such model", "_OTHER", None, "no such model"),
    ],
)
@pytest.mark.parametrize("path", ["chat.completions", "completions"])
def test_a_failure_that_comes_as_an_answer(
    path: str, told: Any, kind: str, code: str | None, message: str, server: ScriptedServer, recorded: Recorded
) -> None:
    """OpenRouter and others send an error as if all was well."""
    server.replies(Reply({"error": told}))
    with sync_client(server.url) as client:
        said: Any = BODY if path.startswith("chat") else {"model": "m", "prompt": "hi"}
        assert operator.attrgetter(path)(client).create(**said).error == told
    found = recorded.attributes
    assert recorded.span.status.status_code.name == "ERROR"
    assert (found[semconv.ERROR_TYPE], found.get(semconv.ERROR_CODE)) == (kind, code)
    assert (recorded.record["success"], recorded.record["status"]) == (False, "failed")
    assert recorded.record["error_message"] == message


def test_a_failure_in_a_stream_that_the_application_reads_itself(server: ScriptedServer, recorded: Recorded) -> None:
    chunks = [*(stream("one two").chunks or ())[:2], {"error": {"message": "overloaded", "code": "busy"}}]
    server.replies(stream().but(chunks=chunks))
    with (
        sync_client(server.url) as client,
        client.chat.completions.with_streaming_response.create(**BODY, stream=True) as response,
    ):
        assert any("overloaded" in line for line in response.iter_lines())
    assert recorded.attributes[semconv.ERROR_TYPE] == "busy"
    assert recorded.record["success"] is False


ODD_RESPONSES: dict[str, Any] = {
    "no choices": {"id": "x", "object": "chat.completion", "model": "m"},
    "choices null": {"id": "x", "choices": None},
    "usage null": {"id": "x", "choices": [{"message": {"role": "assistant", "content": "hi"}}], "usage": None},
    "message null": {"id": "x", "choices": [{"message": None, "finish_reason": None}]},
    "arguments an object": {
        "choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": {"a": [1]}}}]}}]
    },
    "function null": {"choices": [{"message": {"tool_calls": [{"function": None}]}}]},
}


@pytest.mark.parametrize(
    ("said", "kept"), [("12", 12), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("9" * 5000, None), ("-1", None)]
)
def test_a_servers_time_is_a_number_that_can_be_sent(
    said: str, kept: int | None, server: ScriptedServer, recorded: Recorded
) -> None:
    server.replies(completion("x").but(headers={"openai-processing-ms": said}))
    create(server)
    assert recorded.attributes.get(semconv.SERVER_TIME) == kept


@pytest.mark.parametrize("odd", [10**400, float("inf"), float("nan"), True, "0.5"], ids=lambda odd: repr(odd)[:9])
def test_a_temperature_that_is_no_number(odd: Any, server: ScriptedServer, recorded: Recorded) -> None:
    with contextlib.suppress(ValueError):  # openai 3 refuses to send infinity
        create(server, temperature=odd)
    assert semconv.REQUEST_TEMPERATURE not in recorded.attributes
    assert recorded.attributes[semconv.INPUT_MESSAGES]


@pytest.mark.parametrize("odd", [["user"], {"a": 1}, 7])
def test_roles_and_types_that_are_no_text(odd: Any, server: ScriptedServer, recorded: Recorded) -> None:
    message = {"role": odd, "content": [{"type": odd, "text": "x"}]}
    server.replies(Reply({"choices": [{"index": 0, "message": message}]}))
    create(server, messages=[message])
    for said in (sent(recorded), answered(recorded)):
        assert said[0]["role"] == said[0]["parts"][0]["type"] == str(odd)


@pytest.mark.parametrize("odd", ODD_RESPONSES)
def test_odd_responses(odd: str, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(completion("x").but(body=ODD_RESPONSES[odd]))
    create(server)
    assert recorded.span.status.status_code.name == "UNSET"


def test_a_body_that_is_no_json(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(completion("x").but(raw=b"<html>busy</html>", body=None, content_type="text/html"))
    create(server)
    assert recorded.span.status.status_code.name == "UNSET"
    assert recorded.record["response"] is None


def test_tokens_are_kept_when_the_answer_can_not_be_parsed(server: ScriptedServer, recorded: Recorded) -> None:
    from openai_ways import Answer, helper

    import openai

    server.replies(completion('{"text": "cut', finish_reason="length"))
    with sync_client(server.url) as client, pytest.raises(openai.LengthFinishReasonError):
        helper(client, "parse")(**BODY, response_format=Answer)
    # openai 1.40 parses after the call, which by then has succeeded
    if not openai.__version__.startswith("1.40."):
        assert recorded.attributes[semconv.ERROR_TYPE] == "openai.LengthFinishReasonError"
    assert recorded.attributes[semconv.INPUT_TOKENS] > 0
    assert recorded.record["response"] == '{"text": "cut'


@pytest.mark.usefixtures("forgiving")
def test_a_filter_that_fails_drops_the_content_and_says_what(server: ScriptedServer, tmp_path: Any) -> None:
    def failing(_: str) -> str:
        raise RuntimeError("no")

    recorded = Recorded(tmp_path / "records", content_filter=failing)
    create(server)
    found = recorded.attributes
    assert set(found[semconv.CONTENT_DROPPED]) >= {semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES}
    assert semconv.INPUT_MESSAGES not in found
    assert semconv.OUTPUT_MESSAGES not in found
    assert found[semconv.RESPONSE_MODEL] == "gpt-4o-mini-2024-07-18"
    assert recorded.record["metadata"]["content_dropped"]


def test_lone_surrogates_and_emoji_survive(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(
        stream(["\ud83d", "\ude00 好 \ud800"]).but(chunks=None, raw=SURROGATES, content_type="text/event-stream")
    )
    create(server, stream=True)
    assert answered(recorded)[0]["parts"][0]["content"] == "😀 好 �"
    assert recorded.record["response"] == "😀 好 �"


SURROGATES = b"".join(
    b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % piece
    for piece in (rb"\ud83d", rb"\ude00 \u597d ", rb"\ud800")
) + b"data: [DONE]\n\n"  # fmt: skip


PARTS: list[tuple[Any, dict[str, Any]]] = [
    ({"type": "text", "text": "hi"}, {"type": "text", "content": "hi"}),
    (
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
        {"type": "uri", "modality": "image", "uri": "https://x.example/a.png"},
    ),
    (
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "blob", "modality": "image", "content": "AAAA", "mime_type": "image/png"},
    ),
    (
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "blob", "modality": "audio", "content": "AAAA", "mime_type": "audio/wav"},
    ),
    ({"type": "file", "file": {"file_id": "f1"}}, {"type": "file", "modality": "document", "file_id": "f1"}),
    (
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
        {"type": "blob", "modality": "document", "content": "AAAA", "mime_type": "application/pdf", "name": "a.pdf"},
    ),
    ({"type": "refusal", "refusal": "no"}, {"type": "refusal", "content": "no"}),
    ({"type": "novel", "x": 1}, {"type": "novel", "x": 1}),
    ("just text", {"type": "text", "content": "just text"}),
]


@pytest.mark.parametrize(("given", "expected"), PARTS)
def test_content_parts(given: Any, expected: dict[str, Any]) -> None:
    found = chat.asked({"messages": [{"role": "user", "content": [given]}]})
    assert found[semconv.INPUT_MESSAGES] == [{"role": "user", "parts": [expected]}]


def test_an_answer_is_the_assistants_where_it_does_not_say_whose_it_is() -> None:
    message = {"role": None, "content": "Hi", "refusal": None, "tool_calls": [], "annotations": []}
    found = chat.answered({"choices": [{"message": message, "finish_reason": "stop"}]})
    said = {"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "stop"}
    assert found[semconv.OUTPUT_MESSAGES] == [said]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"n": 2}, {semconv.REQUEST_CHOICE_COUNT: 2}),
        ({"n": 1}, {}),
        ({"n": "2"}, {}),
        ({"service_tier": "flex"}, {semconv.OPENAI_REQUEST_SERVICE_TIER: "flex"}),
        ({"service_tier": "auto"}, {}),
        ({"response_format": {"type": "json_schema"}}, {semconv.OUTPUT_TYPE: "json"}),
        ({"response_format": {"type": "novel"}}, {}),
        ({"response_format": {"type": "text"}, "modalities": ["text", "audio"]}, {semconv.OUTPUT_TYPE: "speech"}),
        ({"modalities": ["text"]}, {}),
    ],
)
def test_what_says_more_than_its_attribute_stays_among_the_parameters(
    sent: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert chat.request(sent) == expected | {semconv.OPENAI_API_TYPE: "chat_completions"}
    assert chat.asked(sent)[semconv.REQUEST_PARAMETERS] == sent


@pytest.mark.parametrize("messages", [None, "hi", 7, [None], ["x"], [[]], {"role": "user"}])
def test_messages_of_any_shape(messages: Any) -> None:
    assert chat.asked({"messages": messages})[semconv.INPUT_MESSAGES] == []


def test_legacy_functions() -> None:
    call = {"name": "f", "arguments": "{}"}
    found = chat.asked(
        {
            "functions": [{"name": "f", "parameters": {}}],
            "messages": [
                {"role": "assistant", "function_call": call},
                {"role": "function", "name": "f", "content": "done"},
            ],
        }
    )
    assert found[semconv.TOOL_DEFINITIONS] == [{"type": "function", "name": "f", "parameters": {}}]
    assert found[semconv.INPUT_MESSAGES][0]["parts"][0]["name"] == "f"
    assert found[semconv.INPUT_MESSAGES][1]["parts"][0]["response"] == "done"
