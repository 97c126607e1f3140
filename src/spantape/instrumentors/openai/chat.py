"""Chat completions: request, response and chunks → attributes; pure functions of plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._failure import failure_answered
from .._mapping import Table, dig, fields, flag, items, number, others, pick, text, texts, whole
from .._messages import (
    Message,
    Part,
    blob_part,
    file_part,
    reasoning_part,
    refusal_part,
    sized_part,
    text_part,
    tool_call_part,
    tool_definition,
    tool_response_part,
    uri_part,
)
from .chat_chunks import Join
from .usage import tokens

_REQUEST = Table(
    {
        "temperature": (semconv.REQUEST_TEMPERATURE, number),
        "top_p": (semconv.REQUEST_TOP_P, number),
        "top_k": (semconv.REQUEST_TOP_K, whole),
        "max_tokens": (semconv.REQUEST_MAX_TOKENS, whole),
        "max_completion_tokens": (semconv.REQUEST_MAX_TOKENS, whole),
        "frequency_penalty": (semconv.REQUEST_FREQUENCY_PENALTY, number),
        "presence_penalty": (semconv.REQUEST_PRESENCE_PENALTY, number),
        "seed": (semconv.REQUEST_SEED, whole),
        "stop": (semconv.REQUEST_STOP_SEQUENCES, texts),
        "stream": (semconv.REQUEST_STREAM, flag),
        "reasoning_effort": (semconv.REQUEST_REASONING_LEVEL, text),
    }
)
_FORMATS = {"json_object": "json", "json_schema": "json", "text": "text"}
_IN_PART = Table(
    {
        "n": (semconv.REQUEST_CHOICE_COUNT, lambda value: _but(1, whole(value))),
        "service_tier": (semconv.OPENAI_REQUEST_SERVICE_TIER, lambda value: _but("auto", text(value))),
        "response_format.type": (semconv.OUTPUT_TYPE, lambda value: _FORMATS.get(str(value))),
        "modalities": (semconv.OUTPUT_TYPE, lambda value: "speech" if "audio" in (texts(value) or ()) else None),
    }
)
"""What says more than its attribute, or nothing by its usual value: it stays among the parameters."""
_RESPONSE = Table(
    {
        "id": (semconv.RESPONSE_ID, text),
        "model": (semconv.RESPONSE_MODEL, text),
        "service_tier": (semconv.OPENAI_RESPONSE_SERVICE_TIER, text),
        "system_fingerprint": (semconv.OPENAI_SYSTEM_FINGERPRINT, text),
    }
)
_SPEAKERS = frozenset({"system", "developer", "user", "assistant"})
_TOOLS = frozenset({"tools", "functions"})
_ELSEWHERE = frozenset({"model", "messages", *_TOOLS, *_REQUEST} - {"max_completion_tokens"})


def request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what is about to be sent."""
    return {**pick(_REQUEST, body), **pick(_IN_PART, body), semconv.OPENAI_API_TYPE: "chat_completions"}


def _but(usual: Json, value: Json) -> Json:
    return None if value == usual else value


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give what was said to the model."""
    parameters = others(body, _ELSEWHERE)
    return {
        semconv.INPUT_MESSAGES: _messages(items(body.get("messages"))),
        semconv.TOOL_DEFINITIONS: None if _TOOLS.isdisjoint(body) else _tools(body) or None,
        semconv.REQUEST_PARAMETERS: parameters or None,
    }


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back, whole or joined from chunks; a failure may come as an answer, too."""
    choices = items(body.get("choices"))
    usage = body.get("usage") or next((one["usage"] for one in choices if one.get("usage")), None)
    return pick(_RESPONSE, body) | tokens(usage) | {
        semconv.RESPONSE_FINISH_REASONS: [text(one.get("finish_reason")) or "error" for one in choices] or None,
        **failure_answered(body),
    }  # fmt: skip


def answered(body: Mapping[str, Json]) -> Attributes:
    """Give what the model said."""
    return {semconv.OUTPUT_MESSAGES: [_output(one) for one in items(body.get("choices"))] or None}


