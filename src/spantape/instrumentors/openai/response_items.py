"""Items of the Responses API, the parts of its input and output → messages and parts; pure functions of plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...jsontext import Json, loads_or
from .._mapping import dig, fields, items, plain, text
from .._messages import (
    Message,
    Part,
    blob_part,
    file_part,
    reasoning_part,
    refusal_part,
    text_part,
    tool_call_part,
    tool_response_part,
    uri_part,
)

_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_IMAGES = frozenset({"input_image", "computer_screenshot", "output_image"})
# Calls of tools that the application runs: their name, if the item has none, and where the arguments are.
_CALLS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "function_call": ("", ("arguments",)),
    "custom_tool_call": ("", ("input",)),
    "computer_call": ("computer", ("action", "actions", "pending_safety_checks")),
    "local_shell_call": ("local_shell", ("action",)),
    "shell_call": ("shell", ("action",)),
    "apply_patch_call": ("apply_patch", ("operation",)),
}
_RESULTS = frozenset({
    "function_call_output",
    "custom_tool_call_output",
    "computer_call_output",
    "local_shell_call_output",
    "shell_call_output",
    "apply_patch_call_output",
})  # fmt: skip
# Tools that the provider runs: their name, if the item has none, and which of the item's keys are their answer.
_SERVED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "web_search_call": ("web_search", ("results",)),
    "file_search_call": ("file_search", ("results",)),
    "code_interpreter_call": ("code_interpreter", ("outputs",)),
    "image_generation_call": ("image_generation", ("result", "error")),
    "mcp_call": ("mcp", ("output", "error")),
    "mcp_list_tools": ("mcp_list_tools", ("tools", "error")),
    "tool_search_call": ("tool_search", ()),
    "tool_search_output": ("tool_search", ("tools",)),
}
_LABELS = frozenset({"id", "call_id", "type", "name"})
_ROLES = {"mcp_approval_response": "user", **dict.fromkeys(_RESULTS, "tool")}
_SECRETS = frozenset({"headers", "authorization", "domain_secrets"})
_OWN_TOOLS = frozenset({"function", "custom", "namespace"})


def messages(sent: Json) -> list[Message]:
    """Give the messages of an input. What the model did is one message with what it had done just before."""
    if isinstance(sent, str):
        return [{"role": "user", "parts": [text_part(sent)]}]
    said: list[Message] = []
    for item in items(sent):
        role, parts, is_message = _role(item), list(_parts(item)), _kind(item) == "message"
        if said and role == "assistant" == said[-1]["role"] and not is_message:
            said[-1]["parts"] += parts
        elif parts or is_message:
            said.append({"role": role, "parts": parts})
    return said


def output_parts(output: Json) -> list[Part]:
    """Give the parts of what the model said and did."""
    return [part for item in items(output) for part in _parts(item)]


def instructions(given: Json) -> list[Part]:
    """Give the instructions, which are a text or, as a prompt template has them, items."""
    return [part for message in messages(given) for part in message["parts"]]


def tools(given: Json) -> list[dict[str, Json]]:
    """Give tool definitions; a built-in tool is named by its type; what it authenticates itself with is left out."""
    return [
        {**_tool(tool), "type": _kind(tool), "name": text(tool.get("name")) or _kind(tool)} for tool in items(given)
    ]


def is_compacted(given: Json) -> bool | None:
    """Say whether a summary stands for the conversation's beginning."""
    return any(_kind(item) == "compaction" for item in items(given)) or None


def is_tool_call(item: Mapping[str, Json]) -> bool:
    """Say whether the model waits for the application to run something."""
    return _kind(item) in _CALLS


def _kind(item: Mapping[str, Json]) -> str:
    return text(item.get("type")) or ("message" if "role" in item else "generic")


def _role(item: Mapping[str, Json]) -> str:
    return text(item.get("role")) or _ROLES.get(_kind(item), "assistant")


def _parts(item: Mapping[str, Json]) -> Iterable[Part]:
    kind = _kind(item)
    if kind == "message":
        return _content(item.get("content"))
    if kind == "reasoning":
        return _reasoning(item)
    if kind in _CALLS:
        return [_call(item, *_CALLS[kind])]
    if kind in _RESULTS:
        return [tool_response_part(_id(item), _result(item.get("output")))]
    if kind in _SERVED and item.get("execution") != "client":
        return _served(item, *_SERVED[kind])
    return [_generic(item)]


def _content(content: Json) -> Iterable[Part]:
    if isinstance(content, str):
        return [text_part(content)] if content else []
    found = content if isinstance(content, (list, tuple)) else ()
    return [text_part(one) if isinstance(one, str) else _part(fields(one)) for one in found if one]


