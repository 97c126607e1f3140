"""What a model run says: with a library beneath that knows more, and without."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableParallel
from langchain_things import ASKED, Fake, add, chain, chat, named

from recorded import Recorded
from spantape.testing import ScriptedServer, completion

PICTURE = "data:image/png;base64,aGVsbG8="


def sent(recorded: Recorded) -> list[Any]:
    return json.loads(recorded.attributes["gen_ai.input.messages"])


def received(recorded: Recorded) -> list[Any]:
    return json.loads(recorded.attributes["gen_ai.output.messages"])


def test_all_that_langchain_knows(recorded: Recorded) -> None:
    answer = {
        "content": "Hi",
        "usage_metadata": {
            "input_tokens": 10,
            "output_tokens": 8,
            "total_tokens": 18,
            "input_token_details": {"cache_read": 4, "cache_creation": 2, "audio": 1},
            "output_token_details": {"reasoning": 3, "audio": 1},
        },
        "response_metadata": {"model_name": "fake-1-2026", "stop_reason": "end_turn", "id": "msg_1"},
    }
    Fake(answers=[answer]).invoke("Who?", stop=["."])
    assert (
        recorded.attributes.items()
        >= {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "fake-1",
            "gen_ai.response.model": "fake-1-2026",
            "gen_ai.response.id": "msg_1",
            "gen_ai.response.finish_reasons": ("end_turn",),
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.stop_sequences": (".",),
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 8,
            "gen_ai.usage.cache_read.input_tokens": 4,
            "gen_ai.usage.cache_write.input_tokens": 2,
            "gen_ai.usage.audio.input_tokens": 1,
            "gen_ai.usage.reasoning.output_tokens": 3,
            "gen_ai.usage.audio.output_tokens": 1,
        }.items()
    )
    assert recorded.span.kind.name == "CLIENT"
    assert recorded.record["source"]["function"].endswith("test_all_that_langchain_knows")
    assert recorded.record["source"]["file"] == __file__


def test_messages_of_every_kind(recorded: Recorded) -> None:
    calls = [{"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}]
    Fake().invoke([
        SystemMessage("Be kind."),
        HumanMessage([
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": PICTURE}},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            {"type": "input_audio", "input_audio": {"data": "aGVsbG8=", "format": "wav"}},
        ], name="ada"),
        AIMessage("", tool_calls=calls, additional_kwargs={"reasoning_content": "hm"}),
        ToolMessage("3", tool_call_id="c1"),
        AIMessage([{"type": "thinking", "thinking": "so"}, {"type": "text", "text": "It is 3."}]),
        ChatMessage("And?", role="judge"),
    ])  # fmt: skip
    digest = {"size": 5, "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}
    assert sent(recorded) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be kind."}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "Look"},
                {"type": "blob", "modality": "image", "mime_type": "image/png", **digest},
                {"type": "uri", "modality": "image", "uri": "https://example.org/a.png"},
                {"type": "blob", "modality": "audio", "mime_type": "audio/wav", **digest},
            ],
            "name": "ada",
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "hm"},
                {"type": "tool_call", "id": "c1", "name": "add", "arguments": {"a": 1}},
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "3"}]},
        {
            "role": "assistant",
            "parts": [{"type": "reasoning", "content": "so"}, {"type": "text", "content": "It is 3."}],
        },
        {"role": "judge", "parts": [{"type": "text", "content": "And?"}]},
    ]
    assert received(recorded) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}], "finish_reason": "stop"}
    ]


def test_what_stands_beside_a_message(recorded: Recorded) -> None:
    wrong = {"name": "add", "args": "{a", "id": "c1", "error": "no JSON", "type": "invalid_tool_call"}
    beside = {"refusal": "no", "function_call": {"name": "add", "arguments": '{"a": 1}'}}
    Fake().invoke([AIMessage("", invalid_tool_calls=[wrong], additional_kwargs=beside)])
    assert sent(recorded)[0]["parts"] == [
        {"type": "refusal", "content": "no"},
        {"type": "tool_call", "id": "c1", "name": "add", "arguments": "{a"},
        {"type": "tool_call", "id": None, "name": "add", "arguments": {"a": 1}},
    ]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ("plain", {"type": "text", "content": "plain"}),
        ({"type": "reasoning", "summary": [{"text": "a"}, {"text": "b"}]}, {"type": "reasoning", "content": "a\nb"}),
        ({"type": "refusal", "refusal": "no"}, {"type": "refusal", "content": "no"}),
        ({"type": "file", "file_id": "f1"}, {"type": "file", "modality": "document", "file_id": "f1"}),
        ({"type": "image", "url": "https://x/a"}, {"type": "uri", "modality": "image", "uri": "https://x/a"}),
        ({"type": "odd", "a": 1}, {"type": "generic", "generic_type": "odd", "a": 1}),
    ],
)
def test_blocks_of_content(block: Any, part: Any, recorded: Recorded) -> None:
    Fake().invoke([AIMessage([block])])
    assert sent(recorded)[0]["parts"] == [part]


def test_tools_that_a_model_is_given(recorded: Recorded) -> None:
    Fake().bind_tools([add]).invoke("x")
    assert json.loads(recorded.attributes["gen_ai.tool.definitions"]) == [{"type": "function", "name": "add"}]


def test_functions_that_a_model_is_given(recorded: Recorded) -> None:
    Fake().bind(functions=[{"name": "add"}]).invoke("x")
    assert json.loads(recorded.attributes["gen_ai.tool.definitions"]) == [{"type": "function", "name": "add"}]


def test_a_text_model(recorded: Recorded) -> None:
    FakeListLLM(responses=["Hello"]).invoke("Say hello")
    assert recorded.attributes["gen_ai.operation.name"] == "text_completion"
    assert recorded.record["prompt"] == "Say hello"
    assert recorded.record["response"] == "Hello"


def test_a_text_model_over_openai(server: ScriptedServer, recorded: Recorded) -> None:
    from langchain_openai import OpenAI

    OpenAI(base_url=server.url, api_key="k", model="gpt-3.5-turbo-instruct").invoke("Say hello")
    assert recorded.record["operation"] == "text_completion"
    assert recorded.record["request_id"] == "req_1"


def test_responses_api(server: ScriptedServer, recorded: Recorded) -> None:
    if "use_responses_api" not in type(chat(server)).model_fields:
        pytest.skip("this langchain-openai can't")
    chain(chat(server, use_responses_api=True)).invoke(ASKED)
    assert recorded.record["operation"] == "chat"
    assert named(recorded.spans, "chat").attributes["openai.api.type"] == "responses"


def test_structured_output(server: ScriptedServer, recorded: Recorded) -> None:
    from pydantic import BaseModel

    class Answer(BaseModel):
        value: int

    server.replies(completion('{"value": 3}'))
    chat(server).with_structured_output(Answer, method="json_mode").invoke("json: 1+2?")
    assert named(recorded.spans, "chat").attributes["gen_ai.output.type"] == "json"
    assert recorded.record["response"] == '{"value": 3}'


def test_what_was_sent_counts_not_what_was_meant(server: ScriptedServer, recorded: Recorded) -> None:
    model = chat(server, temperature=0.2, max_tokens=50, seed=4, model_kwargs={"user": "ada"})
    chain(model.bind(temperature=0.9)).invoke(ASKED)
    found = named(recorded.spans, "chat").attributes
    assert found["gen_ai.request.temperature"] == 0.9
    assert found["gen_ai.request.seed"] == 4
    assert json.loads(found["spantape.request.parameters"])["user"] == "ada"
    assert recorded.record["request"]["max_tokens"] == 50


def test_secrets_among_the_parameters_stay_away(recorded: Recorded) -> None:
    Fake().bind(api_key="sk-secret", extra_headers={"Authorization": "Bearer x"}, mode="fast").invoke("x")
    assert json.loads(recorded.attributes["spantape.request.parameters"]) == {"mode": "fast"}
    assert "sk-secret" not in str(recorded.attributes)


@pytest.mark.parametrize("beneath", ["openai", "nothing"])
def test_a_cache_hit_costs_nothing_and_says_so(beneath: str, server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(completion("Hello"))
    model = chat(server, cache=InMemoryCache()) if beneath == "openai" else Fake(cache=InMemoryCache())
    for _ in range(2):
        model.invoke("Who?")
    first, second = recorded.records
    assert "cache_hit" not in first["metadata"]
    assert first["usage"]
    assert second["metadata"]["cache_hit"] is True
    assert second["response"] == "Hello"
    assert second["usage"] is None
    assert second["cost"] is None


def test_prompts(recorded: Recorded) -> None:
    prompt = ChatPromptTemplate.from_messages([("user", "{question} {number}")]).with_config(run_name="ask")
    (prompt | Fake()).invoke({"question": "Who?", "number": 3})
    found = named(recorded.spans, "chat").attributes
    assert found["gen_ai.prompt.name"] == "ask"
    assert found["gen_ai.prompt.variable.question"] == "Who?"
    assert "gen_ai.prompt.variable.number" not in found


def test_a_prompt_of_the_hub(recorded: Recorded) -> None:
    prompt = ChatPromptTemplate.from_messages([("user", "{question}")])
    prompt.metadata = {"lc_hub_repo": "greeting", "lc_hub_commit_hash": "1a2b"}
    (prompt | Fake()).invoke({"question": "Who?"})
    found = named(recorded.spans, "chat").attributes
    assert (found["gen_ai.prompt.name"], found["gen_ai.prompt.version"]) == ("greeting", "1a2b")


@pytest.mark.parametrize(
    ("around", "way"), [("fallbacks", "invoke"), ("fallbacks", "stream"), ("retry", "invoke"), ("steps", "invoke")]
)
def test_prompts_of_a_model_with_something_around(around: str, way: str, recorded: Recorded) -> None:
    fails = Fake(answers=[ValueError("no")])
    model: Any = {
        "fallbacks": fails.with_fallbacks([Fake()]),
        "retry": Fake(answers=[ValueError("no"), "yes"]).with_retry(wait_exponential_jitter=False),
        "steps": RunnableParallel(a=fails.with_fallbacks([Fake()])),
    }[around]
    made = ChatPromptTemplate.from_messages([("user", "{question}")]) | model
    made.invoke({"question": "Who?"}) if way == "invoke" else list(made.stream({"question": "Who?"}))
    found = [span.attributes for span in recorded.spans if span.name == "chat fake-1"]
    assert [one.get("gen_ai.prompt.variable.question") for one in found] == ["Who?", "Who?"]


def test_a_deployment_that_only_the_address_names(server: ScriptedServer, recorded: Recorded) -> None:
    from langchain_openai import AzureChatOpenAI

    model: Any = AzureChatOpenAI
    model(
        azure_endpoint=server.url.removesuffix("/v1"), api_key="k", api_version="2024-06-01", azure_deployment="ours"
    ).invoke("x")
    assert recorded.span.name == "chat ours"
    assert recorded.record["model"] == "ours"
    assert recorded.record["request_id"] == "req_1"


def test_time_to_the_first_chunk(recorded: Recorded) -> None:
    list(Fake().stream("x"))
    took = (recorded.span.end_time - recorded.span.start_time) / 1e9
    assert 0 < recorded.attributes["gen_ai.response.time_to_first_chunk"] <= took + 0.1
    assert recorded.attributes["gen_ai.request.stream"] is True
    assert recorded.attributes["spantape.stream.end"] == "completed"
    assert recorded.attributes["spantape.stream.chunks"] >= 5


def test_two_choices(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(completion("Hello", n=2))
    chat(server, n=2).generate([[HumanMessage("x")]])
    assert recorded.attributes["gen_ai.response.finish_reasons"] == ("stop", "stop")
    assert recorded.attributes["gen_ai.request.choice.count"] == 2
