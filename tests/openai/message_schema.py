"""The conventions' schema of messages, their parts and tool definitions, and a check of plain JSON against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Part:
    """Fields by type: those that have to be there, and those that may be, or may be null."""

    required: Mapping[str, type]
    optional: Mapping[str, type] = field(default_factory=dict)


_ID, _MIME = {"id": str}, {"mime_type": str}
PARTS: Mapping[str, Part] = {
    "text": Part({"content": str}),
    "reasoning": Part({"content": str}),
    "tool_call": Part({"name": str}, _ID),
    "tool_call_response": Part({"response": object}, _ID),
    "server_tool_call": Part({"name": str, "server_tool_call": dict}, _ID),
    "server_tool_call_response": Part({"server_tool_call_response": dict}, _ID),
    # Ours: the conventions have `content`, the bytes; of those we keep the size and, of what passes whole, the digest.
    "blob": Part({"modality": str}, _MIME | {"size": int, "sha256": str}),
    "file": Part({"modality": str, "file_id": str}, _MIME),
    "uri": Part({"modality": str, "uri": str}, _MIME),
    "compaction": Part({}, _ID | {"content": str}),
}
"""A part of another type is generic: it has a type, and anything else."""
_INNER = ("server_tool_call", "server_tool_call_response")


def messages(value: Any, where: str) -> Iterable[str]:
    """Tell what is wrong with a list of messages."""
    yield from _list(value, where)
    for place, message in enumerate(value if isinstance(value, list) else ()):
        at = f"{where}[{place}]"
        if not isinstance(message, dict) or not isinstance(message.get("parts"), list):
            yield f"{at} has no list of parts"
            continue
        yield from _fields(message, {"role": str}, {"name": str, "finish_reason": str}, at)
        for number, part in enumerate(message["parts"]):
            yield from _part(part, f"{at}.parts[{number}]")


def instructions(value: Any, where: str) -> Iterable[str]:
    """Tell what is wrong with system instructions, which are parts of text."""
    yield from _list(value, where)
    for place, part in enumerate(value if isinstance(value, list) else ()):
        yield from _part(part, f"{where}[{place}]")
        if isinstance(part, dict) and part.get("type") != "text":
            yield f"{where}[{place}] is a part of type {part.get('type')!r}"


def tools(value: Any, where: str) -> Iterable[str]:
    """Tell what is wrong with tool definitions."""
    yield from _list(value, where)
    for place, tool in enumerate(value if isinstance(value, list) else ()):
        yield from _fields(tool, {"type": str, "name": str}, {"description": str}, f"{where}[{place}]")
        if isinstance(tool, dict) and not tool.get("name"):
            yield f"{where}[{place}] has an empty name"


CHECKS = {
    "gen_ai.input.messages": messages,
    "gen_ai.output.messages": messages,
    "gen_ai.system_instructions": instructions,
    "gen_ai.tool.definitions": tools,
}


def _list(value: Any, where: str) -> Iterable[str]:
    if not isinstance(value, list) or not value:
        yield f"{where} is no list with something in it"


def _part(part: Any, where: str) -> Iterable[str]:
    known = PARTS.get(str(part.get("type")) if isinstance(part, dict) else "", Part({}))
    yield from _fields(part, {"type": str, **known.required}, known.optional, where)
    if not isinstance(part, dict):
        return
    if part.get("type") == "uri" and str(part.get("uri")).startswith("data:"):
        yield f"{where} is a data: URL"
    if part.get("type") == "blob" and "content" in part:
        yield f"{where} has bytes"
    if part.get("type") == "generic" and not isinstance(part.get("generic_type"), str):
        yield f"{where} is generic without a generic_type"
    for name in _INNER:
        if part.get("type") == name:
            yield from _fields(part.get(name), {"type": str}, {}, f"{where}.{name}")


def _fields(value: Any, required: Mapping[str, type], optional: Mapping[str, type], where: str) -> Iterable[str]:
    if not isinstance(value, dict):
        yield f"{where} is no object"
        return
    for name, kind in required.items():
        if name not in value or not isinstance(value[name], kind):
            yield f"{where}.{name} is {value.get(name)!r}, not a {kind.__name__}"
    for name, kind in optional.items():
        if value.get(name) is not None and not isinstance(value[name], kind):
            yield f"{where}.{name} is {value[name]!r}, not a {kind.__name__}"
