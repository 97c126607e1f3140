"""The completion hook: calls that the official packages tell become records of ours."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

import spantape
import spantape.completion as completion_module
from programs import run
from spantape.completion import CompletionHook
from spantape.testing import ScriptedServer, completion, error, stream

USAGE = {"stream": True, "stream_options": {"include_usage": True}}


@dataclass
class Part:
    """Stands for those of util-genai, whose names change with every version."""

    content: Any
    type: str = "text"
    modality: str | None = None
    mime_type: str | None = None


@dataclass
class Message:
    role: str
    parts: list[Any]
    name: str | None = None


@dataclass
class Output:
    role: str
    parts: list[Any]
    finish_reason: str = "stop"


@dataclass
class Tool:
    name: str
    parameters: Any = None
    description: str | None = None
    type: str = "function"


@dataclass
class Event:
    attributes: dict[str, Any] = field(default_factory=dict)


CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
INPUTS = [Message("user", [Part("你好")])]
OUTPUTS = [Output("assistant", [Part("好!")])]


class Told:
    """A hook that is called as an official instrumentation does it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.hook = CompletionHook(base_dir=folder, **settings)
        self.provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)

    def span(self, scope: str = "opentelemetry.instrumentation.genai.openai", **attributes: Any) -> Any:
        return self.provider.get_tracer(scope).start_span("chat gpt-4o-mini", attributes=CHAT | attributes)

    def call(self, **handed: Any) -> None:
        said: dict[str, Any] = {"inputs": INPUTS, "outputs": OUTPUTS, "system_instruction": []}
        self.hook.on_completion(**(said | {"span": self.span()} | handed))

    @property
    def records(self) -> list[dict[str, Any]]:
        assert spantape.flush()
        return spantape.recordings(self.folder).get_latest_interactions()

    @property
    def record(self) -> dict[str, Any]:
        (record,) = self.records
        return record


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """A hook stays until the process ends; the next test has none."""
    yield
    while completion_module._files:
        completion_module._files.popitem()[1].shutdown()


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "told")


def test_a_record_has_what_the_span_and_the_messages_tell(told: Told) -> None:
    span = told.span(**{"server.address": "api.openai.com", "gen_ai.response.finish_reasons": ["stop"]})
    with spantape.session("5", user_id="ada", topic="first", ticket=7):
        told.call(span=span, system_instruction=[Part("be kind")], tool_definitions=[Tool("look", {"type": "object"})])
    record, context = told.record, span.get_span_context()
    assert (record["trace_id"], record["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert (record["operation"], record["provider"], record["model"]) == ("chat", "openai", "gpt-4o-mini")
    assert (record["prompt"], record["response"]) == ("system: be kind\n\nuser: 你好", "好!")
    assert record["messages"][1] == {"role": "user", "parts": [{"content": "你好", "type": "text"}]}
    assert record["request"]["tools"] == [{"name": "look", "parameters": {"type": "object"}, "type": "function"}]
    assert (record["session_id"], record["user_id"]) == ("5", "ada")
    assert record["metadata"] == {"stage": "completed", "session_topic": "first", "ticket": 7}
    assert record["usage"] == {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
    assert record["cost"]["total"] == pytest.approx(0.00021)
    assert (record["success"], record["finish_reasons"], record["source"]) == (True, ["stop"], {"service": "shop"})
    assert record["timing"]["duration_ms"] >= 0
    assert list(told.folder.glob("by_session/session_5/*.json"))


def test_the_official_content_attributes_are_none_of_ours(told: Told) -> None:
    """They have not passed our content policy."""
    secret = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "secret"}]}])
    told.call(span=told.span(**{"gen_ai.input.messages": secret, "gen_ai.system_instructions": secret}), inputs=[])
    assert told.record["messages"] is None
    assert "secret" not in json.dumps(told.record)


