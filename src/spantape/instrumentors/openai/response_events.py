"""The events of a streamed response → the response that the call would have given without streaming."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...jsontext import Json
from .._mapping import fields, items, plain

_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
# Which text an event goes on with: the item's type, the key of its list, the parts' type, the key of the text.
_LISTED: Mapping[str, tuple[str, str, str, str]] = {
    "response.output_text.delta": ("message", "content", "output_text", "text"),
    "response.refusal.delta": ("message", "content", "refusal", "refusal"),
    "response.reasoning_text.delta": ("reasoning", "content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary", "summary_text", "text"),
}
_SINGLE: Mapping[str, tuple[str, str]] = {
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
    "response.mcp_call_arguments.delta": ("mcp_call", "arguments"),
    "response.code_interpreter_call_code.delta": ("code_interpreter_call", "code"),
}


class Join:
    """Folds events; the last one usually has the whole response, a stream that is left early what came until then."""

    def __init__(self) -> None:
        self._response: Any = None
        self._is_whole = False
        self._items: dict[int, _Item] = {}
        self._error: dict[str, Json] | None = None

    def add(self, chunks: Iterable[Any]) -> None:
        """Take the next events, the client's objects or plain JSON."""
        for chunk in chunks:
            event = fields(chunk)
            kind = str(event.get("type"))
            if kind in _LISTED or kind in _SINGLE:
                self._item(event).add(kind, event)
            elif kind in {"response.output_item.added", "response.output_item.done"}:
                self._item(event).begin(event.get("item"))
            elif kind == "error":
                self._error = {key: plain(event.get(key)) for key in ("code", "message", "param")}
            elif event.get("response") is not None:
                self._response = event["response"]
                self._is_whole = kind in _LAST

    def body(self) -> dict[str, Json]:
        """Give the response so far."""
        body: dict[str, Json] = plain(fields(self._response)) or {}
        # Some servers leave the output out of the last event, too.
        if self._items and not (self._is_whole and items(body.get("output"))):
            body["output"] = [self._items[index].body() for index in sorted(self._items)]
        if self._error is not None:
            body |= {"error": self._error, "status": "failed"}
        return body

    def _item(self, event: Mapping[str, Any]) -> _Item:
        index = event.get("output_index")
        index = index if isinstance(index, int) else max(self._items, default=0)
        return self._items.setdefault(index, _Item())


class _Item:
    """One item of the output; its texts come in pieces until the item itself comes once more, with all of them."""

    def __init__(self) -> None:
        self._given: dict[str, Json] = {}
        self._texts: dict[str, list[str]] = {}
        self._lists: dict[str, dict[int, tuple[str, str, list[str]]]] = {}
        self._type = "message"

    def begin(self, item: Any) -> None:
        # A copy: the client's own stream helper writes the pieces to come into the item.
        self._given = plain(fields(item)) or {}
        self._texts.clear()
        self._lists.clear()

    def add(self, kind: str, event: Mapping[str, Any]) -> None:
        delta = event.get("delta")
        if not isinstance(delta, str):
            return
        if kind in _SINGLE:
            self._type, key = _SINGLE[kind]
            self._texts.setdefault(key, []).append(delta)
            return
        self._type, name, part, key = _LISTED[kind]
        place = event.get("content_index" if name == "content" else "summary_index")
        parts = self._lists.setdefault(name, {})
        parts.setdefault(place if isinstance(place, int) else 0, (part, key, []))[2].append(delta)

    def body(self) -> dict[str, Json]:
        texts = {key: str(self._given.get(key) or "") + "".join(pieces) for key, pieces in self._texts.items()}
        lists = {
            name: [{"type": part, key: "".join(pieces)} for _, (part, key, pieces) in sorted(parts.items())]
            for name, parts in self._lists.items()
        }
        return {"type": self._type, **self._given, **texts, **lists}
