"""Messages as the text that a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import jsontext
from .jsontext import Json


def read(attribute: object, *, names: bool = True) -> tuple[list[Json] | None, str | None]:
    """Give the messages and their text; an attribute that a length limit has cut is text only."""
    if not isinstance(attribute, str):
        return None, None
    messages = jsontext.loads_or(attribute)
    if not isinstance(messages, list):
        return None, attribute
    texts = [(message.get("role"), _text_of(message)) for message in messages if isinstance(message, dict)]
    if names and len(texts) > 1:
        return messages, "\n\n".join(f"{role}: {text}" for role, text in texts)
    return messages, "\n\n".join(text for _, text in texts)


def _text_of(message: Mapping[str, Json]) -> str:
    parts = message.get("parts")
    texts = (_part_text(part) for part in parts if isinstance(part, dict)) if isinstance(parts, list) else ()
    return "\n".join(filter(None, texts))


def _part_text(part: Mapping[str, Json]) -> str:
    kind = part.get("type")
    if kind in {"text", "refusal"}:
        return str(part.get("content") or "")
    if kind == "tool_call":
        arguments = part.get("arguments")
        return f"[call {part.get('name')} {arguments if isinstance(arguments, str) else jsontext.text(arguments)}]"
    if kind == "tool_call_response":
        response = part.get("response")
        return response if isinstance(response, str) else jsontext.text(response)
    if kind in {"blob", "uri", "file"}:
        about = next(filter(None, map(part.get, ("uri", "name", "mime_type", "file_id"))), "")
        return f"[{part.get('modality')} {about}]"
    return ""


def turns(messages: Sequence[Json]) -> int:
    """Count the messages that are no instructions to the model."""
    roles = [message.get("role") for message in messages if isinstance(message, dict)]
    return sum(role not in {"system", "developer"} for role in roles)
