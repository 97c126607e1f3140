"""What endpoints without messages take as `input` or `prompt`: texts, token ids, parts."""

from __future__ import annotations

from collections.abc import Iterable

from ...jsontext import Json
from .._mapping import dig, fields
from .._messages import Message, Part, text_part, tokens_part, uri_part


def one_message(value: Json) -> list[Message] | None:
    """Give all inputs as the parts of one message; None when there are none."""
    said = list(_parts(value))
    return [{"role": "user", "parts": said}] if said else None


def a_message_each(value: Json) -> list[Message] | None:
    """Give each input as a message of its own; None when there are none."""
    return [{"role": "user", "parts": [part]} for part in _parts(value)] or None


def _parts(value: Json) -> Iterable[Part]:
    if isinstance(value, (list, tuple)) and not _is_tokens(value):
        return filter(None, map(_part, value))
    part = _part(value)
    return [part] if part else []


def _part(item: Json) -> Part | None:
    if isinstance(item, str):
        return text_part(item)
    if isinstance(item, (list, tuple)):
        return tokens_part(len(item))
    view = fields(item)
    if view.get("type") == "text":
        return text_part(str(view.get("text") or ""))
    if view.get("type") == "image_url":
        return uri_part("image", str(dig(view, "image_url.url") or view.get("image_url")))
    return {**view, "type": str(view.get("type") or "generic")} if view else None


def _is_tokens(value: list[Json] | tuple[Json, ...]) -> bool:
    """Say whether a list is one text as token ids: the first one tells, there may be thousands."""
    return bool(value) and isinstance(value[0], int)
