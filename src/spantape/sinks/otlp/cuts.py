"""Texts in plain JSON, cut to a length; marked as those are that `max_content_chars` has cut."""

from __future__ import annotations

from collections.abc import Mapping

from ...jsontext import Json


def longest(value: Json) -> int:
    """Give the length of the longest text."""
    if isinstance(value, str):
        return len(value)
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return max(map(longest, inside), default=0)


def cut_parts(value: Json, most: int) -> Json:
    """Cut messages, their parts, or tool definitions: whichever holds a cut text says so, and its original length."""
    if isinstance(value, list):
        return [cut_parts(item, most) for item in value]
    if not isinstance(value, Mapping):
        return cut_said(value, most)
    part: dict[str, Json] = {}
    cut_from = 0
    for key, item in value.items():
        if key == "parts":
            part[key] = cut_parts(item, most)
        else:
            part[key], length = _cut(item, most)
            cut_from = max(cut_from, length)
    # A text that had been cut before was longer still.
    marks = {"truncated": True, "original_length": part.get("original_length", cut_from)}
    return part | marks if cut_from else part


def cut_said(value: Json, most: int) -> Json:
    """Cut the texts of any other value; each says itself how long it was."""
    if isinstance(value, str):
        return value if len(value) <= most else f"{value[:most]}… [cut from {len(value)} characters]"
    if isinstance(value, list):
        return [cut_said(item, most) for item in value]
    return {key: cut_said(item, most) for key, item in value.items()} if isinstance(value, Mapping) else value


def _cut(value: Json, most: int) -> tuple[Json, int]:
    """Give the value, and the length of the longest text that was cut in it."""
    if isinstance(value, str):
        return (value, 0) if len(value) <= most else (value[:most], len(value))
    if isinstance(value, list):
        items = [_cut(item, most) for item in value]
        return [item for item, _ in items], max((length for _, length in items), default=0)
    if isinstance(value, Mapping):
        pairs = {key: _cut(item, most) for key, item in value.items()}
        return {key: item for key, (item, _) in pairs.items()}, max((length for _, length in pairs.values()), default=0)
    return value, 0
