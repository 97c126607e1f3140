"""What the body of a response says: JSON wherever it is JSON, else text, else only how large it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..jsontext import Json, loads_or

_OBJECT = re.compile(rb"[ \t\r\n]*(?:\{|\Z)")
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]+)", re.IGNORECASE)
_TEXTUAL = ("text/", "json", "xml", "subrip")


def body_of(data: bytes, content_type: str) -> Mapping[str, Json] | None:
    """Read a body; None when nothing can be said about it.

    The content decides before its declared type does: compatible servers send JSON as anything. What is neither JSON
    nor text is a picture or a sound: neither decoded nor hashed, not even copied.
    """
    body = loads_or(data) if may_be_object(data) else None
    if isinstance(body, dict):
        return body
    if "json" in content_type.lower() or not data:  # broken or cut JSON is no text that anybody has said
        return None
    return {"text": _decoded(data, content_type)} if is_text(content_type) else sized(content_type, len(data))


def sized(content_type: str, size: int) -> Mapping[str, Json]:
    """Give all that is kept of a binary body."""
    return {"content_type": content_type.partition(";")[0].strip().lower() or None, "size": size}


def events(data: bytes) -> Iterator[Json]:
    """Give the JSON of server-sent events, one by one."""
    for line in data.splitlines():
        chunk = loads_or(line[5:].strip()) if line.startswith(b"data:") else None
        if chunk is not None:
            yield chunk


def is_events(content_type: str) -> bool:
    """Say whether a body is a stream of server-sent events."""
    return "event-stream" in content_type.lower()


def is_text(content_type: str) -> bool:
    """Say whether a body is declared to be text, JSON included."""
    kind = content_type.partition(";")[0].lower()
    return any(word in kind for word in _TEXTUAL)


def may_be_object(data: bytes) -> bool:
    """Say whether a body, or its beginning, can be that of a JSON object."""
    return _OBJECT.match(data) is not None


def _decoded(data: bytes, content_type: str) -> str:
    # Not by the response's own `text`: looking at it would fix the encoding, which the user may still want to set.
    charset = _CHARSET.search(content_type)
    try:
        return data.decode(charset[1] if charset else "utf-8", "replace")
    except (LookupError, UnicodeError):  # a charset that does not exist
        return data.decode("utf-8", "replace")