def test_masking_and_scopes_hold_for_what_is_told(tmp_path: Path) -> None:
    told = Told(tmp_path / "told", mask=True, without_content_of="deepseek")
    inputs = [Message("user", [Part("我是13812345678")])]
    told.call(inputs=inputs)
    assert told.record["prompt"] == "user: 我是138****5678" or told.record["prompt"] == "我是138****5678"
    with spantape.session(capture="none"):
        told.call(inputs=inputs)
    with spantape.session("5", capture="metadata"):
        told.call(inputs=inputs)
    told.call(inputs=inputs, span=told.span(**{"gen_ai.provider.name": "deepseek"}))
    assert [record["prompt"] is None for record in told.records] == [True, True, False]


def test_content_follows_our_settings(tmp_path: Path) -> None:
    quiet = Told(tmp_path / "quiet", capture_content=False)
    quiet.call(tool_definitions=[Tool("look")])
    assert (quiet.record["prompt"], quiet.record["response"]) == (None, None)
    assert quiet.record["usage"]["total_tokens"] == 1100
    masked = Told(tmp_path / "masked", content_filter=lambda text: text.replace("你", "*"), max_content_chars=1)
    masked.call()
    assert masked.record["messages"] == [
        {"role": "user", "parts": [{"content": "*", "type": "text", "truncated": True, "original_length": 2}]}
    ]


@pytest.mark.usefixtures("forgiving")
def test_a_filter_that_fails_keeps_nothing(tmp_path: Path) -> None:
    def failing(text: str) -> str:
        raise ValueError(text)

    told = Told(tmp_path / "told", content_filter=failing)
    told.call()
    assert told.record["messages"] is None
    assert told.record["metadata"]["content_dropped"] == ["gen_ai.input.messages", "gen_ai.output.messages"]


