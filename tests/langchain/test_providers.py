"""What models say that have no library beneath which is watched: in their providers' own words."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models.llms import LLM
from langchain_core.outputs import Generation, LLMResult
from langchain_things import Fake

from recorded import Recorded


class Text(LLM):
    """A model that completes text, and tells of its answer what it is told to."""

    output: Any = None
    about: Any = (None,)

    @property
    def _llm_type(self) -> str:
        return "text"

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        made = [[Generation(text="Hello", generation_info=one) for one in self.about]]
        return LLMResult(generations=made, llm_output=self.output)

    def _call(self, *args: Any, **kwargs: Any) -> str:
        return ""


@pytest.mark.parametrize("name", ["token_usage", "usage"])
@pytest.mark.parametrize("where", ["llm_output", "generation_info", "response_metadata"])
def test_usage_that_is_told_elsewhere(where: str, name: str, recorded: Recorded) -> None:
    usage: Any = {name: {"input_tokens": 3, "output_tokens": 4}}
    about = {"stopReason": "end_turn"}
    answer = {"content": "Hello", "usage_metadata": None, "response_metadata": about | usage}
    models: Any = {
        "llm_output": Text(output=usage, about=[about]),
        "generation_info": Text(about=[about | usage]),
        "response_metadata": Fake(answers=[answer]),
    }
    models[where].invoke("x")
    assert recorded.record["usage"] == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert recorded.record["finish_reasons"] == ["end_turn"]


@pytest.mark.parametrize(
    ("name", "provider"), [("google_genai", "gcp.gemini"), ("mistralai", "mistral_ai"), ("anthropic", "anthropic")]
)
def test_a_provider_in_the_words_of_the_conventions(name: str, provider: str, recorded: Recorded) -> None:
    class Theirs(Fake):
        def _get_ls_params(self, *args: Any, **kwargs: Any) -> Any:
            return {**super()._get_ls_params(*args, **kwargs), "ls_provider": name}

    Theirs().invoke("x", n=1, max_output_tokens=5)
    assert recorded.record["provider"] == provider
    assert recorded.attributes["gen_ai.request.max_tokens"] == 5
    assert "gen_ai.request.choice.count" not in recorded.attributes


@pytest.mark.parametrize("key", ["model", "model_name", "model_id", "deployment_name", "engine"])
def test_a_model_by_whatever_name(key: str, recorded: Recorded) -> None:
    class Theirs(Fake):
        @property
        def _identifying_params(self) -> dict[str, Any]:
            return {key: "qwen-max"}

    Theirs().invoke("x")
    assert recorded.span.name == "chat qwen-max"
    assert recorded.record["model"] == "qwen-max"


def test_a_choice_that_does_not_say_how_it_ended(recorded: Recorded) -> None:
    Text(about=[{"finish_reason": "stop"}, None]).invoke("x")
    assert recorded.attributes["gen_ai.response.finish_reasons"] == ("stop", "error")
