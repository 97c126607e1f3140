"""Model runs: what was asked for and what came back → attributes; pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ... import semconv
from ...content import Attributes
from .._endpoint import Endpoint
from .._mapping import Table, fields, flag, items, number, others, pick, plain, text, texts, whole
from .._messages import text_part, tool_definition
from .messages import message, messages

_PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "amazon_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "ibm": "ibm.watsonx.ai",
    "watsonx": "ibm.watsonx.ai",
    "moonshot": "moonshot_ai",
    "xai": "x_ai",
}
_REQUEST = Table(
    {
        "temperature": (semconv.REQUEST_TEMPERATURE, number),
        "top_p": (semconv.REQUEST_TOP_P, number),
        "top_k": (semconv.REQUEST_TOP_K, whole),
        "max_output_tokens": (semconv.REQUEST_MAX_TOKENS, whole),
        "max_tokens_to_sample": (semconv.REQUEST_MAX_TOKENS, whole),
        "num_predict": (semconv.REQUEST_MAX_TOKENS, whole),
        "max_tokens": (semconv.REQUEST_MAX_TOKENS, whole),
        "max_completion_tokens": (semconv.REQUEST_MAX_TOKENS, whole),
        "frequency_penalty": (semconv.REQUEST_FREQUENCY_PENALTY, number),
        "presence_penalty": (semconv.REQUEST_PRESENCE_PENALTY, number),
        "seed": (semconv.REQUEST_SEED, whole),
        "stop_sequences": (semconv.REQUEST_STOP_SEQUENCES, texts),
        "stop": (semconv.REQUEST_STOP_SEQUENCES, texts),
        "stream": (semconv.REQUEST_STREAM, flag),
        "streaming": (semconv.REQUEST_STREAM, flag),
        "reasoning_effort": (semconv.REQUEST_REASONING_LEVEL, text),
    }
)
_MODELS = ("model", "model_name", "model_id", "deployment_name", "azure_deployment", "engine")
_ELSEWHERE = frozenset({"tools", "functions", "_type", "messages", "prompt", *_MODELS, *_REQUEST})
_SECRET = re.compile(
    r"key|secret|password|credential|authorization|headers|(?<!max_)(?<!completion_)token(?!s)", re.IGNORECASE
)
_RESPONSE = Table(
    {
        "model": (semconv.RESPONSE_MODEL, text),
        "model_name": (semconv.RESPONSE_MODEL, text),
        "id": (semconv.RESPONSE_ID, text),
        "system_fingerprint": (semconv.OPENAI_SYSTEM_FINGERPRINT, text),
    }
)
_USAGE = Table(
    {
        "prompt_tokens": (semconv.INPUT_TOKENS, whole),
        "completion_tokens": (semconv.OUTPUT_TOKENS, whole),
        "input_tokens": (semconv.INPUT_TOKENS, whole),
        "output_tokens": (semconv.OUTPUT_TOKENS, whole),
        "input_token_details.cache_read": (semconv.CACHE_READ_TOKENS, whole),
        "input_token_details.cache_creation": (semconv.CACHE_WRITE_TOKENS, whole),
        "input_token_details.audio": (semconv.AUDIO_INPUT_TOKENS, whole),
        "output_token_details.reasoning": (semconv.REASONING_TOKENS, whole),
        "output_token_details.audio": (semconv.AUDIO_OUTPUT_TOKENS, whole),
    }
)
_REASONS = ("finish_reason", "stop_reason", "done_reason", "finishReason", "stopReason")
_MADE_HERE = re.compile(r"run-{1,2}([0-9a-f-]{36})")
"""An id that older versions give to a message, after the run that has made it."""


def provider(metadata: Mapping[str, Any]) -> str | None:
    """Give who a model's provider is, in the words of the conventions."""
    name = text(metadata.get("ls_provider"))
    return _PROVIDERS.get(name, name) if name else None


def model(parameters: Mapping[str, Any], metadata: Mapping[str, Any]) -> str | None:
    """Give the model's name."""
    named = (parameters.get(key) for key in _MODELS)
    return text(metadata.get("ls_model_name")) or next(filter(None, map(text, named)), None)


