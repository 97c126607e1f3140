"""Messages and parts in the schema of the GenAI conventions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from ..jsontext import Json, loads_or
from ._mapping import fields, text

Part = dict[str, Json]


class Message(TypedDict, total=False):
    """What one side said: a role as the API gave it, parts in order, and a name if there is one."""

    role: str
    parts: list[Part]
    name: str
    finish_reason: str


def text_part(content: str) -> Part:
    """Give plain text."""
    return {"type": "text", "content": content}


def tokens_part(count: int) -> Part:
    """Give a text that was sent as token ids: by their number."""
    return {"type": "tokens", "count": count}


def reasoning_part(content: str) -> Part:
    """Give what the model thought before it answered."""
    return {"type": "reasoning", "content": content}


def refusal_part(content: str) -> Part:
    """Give why the model did not answer; the conventions have no such part yet."""
    return {"type": "refusal", "content": content}


def tool_call_part(call_id: Json, name: Json, arguments: Json) -> Part:
    """Give a call of a tool; arguments that are JSON text become the value they say."""
    said = loads_or(arguments, arguments) if isinstance(arguments, str) else arguments
    return {"type": "tool_call", "id": call_id, "name": name or "", "arguments": said}


def tool_response_part(call_id: Json, response: Json) -> Part:
    """Give what a tool answered."""
    return {"type": "tool_call_response", "id": call_id, "response": response}


def uri_part(modality: str, uri: str) -> Part:
    """Give a reference; a data URL becomes a blob, which the content policy digests."""
    if not uri.startswith("data:"):
        return {"type": "uri", "modality": modality, "uri": uri}
    head, _, data = uri.partition(",")
    return blob_part(modality, head[5:].split(";", 1)[0] or None, data)


def blob_part(modality: str, mime_type: str | None, content: Any) -> Part:
    """Give binary data, still as base64 or bytes; the content policy replaces it by size and sha256."""
    part = {"type": "blob", "modality": modality, "mime_type": mime_type, "content": content}
    return {key: value for key, value in part.items() if value is not None}


def upload_part(modality: str, file: Mapping[str, Json]) -> Part:
    """Give a file that is sent along: by its name only, unless its bytes are in memory anyway."""
    part = blob_part(modality, file.get("mime_type"), file.get("content"))
    purpose = file.get("field") if file.get("field") not in {"file", "image"} else None  # "mask", for one
    about = {"name": file.get("name"), "purpose": purpose}
    return part | {key: value for key, value in about.items() if value}


def sized_part(modality: str, mime_type: str | None, size: Json) -> Part:
    """Give binary data of which only the size is known."""
    return blob_part(modality, mime_type, None) | {"size": size}


def file_part(modality: str, file_id: str) -> Part:
    """Give a file that the provider already has."""
    return {"type": "file", "modality": modality, "file_id": file_id}


def tool_definition(tool: Mapping[str, Json]) -> dict[str, Json]:
    """Give what a tool says of itself, on one level; one without a name is called by its type."""
    kind = text(tool.get("type")) or "function"
    said = fields(tool.get(kind)) or tool
    head: dict[str, Json] = {"type": kind, "name": text(said.get("name")) or kind}
    return head | dict(said) | head


def generic_part(kind: str, said: Mapping[str, Json]) -> Part:
    """Give what the conventions have no part for."""
    head: Part = {"type": "generic", "generic_type": kind}
    return head | dict(said) | head
