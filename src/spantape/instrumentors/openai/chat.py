"""Chat completions: request, response and chunks → attributes; pure functions of plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._mapping import Table, dig, fields, flag, items, number, pick, plain, text, texts, whole
from .._messages import (
    Message,
    Part,
    blob_part,
    file_part,
    reasoning_part,
    refusal_part,
    text_part,
    tool_call_part,
    tool_definition,
    tool_response_part,
    uri_part,
)
from .usage import tokens

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
_TOP = ("id", "model", "service_tier", "system_fingerprint", "usage")
_DELTA = ("role", "content", "tool_calls", "refusal", "function_call", "__pydantic_extra__")
_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")
_SPEAKERS = frozenset({"system", "developer", "user", "assistant"})
_FORMATS = {"json_object": "json", "json_schema": "json", "text": "text"}
_ELSEWHERE = frozenset({"model", "messages", "tools", "functions", *_REQUEST} - {"max_completion_tokens"})


def request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what is about to be sent."""
    count = whole(body.get("n"))
    tier = text(body.get("service_tier"))
    return pick(_REQUEST, body) | {
        semconv.OPENAI_API_TYPE: "chat_completions",
        semconv.REQUEST_CHOICE_COUNT: count if count != 1 else None,
        semconv.OPENAI_REQUEST_SERVICE_TIER: tier if tier != "auto" else None,
        semconv.OUTPUT_TYPE: _output_type(body),
    }


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give what was said to the model."""
    parameters = {key: value for key, value in body.items() if key not in _ELSEWHERE}
    return {
        semconv.INPUT_MESSAGES: [_message(one) for one in items(body.get("messages"))],
        semconv.TOOL_DEFINITIONS: _tools(body) or None,
        semconv.REQUEST_PARAMETERS: parameters or None,
    }


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back, whole or joined from chunks."""
    choices = items(body.get("choices"))
    usage = body.get("usage") or next((one["usage"] for one in choices if one.get("usage")), None)
    return pick(_RESPONSE, body) | tokens(usage) | {
        semconv.RESPONSE_FINISH_REASONS: [text(one.get("finish_reason")) or "error" for one in choices] or None,
    }  # fmt: skip


def answered(body: Mapping[str, Json]) -> Attributes:
    """Give what the model said."""
    return {semconv.OUTPUT_MESSAGES: [_output(one) for one in items(body.get("choices"))] or None}


class Join:
    """Folds chunks into the response that the call would have given without streaming.

    Survives what compatible servers send: `choices` or `delta` null, indexes missing, usage on every chunk (the last
    one counts), arguments that are no text, an empty first `model`.
    """

    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._kinds: tuple[Any, Any, Any] | None = None

    def add(self, chunks: Iterable[Any]) -> None:
        """Take the next chunks, the client's objects or plain JSON."""
        for chunk in chunks:
            piece = self._piece(chunk)
            if piece is None:
                self._add(chunk)
            else:
                self._choices[0].content.append(piece)

    def _piece(self, chunk: Any) -> str | None:
        """Give the text of a chunk that has text for the first choice and nothing else, as nearly all have.

        Looked at by attributes, without a call: a stream's chunks are what an application has most of.
        """
        if self._kinds is None or type(chunk) is not self._kinds[0] or chunk.usage:
            return None
        choices = chunk.choices
        if type(choices) is not list or len(choices) != 1:
            return None
        choice = choices[0]
        if type(choice) is not self._kinds[1] or choice.index != 0 or choice.finish_reason or choice.__pydantic_extra__:
            return None
        delta = choice.delta
        if type(delta) is not self._kinds[2] or delta.role or delta.tool_calls or delta.refusal or delta.function_call:
            return None
        return delta.content if type(delta.content) is str and not delta.__pydantic_extra__ else None

    def _add(self, chunk: Any) -> None:
        body = fields(chunk)
        if not self._top.get("model") or body.get("usage"):
            self._top.update({key: body[key] for key in _TOP if body.get(key)})
        choices = body.get("choices")
        for position, choice in enumerate(choices if isinstance(choices, (list, tuple)) else ()):
            self._add_choice(fields(choice), position)
        if 0 in self._choices and self._top.get("model") and hasattr(chunk, "__pydantic_extra__"):
            self._kinds = _kinds(chunk)

    def body(self) -> dict[str, Json]:
        """Give the response so far."""
        choices = [self._choices[index].body() for index in sorted(self._choices)]
        return {**plain(self._top), "choices": choices}

    def _add_choice(self, choice: Mapping[str, Any], position: int) -> None:
        if choice.get("usage"):
            self._top["usage"] = choice["usage"]
        index = choice.get("index")
        index = index if isinstance(index, int) else position
        if index not in self._choices:
            self._choices[index] = _Choice()
        self._choices[index].add(choice)


