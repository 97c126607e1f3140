"""What of a prompt or response may be kept; decided at the source, before anything is set on a span."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import jsontext, semconv
from .guard import guard
from .jsontext import Json

Attributes: TypeAlias = dict[str, Any]

CONTENT = frozenset({
    semconv.INPUT_MESSAGES,
    semconv.OUTPUT_MESSAGES,
    semconv.TOOL_DEFINITIONS,
    semconv.REQUEST_PARAMETERS,
})  # fmt: skip
"""Attributes that hold what was said: absent when content is not captured."""

_FILTERED = CONTENT | {semconv.METADATA, semconv.ERROR_MESSAGE}
_STRUCTURED = CONTENT - {semconv.REQUEST_PARAMETERS}
_FRAME = frozenset({"type", "role", "id", "name", "modality", "mime_type", "parts", "file_id"})
"""Keys of messages, parts and tool definitions that frame what was said; everything under another key was said."""

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.+-]+)*;base64,([A-Za-z0-9+/_=-]{16,})", re.ASCII)
_URL_SAFE = str.maketrans("-_", "+/")

Filter: TypeAlias = Callable[[str], "str | None"]


@dataclass(frozen=True)
class ContentPolicy:
    """Turns attributes with plain JSON values into what may be set on a span.

    Binary data becomes its media type, size and sha256; the filter sees each text; a text over `max_chars` is cut and its
    message part marked. Fails closed: an attribute whose filter fails is dropped, and named in
    `spantape.content.dropped`.
    """

    capture: bool = True
    max_chars: int = 1_000_000
    filter: Filter | None = None

    def keep(self, attributes: Mapping[str, Any]) -> Attributes:
        """Give the attributes as they may be set: content as JSON text, or absent."""
        kept: Attributes = {}
        dropped: list[str] = []
        for name, value in attributes.items():
            if value is None or (name in CONTENT and not self.capture):
                continue
            if name not in _FILTERED:
                kept[name] = value
                continue
            with guard:
                dropped.append(name)
                kept[name] = self._safe(name, value)
                dropped.pop()
        return kept | ({semconv.CONTENT_DROPPED: dropped} if dropped else {})

    def _safe(self, name: str, value: Json) -> str:
        clean = _Cleaner(self, structured=name in _STRUCTURED).clean(value)
        return clean if isinstance(clean, str) else jsontext.text(clean)


class _Cleaner:
    """Walks one JSON value; remembers for the message part at hand whether, and from what length, a text was cut."""

    def __init__(self, policy: ContentPolicy, *, structured: bool) -> None:
        self._policy = policy
        self._structured = structured
        self._cut_from = 0

    def clean(self, value: Json) -> Json:
        return self._walk(value, said=not self._structured)

    def _walk(self, value: Json, said: bool) -> Json:
        if isinstance(value, str):
            return self._text(value) if said else value
        if isinstance(value, (list, tuple)):
            return [self._walk(item, said) for item in value]
        if not isinstance(value, Mapping):
            return value
        if said:
            return {key: self._walk(item, said=True) for key, item in value.items()}
        return self._part(value)

    def _part(self, value: Mapping[str, Json]) -> Json:
        around, self._cut_from = self._cut_from, 0
        blob = digest(str(value.get("content", ""))) if value.get("type") == "blob" else {}
        part = {
            key: self._walk(item, key not in _FRAME) for key, item in value.items() if not (blob and key == "content")
        }
        if self._cut_from:
            part |= {"truncated": True, "original_length": self._cut_from}
        self._cut_from = around
        return part | blob

    def _text(self, value: str) -> str | None:
        if "base64," in value:
            value = _DATA_URL.sub(_digested, value)
        text = _filtered(self._policy.filter, value) if self._policy.filter else value
        if text is None or len(text) <= self._policy.max_chars:
            return text
        self._cut_from = max(self._cut_from, len(text))
        return text[: self._policy.max_chars] + ("" if self._structured else f"… [cut from {len(text)} characters]")


def digest(encoded: str) -> dict[str, Json]:
    """Give the size in bytes and the sha256 of what base64 text holds (of the text itself when it is not base64)."""
    try:
        data = base64.b64decode(encoded.translate(_URL_SAFE), validate=False)
    except (binascii.Error, ValueError):
        data = encoded.encode("utf-8", "replace")
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _digested(match: re.Match[str]) -> str:
    about = digest(match[2])
    return f"[{match[1]}, {about['size']} bytes, sha256 {about['sha256']}]"


def _filtered(keep: Filter, value: str) -> str | None:
    result = keep(value)
    if result is not None and not isinstance(result, str):
        raise TypeError(f"content_filter gave {type(result).__name__}; give a str, or None to remove the text")
    return result
