"""What of a prompt or response may be kept; decided at the source, before anything is set on a span."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from . import jsontext, semconv
from .guard import guard
from .jsontext import Json, whole

Attributes: TypeAlias = dict[str, Any]
Filter: TypeAlias = Callable[[str], "str | None"]

PARTS = frozenset(
    {semconv.SYSTEM_INSTRUCTIONS, semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES, semconv.TOOL_DEFINITIONS}
)
"""Attributes that hold messages, their parts, or tool definitions."""
CONTENT = PARTS | {semconv.REQUEST_PARAMETERS, semconv.ERROR_MESSAGE}
"""Attributes that hold what was said (an error's message quotes it): see `is_content`."""

_NUMBERS = frozenset({int, float, bool})
_FILTERED = frozenset({semconv.METADATA, semconv.TOPIC})
_LABELS = frozenset({"type", "role", "id", "modality", "mime_type", "file_id", "finish_reason"})
"""Keys of messages and parts that say what they are; everything under another key was said."""

_DATA_URL = re.compile(r"data:([^\s,;]{0,100})(?:;[^\s,;]{0,200}){0,8};base64,([\w+/%-]+=*)", re.ASCII | re.IGNORECASE)
_BASE64 = re.compile(rb";[bB][aA][sS][eE]64,")
_BLOB = b'"type":"blob"'
_LONG_RUN = re.compile(r"(?<![\w+/-])[\w+/-]{1024,}={0,2}", re.ASCII)
_RUN = re.compile(rb"[\w+/-]{64}", re.ASCII)
_PACKED = re.compile(r"(?=.*[a-z])(?=.*[A-Z]).*[0-9]", re.ASCII)
_MOST_HASHED = 8 * 1024 * 1024
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def is_content(name: str) -> bool:
    """Say whether an attribute holds what was said: it is absent when content is not captured."""
    return name in CONTENT or name.startswith(semconv.PROMPT_VARIABLE)


def without_content(attributes: Mapping[str, Any]) -> Attributes:
    """Give the attributes but for what was said."""
    return {name: value for name, value in attributes.items() if not is_content(name)}


@lru_cache(maxsize=1024)
def _is_filtered(name: str) -> bool:
    return name in _FILTERED or is_content(name)


@dataclass(frozen=True)
class ContentPolicy:
    """Turns attributes with plain JSON values into what may be set on a span.

    Binary data becomes its media type, size and sha256; the filter sees each text; a text over `max_chars` is cut and
    its message part marked. Fails closed: an attribute whose filter fails is dropped, and named in
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
            kind = type(value)
            if kind in _NUMBERS or (kind is str and value.isascii() and not _is_filtered(name)):
                kept[name] = value  # as most are
            elif value is not None:
                dropped.append(name)
                with guard:
                    clean = self._kept(name, value)
                    if clean is not None:
                        kept[name] = clean
                    dropped.pop()
        if dropped:
            kept[semconv.CONTENT_DROPPED] = dropped
        return kept

    def _kept(self, name: str, value: Any) -> Any:
        if not _is_filtered(name):
            return _sound(value)
        if is_content(name) and not self.capture:
            return None
        if self.filter is None and not isinstance(value, str):
            data = jsontext.dumps(value)
            if len(data) <= self.max_chars and _BLOB not in data and not _may_hold_binary(data):
                return data.decode()  # nothing in it is to be changed, as in most calls
        try:
            clean = self._clean(name, value)
        except RecursionError:  # it lies in itself, or is nested deeper than Python goes
            if self.filter is not None:
                raise
            clean = self._clean(name, jsontext.mended(value))
        return _sound(clean) if clean is None or isinstance(clean, str) else jsontext.text(clean)

    def _clean(self, name: str, value: Json) -> Json:
        structured = name in PARTS
        cleaner = _Cleaner(self, structured=structured)
        return cleaner.parts(value) if structured else cleaner.said(value)


class _Cleaner:
    """Walks one JSON value; remembers for the message part at hand whether, and from what length, a text was cut."""

    def __init__(self, policy: ContentPolicy, *, structured: bool) -> None:
        self._policy = policy
        self._structured = structured
        self._cut_from = 0

    def parts(self, value: Json) -> Json:
        """Clean messages, their parts, or tool definitions."""
        if isinstance(value, Mapping):
            return self._part(value)
        return [self.parts(item) for item in value] if isinstance(value, (list, tuple)) else self.said(value)

    def said(self, value: Json) -> Json:
        """Clean what somebody said, however it is nested."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.said(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        if value.get("type") == "blob" and "modality" in value:  # in what a tool has answered, say
            return self._part(value)
        return {key: self.said(item) for key, item in value.items()}

    def _part(self, value: Mapping[str, Json]) -> Json:
        around, self._cut_from = self._cut_from, 0
        is_blob = value.get("type") == "blob"
        content = value.get("content")
        blob = digest(content) if is_blob and isinstance(content, (str, bytes)) else {}
        part = {key: self._entry(key, item) for key, item in value.items() if not (is_blob and key == "content")}
        if self._cut_from:
            part |= {"truncated": True, "original_length": self._cut_from}
        self._cut_from = around
        return part | blob

    def _entry(self, key: str, value: Json) -> Json:
        if key == "parts":
            return self.parts(value)
        return value if key in _LABELS and isinstance(value, str) else self.said(value)

    def _text(self, value: str) -> str | None:
        text = _filtered(self._policy.filter, _without_binary(value))
        if text is None or len(text) <= self._policy.max_chars:
            return text
        self._cut_from = max(self._cut_from, len(text))
        return text[: self._policy.max_chars] + ("" if self._structured else f"… [cut from {len(text)} characters]")


def digest(content: str | bytes) -> dict[str, Json]:
    """Give the size and the sha256 of bytes, or of what base64 text holds (of the text itself when it is not base64).

    Of bytes over 8 MB only the size: it is the caller, or his event loop, who waits for the hash (5 ms here).
    """
    data = content if isinstance(content, bytes) else _decoded(content)
    if content is data and len(data) > _MOST_HASHED:
        return {"size": len(data)}
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _decoded(encoded: str) -> bytes:
    with suppress(ValueError):  # what needs no mending, as nearly all, is decoded at once: mending takes as long again
        return base64.b64decode(encoded, validate=True)
    data = unquote_to_bytes(whole(encoded))
    packed = data.translate(_URL_SAFE, b"=\r\n\t ")
    with suppress(binascii.Error):
        data = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    return data


def _without_binary(text: str) -> str:
    if _may_hold_binary(text.encode("utf-8", "replace")):
        text = _DATA_URL.sub(lambda match: _described(match[1] or "text/plain", match[2]), text)
        text = _LONG_RUN.sub(_unpacked, text)
    return text


def _may_hold_binary(data: bytes) -> bool:
    """Say whether there may be a data URL or a long run of base64: looking for them takes far longer."""
    # Every run of 1024 has 64 of its characters at one of these places, and looking there costs next to nothing.
    is_told = b";" in data and _BASE64.search(data) is not None
    return is_told or any(_RUN.match(data, at) for at in range(960, len(data), 960))


def _unpacked(run: re.Match[str]) -> str:
    return _described("base64", run[0]) if _PACKED.match(run[0]) else run[0]


def _described(kind: str, encoded: str) -> str:
    about = digest(encoded)
    return f"[{kind}, {about['size']} bytes, sha256 {about['sha256']}]"


def _filtered(keep: Filter | None, text: str) -> str | None:
    if keep is None:
        return text
    result = keep(whole(text))
    if result is not None and not isinstance(result, str):
        raise TypeError(f"content_filter gave {type(result).__name__}; give a str, or None to remove the text")
    return result


def _sound(value: Any) -> Any:
    """Give a value whose texts every encoder takes: one bad attribute would cost an exporter its whole batch."""
    if isinstance(value, str):
        return whole(value)
    return [_sound(item) for item in value] if isinstance(value, (list, tuple)) else value
