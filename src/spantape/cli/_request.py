"""A recorded call as the request that it was: to be sent again with curl or in Python."""

from __future__ import annotations

import pprint
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from .. import jsontext
from ..filter import Record
from ..sinks._seal import is_sealed
from ._columns import dig
from ._conversation import SEALED
from ._output import NothingFound

# What a record tells of a request under a name that the API does not know, or that has no effect when it is sent again.
_NOT_SENT = frozenset({"output_type", "stream_cursor", "prompt_name", "prompt_version", "tools"})
_PATHS = {
    "chat": "/chat/completions",
    "embeddings": "/embeddings",
    "text_completion": "/completions",
    "moderation": "/moderations",
    "image_generation": "/images/generations",
    "speech": "/audio/speech",
}
_METHODS = {
    "/chat/completions": "chat.completions.create",
    "/responses": "responses.create",
    "/embeddings": "embeddings.create",
    "/completions": "completions.create",
    "/moderations": "moderations.create",
    "/images/generations": "images.generate",
    "/audio/speech": "audio.speech.create",
}
_PROMPTED = frozenset({"/completions", "/images/generations"})
# What the client's methods have names for; all else goes in `extra_body`, which they all take.
_NAMED = frozenset({
    *("model", "messages", "input", "prompt", "instructions", "temperature", "top_p", "n", "stop", "seed", "stream"),
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "presence_penalty", "frequency_penalty", "logprobs"),
    *("tools", "tool_choice", "parallel_tool_calls", "response_format", "stream_options", "user", "metadata", "store"),
    *("logit_bias", "top_logprobs", "reasoning", "previous_response_id", "voice", "size", "quality"),
    *("encoding_format", "dimensions"),
})  # fmt: skip
# Where providers have their API, if not below `/v1`.
_BASES = {
    "azure.ai.openai": "/openai/v1",
    "dashscope": "/compatible-mode/v1",
    "zhipu": "/api/paas/v4",
    "groq": "/openai/v1",
    "openrouter": "/api/v1",
    "volcengine": "/api/v3",
    "gcp.gemini": "/v1beta/openai",
    "fireworks": "/inference/v1",
    "qianfan": "/v2",
}


def path(record: Record) -> str:
    """Give the path of the endpoint that was called.

    Raises:
        NothingFound: What was sent there is not in the record.
    """
    operation = str(record.get("operation") or "chat")
    if operation not in _PATHS:
        raise NothingFound(f"a call of `{operation}` can't be sent again: its record has not all that was sent")
    kind = dig(record, "metadata.api_type")
    answered = str(record.get("response_id")).startswith("resp_")
    return "/responses" if kind == "responses" or answered else _PATHS[operation]


def body(record: Record) -> dict[str, Any]:
    """Give the body of the request, as far as it was recorded."""
    where = path(record)
    sent = {"model": record.get("model"), **_parameters(record.get("request") or {}, where)}
    if is_sealed(record.get("messages")):
        raise NothingFound(f"what was sent {SEALED}")
    messages = [one for one in record.get("messages") or [] if isinstance(one, dict)]
    if where == "/chat/completions":
        sent["messages"] = [turn for message in messages for turn in _turns(message)]
    elif where == "/responses":
        sent["input"] = [item for message in messages for item in _items(message)]
    else:
        texts = [str(part.get("content", "")) for message in messages for part in _parts(message)]
        sent["prompt" if where in _PROMPTED else "input"] = texts[0] if len(texts) == 1 else texts
    tools = [_tool(tool, flat=where == "/responses") for tool in dig(record, "request.tools") or []]
    return sent | ({"tools": tools} if tools else {})