def test_binary_data_is_described(told: Told) -> None:
    data = bytes(range(256)) * 10
    told.call(inputs=[Message("user", [Part(data, "blob", "image", "image/png")])])
    (part,) = told.record["messages"][0]["parts"]
    assert (part["size"], part["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert base64.b64encode(data).decode() not in json.dumps(told.record)


def test_an_error_is_told(told: Told) -> None:
    from opentelemetry.trace import Status, StatusCode

    span = told.span(**{"error.type": "openai.RateLimitError"})
    span.set_status(Status(StatusCode.ERROR, "slow down"))
    told.call(span=span, outputs=[])
    assert told.record["error"] == {"type": "openai.RateLimitError", "message": "slow down"}
    assert (told.record["success"], told.record["response"]) == (False, None)
    assert list(told.folder.glob("errors/*.json"))


@pytest.mark.parametrize("operation", ["invoke_agent", "invoke_workflow", "execute_tool"])
def test_what_is_made_of_calls_is_no_call(operation: str, told: Told) -> None:
    told.call(span=told.span(**{"gen_ai.operation.name": operation}))
    assert told.records == []


@pytest.mark.parametrize(("host", "provider"), [("api.deepseek.com", "deepseek"), ("10.0.0.7", "10.0.0.7")])
def test_the_provider_is_that_of_the_server(host: str, provider: str, told: Told) -> None:
    """The official package of openai says openai, whatever the server: it would be priced as OpenAI's."""
    told.call(span=told.span(**{"server.address": host}))
    assert told.record["provider"] == provider


def test_older_names_are_understood(told: Told) -> None:
    span = told.provider.get_tracer("any").start_span("chat")
    span.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.system": "aws.bedrock"})
    span.set_attributes({"gen_ai.usage.cache_creation.input_tokens": 3})
    told.call(span=span)
    assert (told.record["provider"], told.record["usage"]) == ("aws.bedrock", {"cache_write_input_tokens": 3})


def test_an_event_tells_what_a_sampler_left_out(told: Told) -> None:
    told.provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    span = told.span()
    assert not span.is_recording()
    told.call(span=span, log_record=Event(CHAT | {"gen_ai.input.messages": [{"role": "user"}]}))
    record = told.record
    assert record["span_id"] == f"{span.get_span_context().span_id:016x}"
    assert (record["model"], record["usage"]["total_tokens"], record["prompt"]) == ("gpt-4o-mini", 1100, "你好")
    assert (record["timing"]["start_time"], record["timing"]["duration_ms"]) == (None, None)
    assert record["timestamp"] == record["timing"]["end_time"]


def test_no_span_and_new_arguments_are_no_obstacle(told: Told) -> None:
    told.call(span=None, log_record=Event(CHAT), inputs=None, prompt_variables={"new": "in 2.0"})
    assert int(told.record["trace_id"], 16)
    assert int(told.record["span_id"], 16)
    assert told.record["messages"] is None


@pytest.mark.usefixtures("forgiving")
def test_it_never_raises(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.hook.on_completion(inputs=3, outputs=object(), span=told.span(), system_instruction=7)
    told.call(span=object())
    assert len([line for line in caplog.records if line.name == "spantape"]) <= 2
    told.call()
    assert len(told.records) == 1


@pytest.mark.usefixtures("forgiving")
@pytest.mark.parametrize(
    "place", ["_official.plain", "_official._context", "_official.Completion.of", "_official.Teller.span"]
)
def test_whatever_fails_it_does_not_raise(place: str, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(f"spantape.instrumentors.{place}")
    told.call()
    assert spantape.flush()
    monkeypatch.undo()
    assert told.records == []


def test_calls_that_instrument_sees_are_left_to_it(told: Told, tmp_path: Path) -> None:
    spantape.instrument(base_dir=tmp_path / "ours")
    told.call()
    told.call(span=told.span("opentelemetry.instrumentation.genai.langchain"))
    told.call(span=told.span("opentelemetry.util.genai.handler"))  # before 1.2b0: whose it is, is not told
    assert told.records == []
    told.call(span=told.span("opentelemetry.instrumentation.genai.anthropic"))
    assert len(told.records) == 1
    spantape.uninstrument()
    told.call()
    assert len(told.records) == 2


def test_files_of_nobody_else_are_left_to_it(told: Told, tmp_path: Path) -> None:
    spantape.instrument(base_dir=tmp_path / "ours", files=False)
    told.call()
    assert len(told.records) == 1


@pytest.mark.parametrize("variable", ["SPANTAPE_ENABLED=false", "SPANTAPE_FILES=0", "OTEL_SDK_DISABLED=true"])
def test_switched_off(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*variable.split("="))
    told = Told(tmp_path / "told")
    told.call()
    assert told.records == []
    assert not told.folder.exists()


def test_a_wrong_setting_is_said() -> None:
    with pytest.raises(spantape.SettingError, match="colour="):
        CompletionHook(colour="red")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_writes_what_is_its_own(told: Told) -> None:
    told.call()
    child = os.fork()
    if child == 0:
        told.call(outputs=[Output("assistant", [Part("the child's")])])
        os._exit(0 if spantape.flush() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert sorted(record["response"] for record in told.records) == ["the child's", "好!"]


def test_the_entry_point_loads() -> None:
    (hook,) = entry_points(group="opentelemetry_genai_completion_hook", name="spantape")
    assert hook.load() is CompletionHook


class Official:
    """openai, instrumented by the official package alone, with our hook."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.instrumentor: Any = None

    def begin(self, sampler: Any = ALWAYS_ON) -> Any:
        official = pytest.importorskip("opentelemetry.instrumentation.genai.openai")
        import openai

        self.instrumentor = official.OpenAIInstrumentor()
        self.instrumentor.instrument(**self.options(sampler))
        http_client = openai.DefaultHttpxClient(verify=False)
        return openai.OpenAI(base_url=self.url, api_key="test", max_retries=0, http_client=http_client)

    def options(self, sampler: Any = ALWAYS_ON) -> dict[str, Any]:
        return {
            "tracer_provider": TracerProvider(sampler=sampler, shutdown_on_exit=False),
            "completion_hook": CompletionHook(base_dir=self.folder),
            "skip_dep_check": True,
        }

    @property
    def records(self) -> list[dict[str, Any]]:
        assert spantape.flush()
        return spantape.recordings(self.folder).get_latest_interactions()[::-1]


@pytest.fixture
def official(server: ScriptedServer, tmp_path: Path) -> Iterator[Official]:
    official = Official(tmp_path / "official", server.url)
    yield official
    if official.instrumentor is not None:
        official.instrumentor.uninstrument()


def make_calls(client: Any, server: ScriptedServer) -> None:
    messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "你好"}]
    body: dict[str, Any] = {"model": "gpt-4o-mini", "messages": messages}
    server.replies(completion("好!"), error(429, "slow down"), stream(["好", "!"], usage=True))
    client.chat.completions.create(**body, temperature=0.5)
    with pytest.raises(Exception, match="slow down"):
        client.chat.completions.create(**body)
    assert list(client.chat.completions.create(**body, **USAGE))


def test_calls_of_the_official_package(official: Official, server: ScriptedServer) -> None:
    with official.begin() as client:
        make_calls(client, server)
    first, failed, streamed = official.records
    assert [one["prompt"] for one in official.records] == ["system: be kind\n\nuser: 你好"] * 3
    assert (first["response"], first["request"]["temperature"]) == ("好!", 0.5)
    assert (failed["success"], failed["error"]["type"]) == (False, "openai.RateLimitError")
    assert (streamed["response"], streamed["request"]["stream"]) == ("好!", True)
    assert streamed["usage"]["total_tokens"] > 0
    assert first["cost"]["total"] > 0
    assert streamed["timing"]["time_to_first_chunk_ms"] > 0


def test_calls_that_the_sampler_left_out(official: Official, server: ScriptedServer) -> None:
    """Without the event, no more is known than what was said; before 1.3b0, not even whether it was a call."""
    invocation = pytest.importorskip("opentelemetry.util.genai.invocation")
    if not hasattr(invocation, "CLIENT_INFERENCE_CONTEXT_KEY"):
        pytest.skip("this version leaves no mark of a call")
    with official.begin(ALWAYS_OFF) as client:
        make_calls(client, server)
    assert [one["response"] for one in official.records] == ["好!", None, "好!"]
    assert [one["success"] for one in official.records] == [True, False, True]
    assert {one["model"] for one in official.records} == {None}


def test_the_official_event_tells_the_rest(
    official: Official, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT", "true")
    with official.begin(ALWAYS_OFF) as client:
        make_calls(client, server)
    assert {one["model"] for one in official.records} == {"gpt-4o-mini"}
    assert [one["usage"] is not None for one in official.records] == [True, False, True]
    assert official.records[1]["error"] == {"type": "openai.RateLimitError"}


def test_selected_by_the_environment_and_written_at_exit(server: ScriptedServer, tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.instrumentation.genai.openai")
    run(
        """
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
        import logging, spantape
        logging.basicConfig(level=logging.WARNING)
        OpenAIInstrumentor().instrument(tracer_provider=TracerProvider())
        with spantape.session("5"):
            ask(sys.argv[1], "不 flushed")
        """,
        server.url,
        command=(sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"),
        OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK="spantape",
        SPANTAPE_BASE_DIR=str(tmp_path / "r"),
    )
    (record,) = spantape.recordings(tmp_path / "r").get_session_interactions("5")
    assert record["prompt"] == "不 flushed"


def test_langchain_of_the_official_package(official: Official, server: ScriptedServer) -> None:
    """A chain is one call: neither the chain's own span nor the suppressed one of openai makes a record."""
    langchain = pytest.importorskip("opentelemetry.instrumentation.genai.langchain")
    models = pytest.importorskip("langchain_openai")
    prompts = pytest.importorskip("langchain_core.prompts")
    with official.begin():
        handler = langchain.LangChainInstrumentor()
        handler.instrument(**official.options())
        try:
            server.replies(completion("好!"))
            model = models.ChatOpenAI(base_url=server.url, api_key="test", model="gpt-4o-mini")
            (prompts.ChatPromptTemplate.from_messages([("user", "{said}")]) | model).invoke({"said": "你好"})
        finally:
            handler.uninstrument()
    assert [(one["prompt"], one["response"]) for one in official.records] == [("你好", "好!")]
