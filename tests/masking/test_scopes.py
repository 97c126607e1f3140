"""Of some calls less is recorded: by session, provider, model, role and sink; of every call nowhere the API key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from outputs import Outputs, listening

import openai
import spantape
from recorded import Recorded
from spantape.testing import ScriptedServer, completion, error, stream

SAID = "a very private matter"
KEY = "custom_0123456789.abcDEF"
"""As some compatible servers give them: no pattern knows it."""

Ask = Callable[..., Any]


def asking(server: ScriptedServer, **options: Any) -> Any:
    http = openai.DefaultHttpxClient(verify=False)
    return openai.OpenAI(**{"base_url": server.url, "api_key": "test", "http_client": http, "max_retries": 0} | options)


@pytest.fixture
def ask(server: ScriptedServer) -> Iterator[Ask]:
    with asking(server) as client:

        def create(content: Any = SAID, **more: Any) -> Any:
            body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}]} | more
            return client.chat.completions.create(**body)

        yield create


@pytest.fixture
def outputs(tmp_path: Path) -> Iterator[Outputs]:
    with listening(tmp_path / "records") as outputs:
        yield outputs


# --- by session and call


def test_a_session_whose_content_is_not_kept(outputs: Outputs, ask: Ask, server: ScriptedServer) -> None:
    server.replies(completion(SAID), stream(SAID), error(400, SAID))
    with spantape.session("5", capture="metadata", task="ask"):
        ask()
        list(ask(stream=True))
        with pytest.raises(openai.BadRequestError):
            ask()
    assert outputs.has_told(SAID) == set()
    assert [record["session_id"] for record in outputs.records] == ["5"] * 3
    assert outputs.records[0]["usage"]["output_tokens"] > 0
    assert outputs.records[0]["metadata"]["task"] == "ask"
    ask()
    assert outputs.has_told(SAID) == {"files", "OTLP", "spans", "events"}


def test_a_session_that_is_not_recorded(outputs: Outputs, ask: Ask) -> None:
    with spantape.session("5", capture="none"):
        assert SAID in ask().choices[0].message.content
        list(ask(stream=True))
    assert outputs.records == []
    assert outputs.spans == []
    assert "gen_ai" not in "".join(outputs.told().values())


def test_what_is_told_by_hand_is_not_recorded_either(outputs: Outputs) -> None:
    with spantape.session("5", capture="none"):
        with spantape.call(model="m", messages=[{"role": "user", "content": SAID}]) as call:
            call.finish(SAID)
        assert call.id is None
        assert spantape.record_llm_interaction(session_id=5, prompt=SAID, response=SAID) is None
        assert spantape.finalize("what nobody knows", message_id=1) is None
    assert outputs.records == []
    assert outputs.spans == []


@pytest.mark.parametrize(("word", "count"), [("none", 0), ("metadata", 1)])
def test_a_call_told_by_hand_may_say_how_much_is_kept(word: str, count: int, outputs: Outputs) -> None:
    spantape.call(model="m", messages=SAID, capture=word).finish(SAID)
    spantape.finish_call(spantape.start_call(model="m", messages=SAID, capture=word), SAID)
    spantape.record_llm_interaction(prompt=SAID, response=SAID, capture=word)
    assert len(outputs.records) == 3 * count
    assert outputs.has_told(SAID) == set()


def test_what_is_learned_later_of_a_call_that_is_not_recorded_is_no_mistake(
    server: ScriptedServer, outputs: Outputs
) -> None:
    server.replies(completion("hello", id="chatcmpl-of-a-secret-call"))
    with spantape.session(capture="none"), asking(server) as client:
        response = client.chat.completions.create(model="m", messages=[{"role": "user", "content": SAID}])
        call = spantape.call(model="m", messages=SAID)
    for told in (response, response.id, call.id):
        assert spantape.finalize(told, message_id=1) is None
    assert "finalize() knows no call" in outputs.told()["logs"]
    assert outputs.records == outputs.spans == []


def test_a_stream_goes_by_the_session_that_it_was_asked_for_in(outputs: Outputs, ask: Ask) -> None:
    with spantape.session(capture="metadata"):
        chunks = ask(stream=True)
    list(chunks)
    assert outputs.has_told(SAID) == set()


@pytest.mark.parametrize("order", [("metadata", "full"), ("full", "metadata"), ("metadata", "metadata")])
def test_the_stricter_session_counts(order: tuple[str, str], outputs: Outputs, ask: Ask) -> None:
    with spantape.session(capture=order[0]), spantape.session(capture=order[1]):
        ask()
    assert outputs.has_told(SAID) == set()
    assert len(outputs.records) == 1


@pytest.mark.parametrize("order", [("none", "full"), ("none", "metadata"), ("metadata", "none")])
def test_no_session_can_bring_back_a_call(order: tuple[str, str], outputs: Outputs, ask: Ask) -> None:
    with spantape.session(capture=order[0]), spantape.session(capture=order[1]):
        ask()
    assert outputs.records == []


@pytest.mark.parametrize("wrong", ["ful", "", None, 3, []])
def test_a_word_that_is_none_keeps_no_content_and_is_told(wrong: Any, outputs: Outputs, ask: Ask) -> None:
    with spantape.session(capture=wrong):
        ask()
    assert outputs.has_told(SAID) == set()
    assert "give none, metadata or full" in outputs.told()["logs"]


def test_calls_at_the_same_time_go_each_by_its_own_session(
    server: ScriptedServer, outputs: Outputs, recwarn: pytest.WarningsRecorder
) -> None:
    async def main() -> None:
        http = openai.DefaultAsyncHttpxClient(verify=False)
        async with openai.AsyncOpenAI(base_url=server.url, api_key="test", http_client=http) as client:

            async def one(word: str) -> None:
                with spantape.session(word, capture=word):
                    await client.chat.completions.create(
                        model="gpt-4o-mini", messages=[{"role": "user", "content": f"{SAID} {word}"}]
                    )

            await asyncio.gather(*map(one, ["full", "metadata", "none"] * 3))

    asyncio.run(main())
    assert sorted(record["session_id"] for record in outputs.records) == ["full"] * 3 + ["metadata"] * 3
    assert outputs.has_told(f"{SAID} metadata", f"{SAID} none") == set()
    assert len([record for record in outputs.records if record["prompt"]]) == 3


# --- by provider, model and role


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ("gpt-4o-mini", False),
        ("GPT-4O*", False),
        ("127.0.0.1", False),
        ("deepseek,gpt-*", False),
        ("gpt-4o", True),
        ("deepseek", True),
    ],
)
def test_content_is_not_kept_of_some(names: str, kept: bool, ask: Ask, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", without_content_of=names)
    ask()
    assert (recorded.record["prompt"] is not None) is kept
    assert recorded.record["model"] == "gpt-4o-mini"


def test_a_session_may_keep_less_than_is_kept_of_a_model(ask: Ask, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", without_content_of="deepseek")
    with spantape.session(capture="metadata"):
        ask()
    assert recorded.record["prompt"] is None


def test_roles_whose_words_are_not_kept(tmp_path: Path, ask: Ask) -> None:
    with listening(tmp_path / "records", without_roles="system,tool") as outputs:
        ask(
            messages=[
                {"role": "system", "content": f"{SAID} 1"},
                {"role": "developer", "content": f"{SAID} 2"},
                {"role": "user", "content": "hello"},
                {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "1", "content": f"{SAID} 3"},
            ]
        )
        assert outputs.has_told(SAID) == set()
        messages = outputs.record["messages"]
        assert [message["role"] for message in messages] == ["system", "developer", "user", "assistant", "tool"]
        assert messages[0]["parts"] == []
        assert messages[2]["parts"] == [{"type": "text", "content": "hello"}]
        assert outputs.record["response"]


@pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason="this version of the client has no responses")
def test_instructions_are_the_systems_words(tmp_path: Path, server: ScriptedServer) -> None:
    with listening(tmp_path / "records", without_roles=["system"]) as outputs, asking(server) as client:
        client.responses.create(model="gpt-4o-mini", instructions=SAID, input="hello")
        assert outputs.has_told(SAID) == set()
        assert "hello" in outputs.record["prompt"]


# --- by sink


def test_files_without_content(tmp_path: Path, ask: Ask) -> None:
    with listening(tmp_path / "records", file_content=False) as outputs:
        with spantape.session("5"):
            ask()
            chunks = ask(stream=True)
            next(chunks)
            assert spantape.flush()
            live = (outputs.base_dir / "real_time" / "latest.json").read_text("utf-8")
            list(chunks)
        assert "started" in live
        assert SAID not in live
        assert outputs.has_told(SAID) == {"OTLP", "spans", "events"}
        assert outputs.records[0]["usage"]["output_tokens"] > 0


def test_files_without_content_of_an_error(tmp_path: Path, ask: Ask, server: ScriptedServer) -> None:
    with listening(tmp_path / "records", file_content=False) as outputs:
        server.replies(error(400, SAID))
        with pytest.raises(openai.BadRequestError):
            ask()
        assert outputs.has_told(SAID) == {"OTLP", "spans", "events"}
        assert outputs.record["error"]["status_code"] == 400


def test_other_files_without_content(tmp_path: Path, ask: Ask, server: ScriptedServer) -> None:
    log = tmp_path / "log"
    with listening(tmp_path / "records", file_content=False, traces=True, jsonl=True, jsonl_path=log) as outputs:
        ask()
        server.replies(error(400, SAID))
        with pytest.raises(openai.BadRequestError):
            ask()
        assert spantape.flush()
        (traces,) = (outputs.base_dir / "traces").glob("*.jsonl")
        for file in (traces, log):
            assert file.read_text("utf-8").count("gpt-4o-mini") >= 2
            assert SAID not in file.read_text("utf-8")


def test_otlp_without_content(tmp_path: Path, ask: Ask) -> None:
    with listening(tmp_path / "records", otlp_content=False) as outputs:
        ask()
        assert outputs.has_told(SAID) == {"files", "spans", "events"}


def test_an_exporter_of_ones_own_asks_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    from spantape.settings import Settings
    from spantape.sinks.files import FileSpanExporter

    recorded = Recorded(tmp_path / "records", files=False)
    ask()
    monkeypatch.setenv("SPANTAPE_FILE_CONTENT", "false")
    for folder, settings in {"a": None, "b": Settings(file_content=True)}.items():
        FileSpanExporter(tmp_path / folder, settings).export(recorded.spans)
    texts = [(next((tmp_path / folder / "by_date").iterdir())).read_text("utf-8") for folder in "ab"]
    assert [SAID in text for text in texts] == [False, True]


# --- the request's key, and headers


@pytest.mark.parametrize("mask", [None, True, False])
def test_the_key_is_nowhere(mask: Any, tmp_path: Path, server: ScriptedServer) -> None:
    server.replies(
        error(401, f"Incorrect API key provided: {KEY}. See the console."),
        completion(f"your key is {KEY}"),
        stream([*f"your key is {KEY}"]),
    )
    with listening(tmp_path / "records", mask=mask) as outputs, asking(server, api_key=KEY) as client:
        body: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"is it {KEY}?"}]}
        with spantape.session(f"{KEY}-1", note=KEY), pytest.raises(openai.AuthenticationError, match=KEY):
            client.chat.completions.create(**body, user=KEY)
        client.chat.completions.create(**body)
        list(client.chat.completions.create(**body, stream=True))
        assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
        assert len(outputs.records) == 3
        assert outputs.has_told(KEY) == set()
        assert outputs.records[0]["error_message"].count("provided: ***.") == 1
        assert outputs.records[1]["response"] == outputs.records[2]["response"] == "your key is ***"


def test_the_key_in_a_requests_own_headers_is_nowhere(outputs: Outputs, server: ScriptedServer) -> None:
    server.replies(error(401, f"bad key {KEY}"))
    with asking(server, api_key="another-0123456789") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "hi"}],
            extra_headers={"Authorization": f"Bearer {KEY}"},
        )
    assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert outputs.has_told(KEY) == set()
    assert len(outputs.records) == 1


def test_the_key_of_azure_is_nowhere(outputs: Outputs, server: ScriptedServer) -> None:
    server.replies(error(401, f"bad key {KEY}"))
    http = openai.DefaultHttpxClient(verify=False)
    with (
        openai.AzureOpenAI(
            base_url=server.url, api_key=KEY, api_version="2024-10-21", http_client=http, max_retries=0
        ) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": KEY}])
    assert outputs.has_told(KEY) == set()
    assert len(outputs.records) == 1


OTHER = "other_9876543210.ZYXabc"


def azure(server: ScriptedServer, **options: Any) -> Any:
    return openai.AzureOpenAI(base_url=server.url, api_version="2024-10-21", max_retries=0, **options)


@pytest.mark.parametrize(
    "client",
    [
        lambda server: asking(server, api_key="not-needed", default_headers={"Authorization": f"Bearer {KEY}"}),
        lambda server: asking(server, api_key=OTHER, default_headers={"Ocp-Apim-Subscription-Key": KEY}),
        lambda server: asking(server, api_key=OTHER).with_options(default_headers={"x-api-key": KEY}),
        lambda server: azure(server, azure_ad_token=KEY),
        lambda server: azure(server, azure_ad_token_provider=lambda: KEY),
    ],
    ids=["instead of the key", "of a gateway", "of a copy", "of Azure's directory", "fetched for the request"],
)
def test_a_key_that_is_sent_in_another_way_is_nowhere(client: Any, tmp_path: Path, server: ScriptedServer) -> None:
    server.replies(error(401, f"bad key {KEY}, not {OTHER}"))
    with (
        listening(tmp_path / "records", mask=False) as outputs,
        client(server) as asked,
        pytest.raises(openai.AuthenticationError, match=KEY),
    ):
        asked.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
        assert KEY in str(server.requests[-1].headers)
    assert len(outputs.records) == 1
    assert outputs.has_told(KEY) == set()


def test_the_key_is_nowhere_around_the_call_either(outputs: Outputs, server: ScriptedServer) -> None:
    key = "around_0123456789.abcDEF"
    server.replies(completion("hello"), error(401, f"bad key {key}"))
    asked: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    with (
        asking(server, api_key=key) as client,
        pytest.raises(openai.AuthenticationError),
        spantape.call(operation="invoke_agent"),
    ):
        spantape.finalize(client.chat.completions.create(**asked), note=key)
        client.chat.completions.create(**asked)
    assert len(outputs.records) == 3
    assert outputs.has_told(key) == set()


def test_the_key_is_nowhere_in_a_chain_around_the_call(outputs: Outputs, server: ScriptedServer) -> None:
    from langchain_core.runnables import RunnableLambda

    key = "chained_0123456789.abcDEF"
    server.replies(error(401, f"bad key {key}"))
    asked: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    with asking(server, api_key=key) as client, pytest.raises(openai.AuthenticationError):
        step = RunnableLambda(lambda _: client.chat.completions.create(**asked))
        (step | RunnableLambda(str)).invoke({})
    assert ["bad key ***" in span.status.description for span in outputs.spans] == [True] * 3
    assert outputs.has_told(key) == set()


def test_the_key_of_a_call_told_by_hand_is_nowhere(outputs: Outputs) -> None:
    key = "by-hand_0123456789"
    with spantape.call(model="m", messages="hi", api_key=key, base_url="https://example.org") as call:
        call.fail(f"bad key {key}")
    assert outputs.record["request"]["base_url"] == "https://example.org"
    assert outputs.has_told(key, "api_key") == set()


def test_many_keys_are_not_kept_for_ever() -> None:
    from spantape.instrumentors import _keys

    for number in range(100):
        assert _keys.used(f"key-{number:08}", "a-second-1")[0] == f"key-{number:08}"
    assert len(_keys.in_use()) < 20


def test_keys_among_the_parameters_are_nowhere(tmp_path: Path, server: ScriptedServer) -> None:
    source = {"endpoint": "https://example.org", "authentication": {"type": "api_key", "key": KEY}}
    sent: Any = {"api_key": KEY, "prompt_cache_key": "c1", "max_tokens": 5, "data_sources": [{"parameters": source}]}
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"password": {"type": "string"}}}}
    with listening(tmp_path / "records", mask=False) as outputs, asking(server, api_key="not-needed") as client:
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], extra_body=sent | {"response_format": schema}
        )
        assert server.requests[-1].body["api_key"] == KEY
        assert outputs.has_told(KEY) == set()
        request = outputs.record["request"]
        assert (request["api_key"], request["prompt_cache_key"]) == ("***", "c1")
        assert request["data_sources"][0]["parameters"]["endpoint"] == "https://example.org"
        assert request["response_format"] == schema


@pytest.mark.parametrize("word", ["test", "EMPTY", "not-needed", "lm-studio", "sk-x"])
def test_a_placeholder_is_no_key(word: str, outputs: Outputs, server: ScriptedServer) -> None:
    with asking(server, api_key=word) as client:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": f"a {word} of it"}])
    assert outputs.record["prompt"] == f"a {word} of it"


def test_headers_are_not_recorded_but_for_those_named(outputs: Outputs, server: ScriptedServer) -> None:
    sent, got = "sent-0123456789", "got-0123456789"
    server.replies(completion("hello").but(headers={"x-request-id": "req_1", "set-cookie": got, "x-internal": got}))
    with asking(server, default_headers={"x-tenant": sent, "cookie": sent}, organization=f"org-{sent}") as client:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert server.requests[-1].headers["x-tenant"] == sent
    assert outputs.record["request_id"] == "req_1"
    assert outputs.has_told(sent, got) == set()


def test_headers_that_are_named_are_recorded(tmp_path: Path, server: ScriptedServer) -> None:
    limits = {"x-ratelimit-remaining-requests": "9", "x-ratelimit-remaining-tokens": "99", "set-cookie": "private-1"}
    server.replies(completion("hello").but(headers=limits), error(429, "slow down").but(headers=limits))
    names = "X-Tenant, x-ratelimit-*, authorization, *cookie*, x-trace-token, x-api-key"
    sent = {
        "X-Tenant": "+8613812345678",
        "x-trace-token": "t1",
        "x-ratelimit-token": "private-4",
        "cookie": "private-2",
        "x-internal": "private-3",
    }
    settings: Any = {"capture_headers": names, "mask": True, "capture_content": False}
    with listening(tmp_path / "records", **settings) as outputs:
        with asking(server, api_key=KEY, default_headers={**sent, "x-api-key": OTHER}) as client:
            body: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
            client.chat.completions.create(**body)
            with pytest.raises(openai.RateLimitError):
                client.chat.completions.create(**body)
        for record in outputs.records:
            assert record["metadata"]["request_headers"] == {"x-tenant": "+86138****5678", "x-trace-token": "t1"}
            assert record["metadata"]["response_headers"] == {
                "x-ratelimit-remaining-requests": "9",
                "x-ratelimit-remaining-tokens": "99",
            }
        assert outputs.spans[0].attributes["http.request.header.x-tenant"] == ("+86138****5678",)
        assert outputs.has_told("private-", KEY, OTHER) == set()