def _output(choice: Mapping[str, Json]) -> Message:
    said = {key: value for key, value in fields(choice.get("message")).items() if value}  # most of it is null
    (output,) = _messages([{"role": "assistant", **said}])
    return output | {"finish_reason": text(choice.get("finish_reason")) or "error"}


def _messages(messages: Iterable[Mapping[str, Json]]) -> list[Message]:
    # Nearly all are plain, and there are many: those are not worth a call each.
    return [
        {"role": role, "parts": [{"type": "text", "content": content}]}
        if len(one) == 2
        and type(content := one.get("content")) is str
        and content
        and (role := one.get("role")) in _SPEAKERS
        else _message(one)
        for one in messages
    ]


def _message(message: Mapping[str, Json]) -> Message:
    made: Message = {"role": str(message.get("role") or "user"), "parts": list(_parts(message))}
    if text(message.get("name")):
        made["name"] = message["name"]
    return made


def _parts(message: Mapping[str, Json]) -> Iterable[Part]:
    thought = text(message.get("reasoning_content")) or text(message.get("reasoning"))
    if thought:
        yield reasoning_part(thought)
    if text(message.get("role")) in {"tool", "function"}:
        yield tool_response_part(message.get("tool_call_id"), _tool_result(message.get("content")))
    else:
        yield from _content(message.get("content"))
    if text(message.get("refusal")):
        yield refusal_part(message["refusal"])
    yield from _spoken(fields(message.get("audio")))
    yield from _calls(message)


def _spoken(audio: Mapping[str, Json]) -> Iterable[Part]:
    """Give what was spoken, and its words; of a stream's sound only its size is known."""
    if isinstance(audio.get("data"), str):
        yield blob_part("audio", None, audio["data"])
    elif audio.get("size"):
        yield sized_part("audio", None, audio["size"])
    if text(audio.get("transcript")):
        yield text_part(audio["transcript"])


def _content(content: Json) -> Iterable[Part]:
    if isinstance(content, str):
        if content:
            yield text_part(content)
        return
    for item in content if isinstance(content, (list, tuple)) else ():
        if isinstance(item, str):
            yield text_part(item)
        elif fields(item):
            yield _part(fields(item))


def _part(item: Mapping[str, Json]) -> Part:
    kind = str(item.get("type") or "generic")
    if kind in {"text", "refusal"}:
        return {"type": kind, "content": str(item.get("text") or item.get("refusal") or "")}
    if kind in {"image_url", "video_url"}:
        address = item.get(kind)
        return uri_part(kind[:5], str(address if isinstance(address, str) else dig(address, "url")))
    if kind == "input_audio":
        name = dig(item, "input_audio.format")
        return blob_part("audio", f"audio/{name}" if name else None, dig(item, "input_audio.data"))
    if kind == "file":
        return _file(item.get("file"))
    return {**item, "type": kind}


def _file(file: Json) -> Part:
    if text(dig(file, "file_id")):
        return file_part("document", dig(file, "file_id"))
    data = str(dig(file, "file_data") or "")
    part = uri_part("document", data) if data.startswith("data:") else blob_part("document", None, data)
    return part | ({"name": dig(file, "filename")} if text(dig(file, "filename")) else {})


def _calls(message: Mapping[str, Json]) -> Iterable[Part]:
    for call in items(message.get("tool_calls")):
        function = call.get("function") or call.get("custom") or {}
        yield tool_call_part(
            call.get("id"), dig(function, "name"), dig(function, "arguments") or dig(function, "input")
        )
    legacy = fields(message.get("function_call"))
    if legacy:
        yield tool_call_part(None, legacy.get("name"), legacy.get("arguments"))


def _tool_result(content: Json) -> Json:
    """Give a tool's answer: text as text, a list of text parts as one."""
    parts = items(content)
    if parts and all(part.get("type") == "text" for part in parts):
        return "".join(str(part.get("text") or "") for part in parts)
    return content


def _tools(body: Mapping[str, Json]) -> list[dict[str, Json]]:
    functions = [{"function": function} for function in items(body.get("functions"))]
    return [tool_definition(tool) for tool in [*items(body.get("tools")), *functions]]


ENDPOINT = Endpoint("chat", request, response, asked, answered, Join, tells_usage_if_asked=True, framing=3)
