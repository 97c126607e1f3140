"""`get_llm()`: LangChain's `ChatOpenAI` with the parameters that the environment or `.env` gives for a purpose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .environment import environment, look_up
from .errors import SettingError
from .kinds import COUNT, SHARE, TEMPERATURE, Kind

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI


@dataclass(frozen=True)
class _Parameter:
    """One keyword of ChatOpenAI: the variables that give it, and the other keyword that says the same."""

    name: str
    same: str
    variables: tuple[str, ...]
    kind: Kind
    of_purpose: str = ""


_PARAMETERS = [
    _Parameter("model", "model_name", ("LLM_MODEL",), Kind("the name of a model", str)),
    _Parameter(
        "temperature", "", ("LLM_TEMPERATURE_DEFAULT", "LLM_TEMPERATURE"), TEMPERATURE, of_purpose="LLM_TEMPERATURE_"
    ),
    _Parameter("top_p", "", ("LLM_TOP_P_DEFAULT",), SHARE),
    _Parameter("max_tokens", "max_completion_tokens", ("LLM_MAX_TOKENS_DEFAULT",), COUNT),
]
_DEFAULTS = {"LLM_TEMPERATURE_INTENT": "0.0", "LLM_TEMPERATURE_CLARIFY": "0.3"}


def get_llm(purpose: str | None = None, **overrides: Any) -> ChatOpenAI:
    """Make LangChain's `ChatOpenAI` with the environment's parameters; `overrides` are its own keywords, and win.

    The temperature is `LLM_TEMPERATURE_<PURPOSE>`, which is 0.0 for "intent" and 0.3 for "clarify" where it is not set;
    for other purposes, and for none, it is `LLM_TEMPERATURE_DEFAULT`. What is set nowhere is left to `ChatOpenAI`.

    Raises:
        SettingError: No model is named, or a variable's value can't be used.
        ImportError: langchain-openai is not installed.
    """
    try:
        from langchain_openai import ChatOpenAI
    except ModuleNotFoundError as error:
        raise ImportError(
            "get_llm() makes a ChatOpenAI: run `pip install langchain-openai`", name=error.name
        ) from error

    given = dict(_found(purpose, overrides)) | overrides
    if "model" not in given and "model_name" not in given:
        raise SettingError('LLM_MODEL is not set: name a model there or in .env, or call get_llm(model="…")')
    if purpose:  # LangChain hands it to every callback, ours among them
        given["metadata"] = {"purpose": purpose, **(overrides.get("metadata") or {})}
    return ChatOpenAI(**given)


def _found(purpose: str | None, overrides: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give what the environment says of the parameters that the caller doesn't give."""
    sources = (*environment(), (_DEFAULTS, ""))
    suffix = re.sub(r"\W", "_", purpose or "").upper()
    for parameter in _PARAMETERS:
        if overrides.keys().isdisjoint({parameter.name, parameter.same}):
            special = [parameter.of_purpose + suffix] if parameter.of_purpose and suffix else []
            said = look_up(special, sources) or look_up(parameter.variables, sources)
            if said:
                yield parameter.name, parameter.kind.read(*said)