def _request(body: Mapping[str, Any]) -> Attributes:
    count = whole(body["parameters"].get("n"))
    return pick(_REQUEST, body["parameters"]) | {semconv.REQUEST_CHOICE_COUNT: count if count != 1 else None}


def _asked(body: Mapping[str, Any]) -> Attributes:
    parameters = body["parameters"]
    rest = {key: plain(value) for key, value in others(parameters, _ELSEWHERE).items() if not _SECRET.search(key)}
    tools = items(parameters.get("tools")) or items(parameters.get("functions"))
    return {
        semconv.INPUT_MESSAGES: messages(body["messages"]),
        semconv.TOOL_DEFINITIONS: [tool_definition(fields(plain(tool))) for tool in tools] or None,
        semconv.REQUEST_PARAMETERS: {key: value for key, value in rest.items() if value is not None} or None,
    }


def _response(body: Mapping[str, Any]) -> Attributes:
    choices = body["choices"]
    told = pick(_RESPONSE, body["output"])
    for choice in choices[:1]:
        told |= pick(_RESPONSE, _metadata(choice))
    if _is_cached(body):
        return told | {semconv.CACHE_HIT: True, semconv.RESPONSE_FINISH_REASONS: _reasons(choices)}
    return told | _usage(body) | {semconv.RESPONSE_FINISH_REASONS: _reasons(choices)}


def _answered(body: Mapping[str, Any]) -> Attributes:
    return {semconv.OUTPUT_MESSAGES: [_output(choice) for choice in body["choices"]] or None}


def answer(result: Any, run_id: object) -> dict[str, Any]:
    """Give what a model run came back with: its choices, and what the model says beside them."""
    generations = getattr(result, "generations", None) or [[]]
    choices = [fields(choice) for choice in generations[0]]
    return {"choices": choices, "output": fields(getattr(result, "llm_output", None)), "run": str(run_id)}


def given(result: Any) -> list[Any]:
    """Give the messages that the application gets."""
    found = [getattr(choice, "message", None) for choice in (getattr(result, "generations", None) or [[]])[0]]
    return [message for message in found if message is not None]


def _output(choice: Mapping[str, Any]) -> Any:
    said = choice.get("message")
    reason = _reason(choice)
    if said is None:
        made: Any = {"role": "assistant", "parts": [text_part(str(choice.get("text") or ""))]}
    else:
        made = message(said)
    return made | {"finish_reason": reason} if reason else made


def _reasons(choices: list[Mapping[str, Any]]) -> list[str] | None:
    found = [_reason(choice) for choice in choices]
    return [reason or "error" for reason in found] if any(found) else None


def _reason(choice: Mapping[str, Any]) -> str | None:
    for told in _beside(choice):
        for name in _REASONS:
            if text(told.get(name)):
                return str(told[name])
    return None


def _metadata(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    return fields(fields(choice.get("message")).get("response_metadata"))


def _beside(choice: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Give what a model tells of a choice in its provider's own words."""
    return _metadata(choice), fields(choice.get("generation_info"))


def _usage(body: Mapping[str, Any]) -> Attributes:
    choices = body["choices"]
    told = [fields(fields(choice.get("message")).get("usage_metadata")) for choice in choices]
    for beside in (body["output"], *(one for choice in choices for one in _beside(choice))):
        told += (fields(beside.get("token_usage")), fields(beside.get("usage")))
    return pick(_USAGE, next(filter(None, told), {}))


def _is_cached(body: Mapping[str, Any]) -> bool:
    """Say whether LangChain's cache has answered: then no tokens were used."""
    for choice in body["choices"]:
        said = fields(choice.get("message"))
        if fields(said.get("usage_metadata")).get("total_cost") == 0:  # so newer versions mark it
            return True
        made = _MADE_HERE.match(str(said.get("id")))
        return made is not None and made[1] != body["run"]
    return False


def _endpoint(operation: str) -> Endpoint:
    return Endpoint(operation, _request, _response, _asked, _answered)


CHAT, TEXT = _endpoint("chat"), _endpoint("text_completion")
_TOLD_BENEATH = frozenset({"openai", "azure.ai.openai"})
"""Whose client is watched, too: it says better what was asked."""


def is_told_beneath(provider: str | None) -> bool:
    """Say whether the client of a provider may tell the run."""
    return provider in _TOLD_BENEATH