def _kinds(chunk: Any) -> tuple[Any, Any, Any] | None:
    """Give the classes of a typed chunk, its choice and its delta; None unless they have what `_piece` looks at."""
    choices = fields(chunk).get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    delta = getattr(choice, "delta", None)
    known = hasattr(choice, "finish_reason") and all(hasattr(delta, key) for key in _DELTA)
    return (type(chunk), type(choice), type(delta)) if known and hasattr(chunk, "usage") else None


class _Choice:
    """One choice of a stream."""

    def __init__(self) -> None:
        self._role = "assistant"
        self._finish_reason: Json = None
        self.content: list[str] = []
        self._texts: dict[str, list[str]] = {"content": self.content}
        self._calls: dict[int, _ToolCall] = {}

    def add(self, choice: Mapping[str, Any]) -> None:
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        for key, piece in fields(choice.get("delta")).items():
            if piece:  # of a typed delta, all but one are None
                self._take(key, piece)

    def body(self) -> dict[str, Json]:
        message: dict[str, Json] = {key: "".join(pieces) for key, pieces in self._texts.items()}
        calls = [self._calls[index].body() for index in sorted(self._calls)]
        return {"message": message | {"role": self._role, "tool_calls": calls}, "finish_reason": self._finish_reason}

    def _take(self, key: str, piece: Any) -> None:
        if key in _TEXTS:
            if isinstance(piece, str):
                self._texts.setdefault(key, []).append(piece)
        elif key == "role":
            self._role = piece
        elif key == "function_call":
            self._call({}, 0).add({"function": piece})
        elif key == "tool_calls":
            for place, call in enumerate(items(piece)):
                self._call(call, place).add(call)

    def _call(self, delta: Mapping[str, Any], place: int) -> _ToolCall:
        return self._calls.setdefault(self._call_index(delta, place), _ToolCall())

    def _call_index(self, delta: Mapping[str, Any], place: int) -> int:
        """Give which call a delta goes on with; without an index, a new id begins a new one."""
        index, call_id = delta.get("index"), delta.get("id")
        if isinstance(index, int):
            return index
        if call_id:
            return next((at for at, call in self._calls.items() if call.id == call_id), len(self._calls))
        return max(self._calls, default=place)


class _ToolCall:
    """One tool call of a stream; its arguments come in pieces."""

    def __init__(self) -> None:
        self.id: Json = None
        self._name: Json = None
        self._arguments: list[Json] = []

    def add(self, delta: Mapping[str, Any]) -> None:
        function = fields(delta.get("function") or delta.get("custom"))
        self.id = delta.get("id") or self.id
        self._name = function.get("name") or self._name
        arguments = function.get("arguments") or function.get("input")
        if arguments:
            self._arguments.append(arguments)

    def body(self) -> dict[str, Json]:
        pieces = self._arguments
        arguments = "".join(pieces) if all(isinstance(piece, str) for piece in pieces) else plain(pieces[-1])
        return {"id": self.id, "function": {"name": self._name, "arguments": arguments}}


def _output(choice: Mapping[str, Json]) -> Message:
    output = _message({"role": "assistant", **fields(choice.get("message"))})
    return output | {"finish_reason": text(choice.get("finish_reason")) or "error"}


def _message(message: Mapping[str, Json]) -> Message:
    content, role = message.get("content"), message.get("role")
    if len(message) == 2 and type(content) is type(role) is str and content and role in _SPEAKERS:
        return {"role": role, "parts": [{"type": "text", "content": content}]}  # as nearly all are
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
    spoken = fields(message.get("audio")).get("data")
    if isinstance(spoken, str):
        yield blob_part("audio", None, spoken)
    yield from _calls(message)


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


def _output_type(body: Mapping[str, Json]) -> str | None:
    if "audio" in (texts(body.get("modalities")) or ()):
        return "speech"
    return _FORMATS.get(str(dig(body, "response_format.type")))


ENDPOINT = Endpoint("chat", request, response, asked, answered, Join, tells_usage_if_asked=True)