def _part(item: Mapping[str, Json]) -> Part:
    kind = _kind(item)
    if kind in _TEXTS:
        cited = plain(item.get("annotations"))
        return text_part(str(item.get("text") or "")) | ({"annotations": cited} if cited else {})
    if kind == "refusal":
        return refusal_part(str(item.get("refusal") or ""))
    if kind in _IMAGES:
        return _media("image", item, item.get("image_url"))
    if kind == "input_file":
        name = text(item.get("filename"))
        return _media("document", item, item.get("file_url")) | ({"name": name} if name else {})
    if kind == "input_audio":
        form = text(dig(item, "input_audio.format"))
        return blob_part("audio", f"audio/{form}" if form else None, dig(item, "input_audio.data"))
    return _generic(item)


def _media(modality: str, item: Mapping[str, Json], address: Json) -> Part:
    address = address if isinstance(address, str) else dig(address, "url")  # as chat completions have it
    data = text(item.get("file_data"))
    if data and not data.startswith("data:"):
        return blob_part(modality, None, data)
    if text(data or address):
        return uri_part(modality, data or address)
    return file_part(modality, str(item.get("file_id") or ""))


def _reasoning(item: Mapping[str, Json]) -> Iterable[Part]:
    """Give what the model thought; what only the provider can read is marked."""
    thoughts = [*items(item.get("summary")), *items(item.get("content"))]
    parts = [reasoning_part(thought["text"]) for thought in thoughts if text(thought.get("text"))]
    if not item.get("encrypted_content"):
        return parts
    return [*parts[:-1], (parts[-1] if parts else reasoning_part("")) | {"encrypted": True}]


def _call(item: Mapping[str, Json], name: str, keys: tuple[str, ...]) -> Part:
    arguments = {key: plain(item[key]) for key in keys if item.get(key)}
    part = tool_call_part(_id(item), text(item.get("name")) or name, None if keys[1:] else item.get(keys[0]))
    if keys != ("arguments",):  # which are JSON; a custom tool's input is text, whatever it looks like
        part["arguments"] = arguments if keys[1:] else arguments.get(keys[0])
    return part


def _result(output: Json) -> Json:
    """Give a tool's answer: text as text, a list of texts as one, everything else as parts."""
    if fields(output):
        return _part(fields(output))
    parts = items(output)
    if not parts:
        return output
    texts = [part.get("text") for part in parts if _kind(part) in _TEXTS]
    return (
        "".join(map(str, texts))
        if len(texts) == len(parts)
        else [_part(part) if "type" in part else plain(part) for part in parts]
    )


def _served(item: Mapping[str, Json], name: str, answer: tuple[str, ...]) -> Iterable[Part]:
    """Give the call of a tool that the provider ran, and the tool's answer if it is there."""
    called = text(item.get("name")) or name
    asked = {key: _value(key, value) for key, value in item.items() if key not in _LABELS and key not in answer}
    told = {key: _value(key, item[key]) for key in answer if item.get(key) is not None}
    if "result" in told:
        told["result"] = blob_part("image", f"image/{item.get('output_format') or 'png'}", told["result"])
    if _kind(item) != "tool_search_output":
        payload = {key: value for key, value in asked.items() if value is not None}
        yield {
            "type": "server_tool_call",
            "id": _id(item),
            "name": called,
            "server_tool_call": {"type": name, **payload},
        }
    if told:
        response = {"type": name, **told}
        yield {"type": "server_tool_call_response", "id": _id(item), "server_tool_call_response": response}


def _value(key: str, value: Json) -> Json:
    if key == "tools" and all(text(tool.get("type")) for tool in items(value)):
        return tools(value)
    return loads_or(value, value) if key == "arguments" else plain(value)


def _generic(item: Mapping[str, Json]) -> Part:
    """Give an item that the schema has no part for, under its own type."""
    part = {key: _value(key, value) for key, value in item.items() if key != "encrypted_content" and value is not None}
    return {"type": _kind(item), **part} | ({"encrypted": True} if item.get("encrypted_content") else {})


def _id(item: Mapping[str, Json]) -> Json:
    return item.get("call_id") or item.get("id")


def _tool(tool: Mapping[str, Json]) -> dict[str, Any]:
    said: dict[str, Any] = plain(tool)
    return said if _kind(tool) in _OWN_TOOLS else _open(said)


def _open(value: Json) -> Json:
    """Leave out the keys to other people's servers that a definition holds."""
    if isinstance(value, Mapping):
        return {key: _open(item) for key, item in value.items() if key not in _SECRETS}
    return [_open(item) for item in value] if isinstance(value, list) else value
