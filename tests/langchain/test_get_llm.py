"""`get_llm()`: what the environment says is what is sent, and what is recorded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import spantape
from recorded import Recorded
from spantape import SettingError
from spantape.langchain import get_llm
from spantape.testing import ScriptedServer

MODEL = "gpt-4o-mini"


@pytest.fixture(autouse=True)
def surroundings(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("LLM_MODEL", MODEL)


def sent(server: ScriptedServer, llm: Any) -> dict[str, Any]:
    llm.invoke("Hello")
    body = server.requests[-1].body
    assert isinstance(body, dict)
    return body


TEMPERATURES = [
    ("intent", {}, 0.0),
    ("clarify", {}, 0.3),
    ("INTENT", {"LLM_TEMPERATURE_INTENT": "0.1"}, 0.1),
    ("intent", {"LLM_TEMPERATURE_DEFAULT": "0.9"}, 0.0),
    ("intent", {"LLM_TEMPERATURE_INTENT": "", "LLM_TEMPERATURE_DEFAULT": "0.9"}, 0.0),
    ("plan", {"LLM_TEMPERATURE_DEFAULT": "0.9"}, 0.9),
    ("plan", {"LLM_TEMPERATURE_PLAN": "1", "LLM_TEMPERATURE_DEFAULT": "0.9"}, 1.0),
    ("next step", {"LLM_TEMPERATURE_NEXT_STEP": "0.4"}, 0.4),
    (None, {"LLM_TEMPERATURE": "0.2"}, 0.2),
    (None, {"LLM_TEMPERATURE": "0.2", "LLM_TEMPERATURE_DEFAULT": "0.9"}, 0.9),
    ("plan", {"LLM_TEMPERATURE": "0.2"}, 0.2),
    (None, {"LLM_TEMPERATURE_": "0.2", "LLM_TEMPERATURE_DEFAULT": "0.9"}, 0.9),
]


@pytest.mark.parametrize(("purpose", "variables", "temperature"), TEMPERATURES)
def test_the_temperature_of_a_purpose_is_sent_and_recorded(
    purpose: str | None,
    variables: dict[str, str],
    temperature: float,
    server: ScriptedServer,
    recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert sent(server, get_llm(purpose))["temperature"] == temperature
    assert recorded.record["request"]["temperature"] == temperature
    assert recorded.attributes["gen_ai.request.temperature"] == temperature


def test_all_parameters_come_from_the_environment(
    server: ScriptedServer, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_TOP_P_DEFAULT", "0.8")
    monkeypatch.setenv("LLM_MAX_TOKENS_DEFAULT", "64")
    body = sent(server, get_llm(temperature=0.5))
    assert (body["model"], body["top_p"], body["temperature"]) == (MODEL, 0.8, 0.5)
    assert body.get("max_completion_tokens", body.get("max_tokens")) == 64
    request = recorded.record["request"]
    assert (request["model"], request["top_p"], request["temperature"], request["max_tokens"]) == (MODEL, 0.8, 0.5, 64)


def test_what_is_set_nowhere_is_left_to_langchain(server: ScriptedServer) -> None:
    from langchain_openai import ChatOpenAI

    assert sent(server, get_llm()) == sent(server, ChatOpenAI(model=MODEL))


OVERRIDES: list[tuple[dict[str, Any], str, str]] = [
    ({"temperature": 0.5}, "LLM_TEMPERATURE_INTENT", "hot"),
    ({"top_p": 0.5}, "LLM_TOP_P_DEFAULT", "2"),
    ({"max_tokens": 5}, "LLM_MAX_TOKENS_DEFAULT", "0"),
    ({"model_name": "gpt-4o"}, "LLM_MODEL", "gpt-4.1"),
    ({"model": "gpt-4o"}, "LLM_MODEL", ""),
]


@pytest.mark.parametrize(("override", "variable", "value"), OVERRIDES)
def test_an_override_wins_and_its_variable_is_not_asked(
    override: dict[str, Any], variable: str, value: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    body = sent(server, get_llm("intent", **override))
    body["model_name"], body["max_tokens"] = body["model"], body.get("max_completion_tokens", body.get("max_tokens"))
    assert {name: body[name] for name in override} == override


def test_the_other_name_of_a_parameter_overrides_too(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from langchain_openai import ChatOpenAI

    if ChatOpenAI.model_fields["max_tokens"].alias is None:
        pytest.skip("this version knows one name only")
    monkeypatch.setenv("LLM_MAX_TOKENS_DEFAULT", "64")
    assert sent(server, get_llm(max_completion_tokens=7))["max_completion_tokens"] == 7


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LLM_TEMPERATURE_INTENT", "hot"),
        ("LLM_TOP_P_DEFAULT", "1.5"),
        ("LLM_TOP_P_DEFAULT", "nan"),
        ("LLM_MAX_TOKENS_DEFAULT", "0"),
        ("LLM_MAX_TOKENS_DEFAULT", "1e3"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError, match=rf"^{variable} is '{value}', which spantape can't use: give a .*number"):
        get_llm("intent")


@pytest.mark.parametrize(("variable", "purpose"), [("LLM_TEMPERATURE_DEFAULT", "plan"), ("LLM_TEMPERATURE", None)])
@pytest.mark.parametrize("value", ["-0.1", "2.1", "True"])
def test_a_temperature_out_of_its_range_is_named(
    variable: str, purpose: str | None, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError, match=f"^{variable} is .* a number from 0 to 2$"):
        get_llm(purpose)


def test_dotenv_is_read_after_the_environment(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("LLM_MODEL=gpt-4.1\nLLM_TEMPERATURE_INTENT=0.1\nLLM_TOP_P_DEFAULT=much\n", encoding="utf-8")
    with pytest.raises(SettingError, match=r"^LLM_TOP_P_DEFAULT in \.env is 'much'"):
        get_llm()
    monkeypatch.setenv("LLM_TOP_P_DEFAULT", "1")
    body = sent(server, get_llm("intent"))
    assert (body["model"], body["temperature"], body["top_p"]) == (MODEL, 0.1, 1.0)
    monkeypatch.delenv("LLM_MODEL")
    assert sent(server, get_llm("intent"))["model"] == "gpt-4.1"


def test_without_a_model_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_MODEL")
    with pytest.raises(SettingError, match=r"LLM_MODEL is not set: name a model there or in \.env, or call get_llm"):
        get_llm("intent")


def test_the_purpose_reaches_langchains_callbacks() -> None:
    from langchain_core.callbacks import BaseCallbackHandler

    seen: list[Any] = []

    class Looking(BaseCallbackHandler):
        def on_chat_model_start(self, *_: Any, metadata: Any, **__: Any) -> None:
            seen.append({name: value for name, value in metadata.items() if not name.startswith("ls_")})

    get_llm("intent", callbacks=[Looking()]).invoke("Hello")
    get_llm("plan", callbacks=[Looking()], metadata={"team": "blue"}).invoke("Hello")
    get_llm(callbacks=[Looking()]).invoke("Hello")
    purposes = [{name: found[name] for name in ("purpose", "team") if name in found} for found in seen]
    assert purposes == [{"purpose": "intent"}, {"purpose": "plan", "team": "blue"}, {}]


def test_the_purpose_is_in_the_record_where_no_session_says_otherwise(
    server: ScriptedServer, recorded: Recorded
) -> None:
    get_llm("intent").invoke("Hello")
    with spantape.session(purpose="mine", step="one"):
        get_llm("plan").invoke("Hello")
    get_llm().invoke("Hello")
    names = ("purpose", "step")
    metadata = [{name: one["metadata"][name] for name in names if name in one["metadata"]} for one in recorded.records]
    assert metadata == [{"purpose": "intent"}, {"purpose": "mine", "step": "one"}, {}]


def test_the_module_is_imported_without_langchain_and_says_what_to_install() -> None:
    program = """
import sys
sys.modules["langchain_openai"] = None
from spantape.langchain import get_llm
assert not [name for name in sys.modules if name.partition(".")[0] in ("langchain_core", "openai", "pydantic")]
try:
    get_llm("intent", model="gpt-4o")
except ImportError as error:
    assert "pip install langchain-openai" in str(error), error
else:
    raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
