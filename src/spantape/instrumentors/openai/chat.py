"""Chat completions: request, response and chunks → attributes; pure functions of plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._call import Endpoint
from .._mapping import Table, dig, flag, number, pick, text, texts, whole
from .._messages import (
    Message,
    Part,
    blob_part,
    file_part,
    reasoning_part,
    refusal_part,
    text_part,
    tool_call_part,
    tool_response_part,
    uri_part,
)

_REQUEST: Table = {
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
_RESPONSE: Table = {
    "id": (semconv.RESPONSE_ID, text),
    "model": (semconv.RESPONSE_MODEL, text),
    "service_tier": (semconv.OPENAI_RESPONSE_SERVICE_TIER, text),
    "system_fingerprint": (semconv.OPENAI_SYSTEM_FINGERPRINT, text),
}
# Where compatible servers put the cached tokens differently, their place comes first: the standard one wins.
_USAGE: Table = {
    "prompt_tokens": (semconv.INPUT_TOKENS, whole),
    "completion_tokens": (semconv.OUTPUT_TOKENS, whole),
    "cached_tokens": (semconv.CACHE_READ_TOKENS, whole),
    "prompt_cache_hit_tokens": (semconv.CACHE_READ_TOKENS, whole),
    "prompt_tokens_details.cached_tokens": (semconv.CACHE_READ_TOKENS, whole),
    "prompt_tokens_details.cache_write_tokens": (semconv.CACHE_WRITE_TOKENS, whole),
    "prompt_tokens_details.audio_tokens": (semconv.AUDIO_INPUT_TOKENS, whole),
    "completion_tokens_details.reasoning_tokens": (semconv.REASONING_TOKENS, whole),
    "completion_tokens_details.audio_tokens": (semconv.AUDIO_OUTPUT_TOKENS, whole),
}
_FORMATS = {"json_object": "json", "json_schema": "json", "text": "text"}
_ELSEWHERE = frozenset({"model", "messages", "tools", "functions", *_REQUEST} - {"max_completion_tokens"})


def request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what is about to be sent."""
    count = whole(body.get("n"))
    tier = text(body.get("service_tier"))
    parameters = {key: value for key, value in body.items() if key not in _ELSEWHERE}
    return pick(_REQUEST, body) | {
        semconv.OPENAI_API_TYPE: "chat_completions",
        semconv.REQUEST_CHOICE_COUNT: count if count != 1 else None,
        semconv.OPENAI_REQUEST_SERVICE_TIER: tier if tier != "auto" else None,
        semconv.OUTPUT_TYPE: _output_type(body),
        semconv.INPUT_MESSAGES: [_message(one) for one in _mappings(body.get("messages"))],
        semconv.TOOL_DEFINITIONS: _tools(body) or None,
        semconv.REQUEST_PARAMETERS: parameters or None,
    }


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back, whole or joined from chunks."""
    choices = _mappings(body.get("choices"))
    usage = body.get("usage") or next((one["usage"] for one in choices if one.get("usage")), None)
    return pick(_RESPONSE, body) | pick(_USAGE, usage) | {
        semconv.RESPONSE_FINISH_REASONS: [text(one.get("finish_reason")) or "error" for one in choices] or None,
        semconv.OUTPUT_MESSAGES: [_output(one) for one in choices] or None,
    }  # fmt: skip


class Join:
    """Folds chunks into the response that the call would have given without streaming.

    Survives what compatible servers send: `choices` or `delta` null, indexes missing, usage on every chunk (the last
    one counts), arguments that are no text, an empty first `model`.
    """

    def __init__(self) -> None:
        self._top: dict[str, Json] = {}
        self._choices: dict[int, dict[str, Json]] = {}

    def add(self, chunk: Json) -> None:
        """Take the next chunk."""
        if not isinstance(chunk, Mapping):
            return
        for key in ("id", "model", "service_tier", "system_fingerprint", "usage"):
            if chunk.get(key):
                self._top[key] = chunk[key]
        for position, choice in enumerate(_mappings(chunk.get("choices"))):
            self._choice(choice, position)

    def body(self) -> dict[str, Json]:
        """Give the response so far."""
        return {**self._top, "choices": [_joined(self._choices[index]) for index in sorted(self._choices)]}

    def _choice(self, choice: Mapping[str, Json], position: int) -> None:
        kept = self._choices.setdefault(_index(choice, position), {"texts": {}, "tools": {}})
        kept["finish_reason"] = choice.get("finish_reason") or kept.get("finish_reason")
        if choice.get("usage"):
            self._top["usage"] = choice["usage"]
        delta = choice.get("delta") or {}
        if not isinstance(delta, Mapping):
            return
        kept["role"] = delta.get("role") or kept.get("role")
        for key in ("content", "refusal", "reasoning_content", "reasoning"):
            if isinstance(delta.get(key), str):
                kept["texts"].setdefault(key, []).append(delta[key])
        for place, call in enumerate(_mappings(delta.get("tool_calls"))):
            _add_call(kept["tools"], call, place)
        if isinstance(delta.get("function_call"), Mapping):
            _add_call(kept["tools"], {"function": delta["function_call"]}, 0)


def _add_call(calls: dict[int, dict[str, Json]], delta: Mapping[str, Json], place: int) -> None:
    call = calls.setdefault(
        _call_index(calls, delta, place), {"id": None, "type": "function", "name": None, "arguments": []}
    )
    function = delta.get("function") or delta.get("custom") or {}
    call["id"] = delta.get("id") or call["id"]
    call["name"] = dig(function, "name") or call["name"]
    arguments = dig(function, "arguments") or dig(function, "input")
    if arguments:
        call["arguments"].append(arguments)


def _call_index(calls: Mapping[int, Mapping[str, Json]], delta: Mapping[str, Json], place: int) -> int:
    """Give which call a delta goes on with; without an index, a new id begins a new one."""
    if isinstance(delta.get("index"), int):
        return int(delta["index"])
    if delta.get("id"):
        return next((index for index, call in calls.items() if call["id"] == delta["id"]), len(calls))
    return max(calls, default=place)


def _joined(choice: Mapping[str, Json]) -> dict[str, Json]:
    calls = [choice["tools"][index] for index in sorted(choice["tools"])]
    message: dict[str, Json] = {key: "".join(pieces) for key, pieces in choice["texts"].items()}
    message["role"] = choice.get("role") or "assistant"
    message["tool_calls"] = [
        {"id": call["id"], "function": {"name": call["name"], "arguments": _whole_arguments(call["arguments"])}}
        for call in calls
    ]
    return {"message": message, "finish_reason": choice.get("finish_reason")}


def _whole_arguments(pieces: list[Json]) -> Json:
    return "".join(pieces) if all(isinstance(piece, str) for piece in pieces) else pieces[-1]


def _output(choice: Mapping[str, Json]) -> Message:
    message = choice.get("message")
    output = _message({"role": "assistant", **(message if isinstance(message, Mapping) else {})})
    return output | {"finish_reason": text(choice.get("finish_reason")) or "error"}


def _message(message: Mapping[str, Json]) -> Message:
    made: Message = {"role": str(message.get("role") or "user"), "parts": list(_parts(message))}
    if text(message.get("name")):
        made["name"] = message["name"]
    return made


def _parts(message: Mapping[str, Json]) -> Iterable[Part]:
    thought = text(message.get("reasoning_content")) or text(message.get("reasoning"))
    if thought:
        yield reasoning_part(thought)
    if message.get("role") in {"tool", "function"}:
        yield tool_response_part(message.get("tool_call_id"), _tool_result(message.get("content")))
    else:
        yield from _content(message.get("content"))
    if text(message.get("refusal")):
        yield refusal_part(message["refusal"])
    if isinstance(dig(message, "audio.data"), str):
        yield blob_part("audio", None, dig(message, "audio.data"))
    yield from _calls(message)


def _content(content: Json) -> Iterable[Part]:
    if isinstance(content, str):
        if content:
            yield text_part(content)
        return
    for item in content if isinstance(content, (list, tuple)) else ():
        if isinstance(item, str):
            yield text_part(item)
        elif isinstance(item, Mapping):
            yield _part(item)


def _part(item: Mapping[str, Json]) -> Part:
    kind = item.get("type")
    if kind in {"text", "refusal"}:
        return {"type": kind, "content": str(item.get("text") or item.get("refusal") or "")}
    if kind in {"image_url", "video_url"}:
        address = item.get(kind)
        return uri_part(kind[:5], str(dig(address, "url") if isinstance(address, Mapping) else address))
    if kind == "input_audio":
        name = dig(item, "input_audio.format")
        return blob_part("audio", f"audio/{name}" if name else None, dig(item, "input_audio.data"))
    if kind == "file":
        return _file(item.get("file"))
    return {**item, "type": str(kind or "generic")}


def _file(file: Json) -> Part:
    if text(dig(file, "file_id")):
        return file_part("document", file["file_id"])
    data = str(dig(file, "file_data") or "")
    part = uri_part("document", data) if data.startswith("data:") else blob_part("document", None, data)
    return part | ({"name": file["filename"]} if text(dig(file, "filename")) else {})


def _calls(message: Mapping[str, Json]) -> Iterable[Part]:
    for call in _mappings(message.get("tool_calls")):
        function = call.get("function") or call.get("custom") or {}
        yield tool_call_part(
            call.get("id"), dig(function, "name"), dig(function, "arguments") or dig(function, "input")
        )
    if isinstance(message.get("function_call"), Mapping):
        yield tool_call_part(None, message["function_call"].get("name"), message["function_call"].get("arguments"))


def _tool_result(content: Json) -> Json:
    """Give a tool's answer: text as text, a list of text parts as one."""
    items = _mappings(content)
    if items and all(item.get("type") == "text" for item in items):
        return "".join(str(item.get("text") or "") for item in items)
    return content


def _tools(body: Mapping[str, Json]) -> list[dict[str, Json]]:
    tools = [{"type": tool.get("type") or "function", **_definition(tool)} for tool in _mappings(body.get("tools"))]
    return tools + [{"type": "function", **function} for function in _mappings(body.get("functions"))]


def _definition(tool: Mapping[str, Json]) -> Mapping[str, Json]:
    inner = tool.get(str(tool.get("type") or "function"))
    return inner if isinstance(inner, Mapping) else tool


def _output_type(body: Mapping[str, Json]) -> str | None:
    if "audio" in (texts(body.get("modalities")) or ()):
        return "speech"
    return _FORMATS.get(str(dig(body, "response_format.type")))


def _mappings(value: Json) -> list[Mapping[str, Json]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []


def _index(item: Mapping[str, Json], position: int) -> int:
    index = item.get("index")
    return index if isinstance(index, int) else position


ENDPOINT = Endpoint("chat", request, response, Join)