def _parameters(request: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Give the parameters by the names of the endpoint: a record has one name for what several call otherwise."""
    sent = {key: value for key, value in request.items() if key not in _NOT_SENT}
    if "max_completion_tokens" in sent:
        sent.pop("max_tokens", None)
    if where == "/responses":
        if "max_tokens" in sent:
            sent["max_output_tokens"] = sent.pop("max_tokens")
        effort = sent.pop("reasoning_effort", None)
        return sent if effort is None else {"reasoning": {"effort": effort}} | sent
    return sent


def curl(record: Record) -> str:
    """Give a curl command that sends the call again, with the key from the environment."""
    sent = jsontext.text(body(record))
    return (
        f"curl {shlex.quote(_base(record) + path(record))} \\\n"
        '  -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(sent)}"
    )


def python(record: Record) -> str:
    """Give a Python program that sends the call again, with the key from the environment."""
    sent = body(record)
    extra = {name: value for name, value in sent.items() if name not in _NAMED}
    named = {name: value for name, value in sent.items() if name in _NAMED} | ({"extra_body": extra} if extra else {})
    arguments = "".join(
        f"    {name}={pprint.pformat(value, width=100, sort_dicts=False)},\n" for name, value in named.items()
    )
    shown = "for chunk in answer:\n    print(chunk)" if sent.get("stream") else "print(answer)"
    return (
        f"import openai\n\nclient = openai.OpenAI(base_url={_base(record)!r})\n"
        f"answer = client.{_METHODS[path(record)]}(\n{arguments})\n{shown}"
    )


def _base(record: Record) -> str:
    address, port = dig(record, "server.address"), dig(record, "server.port")
    if not address:
        return "https://api.openai.com/v1"
    host = f"[{address}]" if ":" in address else address
    below = _BASES.get(str(record.get("provider")), "/v1")
    return f"https://{host}{below}" if port in {None, 443} else f"http://{host}:{port}{below}"


def _parts(message: Record) -> list[Record]:
    parts = message.get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _turns(message: Record) -> Iterable[dict[str, Any]]:
    """Give a message as the chat API takes it; each result of a tool is a message of its own."""
    parts = _parts(message)
    for part in parts:
        if part.get("type") == "tool_call_response":
            yield {"role": "tool", "tool_call_id": part.get("id"), "content": _text(part.get("response"))}
    calls = [_call(part) for part in parts if part.get("type") == "tool_call"]
    said = [part for part in parts if part.get("type") not in {"tool_call", "tool_call_response", "reasoning"}]
    if said or calls or not parts:
        name = {"name": message["name"]} if message.get("name") else {}
        content = _content(said, "text", _image) if said else None
        yield {"role": message.get("role"), **name, "content": content} | ({"tool_calls": calls} if calls else {})


def _items(message: Record) -> Iterable[dict[str, Any]]:
    """Give a message as the responses API takes it."""
    said: list[Record] = []
    for part in _parts(message):
        if part.get("type") == "tool_call":
            arguments = _text(part.get("arguments"))
            yield {"type": "function_call", "call_id": part.get("id"), "name": part.get("name"), "arguments": arguments}
        elif part.get("type") == "tool_call_response":
            output = _text(part.get("response"))
            yield {"type": "function_call_output", "call_id": part.get("id"), "output": output}
        elif part.get("type") != "reasoning":
            said.append(part)
    if said:
        yield {"role": message.get("role"), "content": _content(said, "input_text", _input_image)}


def _content(parts: list[Record], kind: str, image: Any) -> Any:
    if len(parts) == 1 and parts[0].get("type") == "text":
        return parts[0].get("content")
    return [
        {"type": kind, "text": part.get("content")} if part.get("type") == "text" else image(part) for part in parts
    ]


def _image(part: Record) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": part["uri"]}} if part.get("uri") else dict(part)


def _input_image(part: Record) -> dict[str, Any]:
    return {"type": "input_image", "image_url": part["uri"]} if part.get("uri") else dict(part)


def _call(part: Record) -> dict[str, Any]:
    function = {"name": part.get("name"), "arguments": _text(part.get("arguments"))}
    return {"id": part.get("id"), "type": "function", "function": function}


def _tool(tool: Any, *, flat: bool) -> Any:
    if flat or not isinstance(tool, Mapping) or tool.get("type") != "function":
        return tool
    return {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else jsontext.text(value)
