"""The chunks of a streamed chat completion → the response that the call would have given without streaming."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...binary import size_of
from ...jsontext import Json
from .._mapping import dig, fields, items, plain

_TOP = ("id", "model", "service_tier", "system_fingerprint", "usage", "error")
_WHOLE = frozenset({"usage", "choices"})
_CHOICE = frozenset({"index", "finish_reason", "delta"})
_TEXT_ALONE = frozenset({"content"})
_TEXTS = ("content", "refusal", "reasoning_content", "reasoning", "transcript")


class Join:
    """Folds chunks into the response that the call would have given without streaming.

    Survives what compatible servers send: `choices` or `delta` null, indexes missing, usage on every chunk (the last
    one counts), arguments that are no text, an empty first `model`.
    """

    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._usual: tuple[Any, Any, Any, Any] = (None, None, None, None)
        """The classes of a typed chunk, its choice and its delta, and the first choice: as soon as they are known."""

    def add(self, chunks: Iterable[Any]) -> None:
        """Take the next chunks, the client's objects or plain JSON.

        Nearly all have something for the first choice and nothing else, mostly a text, which is taken without a call: a
        stream's chunks are what an application has most of. By `__dict__`, as a model's attribute takes several times
        as long.
        """
        whole, part, inner, first = self._usual
        for chunk in chunks:
            if (
                type(chunk) is not whole
                or (body := chunk.__dict__)["usage"]
                or type(choices := body["choices"]) is not list
                or len(choices) != 1
                or type(choice := choices[0]) is not part
                or (told := choice.__dict__)["index"]
                or told["finish_reason"]
                or ((more := choice.__pydantic_extra__) and "usage" in more)
                or type(delta := told["delta"]) is not inner
            ):
                self._add(chunk)
                whole, part, inner, first = self._usual
            elif (
                delta.__pydantic_fields_set__ == _TEXT_ALONE
                and type(text := delta.__dict__["content"]) is str
                and not delta.__pydantic_extra__
            ):
                first.content.append(text)
            elif "x_groq" in (chunk.__pydantic_extra__ or ()):
                self._add(chunk)
            else:
                first.take(delta)

    def _add(self, chunk: Any) -> None:
        body = fields(chunk)
        if not self._top.get("model") or body.get("usage") or body.get("error"):
            self._top.update({key: body[key] for key in _TOP if body.get(key)})
        if body.get("x_groq"):
            self._top["usage"] = dig(body, "x_groq.usage") or self._top.get("usage")
        choices = body.get("choices")
        for position, choice in enumerate(choices if isinstance(choices, (list, tuple)) else ()):
            self._add_choice(fields(choice), position)
        if self._usual[0] is None and 0 in self._choices and self._top.get("model"):
            self._usual = (*_kinds(chunk), self._choices[0])

    def body(self) -> dict[str, Json]:
        """Give the response so far; what came whole, as usage, may be the client's object."""
        choices = [self._choices[index].body() for index in sorted(self._choices)]
        return {**self._top, "choices": choices}

    def _add_choice(self, choice: Mapping[str, Any], position: int) -> None:
        if choice.get("usage"):
            self._top["usage"] = choice["usage"]
        index = choice.get("index")
        index = index if isinstance(index, int) else position
        if index not in self._choices:
            self._choices[index] = _Choice()
        self._choices[index].add(choice)


def _kinds(chunk: Any) -> tuple[Any, Any, Any]:
    """Give the classes of a typed chunk, its choice and its delta; none unless they have what `add` looks at."""
    choices = fields(chunk).get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    delta = fields(choice).get("delta")
    known = _has(chunk, _WHOLE) and _has(choice, _CHOICE) and _has(delta, _TEXT_ALONE)
    return (type(chunk), type(choice), type(delta)) if known else (None, None, None)


def _has(model: Any, keys: frozenset[str]) -> bool:
    return hasattr(model, "__pydantic_extra__") and keys.issubset(model.__dict__)


class _Choice:
    """One choice of a stream."""

    def __init__(self) -> None:
        self._role = "assistant"
        self._finish_reason: Json = None
        self.content: list[str] = []
        self._texts: dict[str, list[str]] = {"content": self.content}
        self._calls: dict[int, _ToolCall] = {}
        self._sound = 0

    def add(self, choice: Mapping[str, Any]) -> None:
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        self.take(choice.get("delta"))

    def take(self, delta: Any) -> None:
        """Take what a chunk adds to it."""
        for key, piece in fields(delta).items():
            if piece:  # of a typed delta, all but one are None
                self._take(key, piece)

    def body(self) -> dict[str, Json]:
        message: dict[str, Json] = {key: "".join(pieces) for key, pieces in self._texts.items()}
        if self._sound or "transcript" in message:
            message["audio"] = {"transcript": message.pop("transcript", None), "size": self._sound}
        calls = [self._calls[index].body() for index in sorted(self._calls)]
        return {"message": message | {"role": self._role, "tool_calls": calls}, "finish_reason": self._finish_reason}

    def _take(self, key: str, piece: Any) -> None:
        if key in _TEXTS:
            if isinstance(piece, str):
                self._texts.setdefault(key, []).append(piece)
        elif key == "role":
            self._role = piece
        elif key == "audio":
            self._hear(fields(piece))
        elif key == "function_call":
            self._call({}, 0).add({"function": piece})
        elif key == "tool_calls":
            for place, call in enumerate(items(piece)):
                self._call(call, place).add(call)

    def _hear(self, audio: Mapping[str, Any]) -> None:
        """Take the words of what is spoken; of the sound nothing but its size."""
        self._take("transcript", audio.get("transcript"))
        if isinstance(audio.get("data"), str):
            self._sound += size_of(audio["data"])

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
