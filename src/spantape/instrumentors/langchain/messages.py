"""LangChain's messages → messages and parts of the conventions; pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ... import jsontext
from ...jsontext import Json
from .._mapping import dig, fields, items, plain, text
from .._messages import (
    Message,
    Part,
    blob_part,
    file_part,
    generic_part,
    reasoning_part,
    refusal_part,
    text_part,
    tool_call_part,
    tool_response_part,
    uri_part,
)

_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "HumanMessageChunk": "user"}
_MEDIA = frozenset({"image", "audio", "video", "file"})
_CALLS = frozenset({"tool_use", "tool_call", "function_call", "tool_call_chunk", "invalid_tool_call"})
"""Blocks that say again what `tool_calls` says."""


def message(said: Any) -> Message:
    """Give one message: LangChain's own, a pair of role and text, a dictionary, or plain text."""
    if isinstance(said, str):
        return {"role": "user", "parts": [text_part(said)]}
    if isinstance(said, (tuple, list)) and len(said) == 2:
        return _message({"type": said[0], "content": said[1]})
    return _message(fields(said))


def messages(said: Any) -> list[Message]:
    """Give a list of messages."""
    return [message(one) for one in said] if isinstance(said, (list, tuple)) else [message(said)]


def is_message(value: Any) -> bool:
    """Say whether it is a message of LangChain's; others may have a `content`, too, which does something when read."""
    from langchain_core.messages import BaseMessage  # by now it is there; above, LangChain may still be at it

    return isinstance(value, BaseMessage)


def value_message(role: str, value: Json) -> Message:
    """Give anything else that went in or came out as a message: text, or its JSON."""
    content = value if isinstance(value, str) else jsontext.text(value)
    return {"role": role, "parts": [text_part(content)]}


def _message(said: Mapping[str, Any]) -> Message:
    kind = str(said.get("type") or said.get("role") or "user")
    role = str(said.get("role") or "user") if kind == "chat" else _ROLES.get(kind, kind)
    content = said.get("content")
    if role in {"tool", "function"} or said.get("tool_call_id"):
        return {"role": role, "parts": [tool_response_part(said.get("tool_call_id"), plain(content))]}
    made: Message = {"role": role, "parts": [*_parts(content), *_beside(said)]}
    if text(said.get("name")):
        made["name"] = said["name"]
    return made


def _parts(content: Any) -> Iterable[Part]:
    if isinstance(content, str):
        if content:
            yield text_part(content)
        return
    for block in content if isinstance(content, (list, tuple)) else ():
        if isinstance(block, str):
            yield text_part(block)
        elif fields(block) and fields(block).get("type") not in _CALLS:
            yield _part(fields(block))


def _beside(said: Mapping[str, Any]) -> Iterable[Part]:
    """Give what stands beside a message's content."""
    more = fields(said.get("additional_kwargs"))
    thought = text(more.get("reasoning_content"))
    if thought:
        yield reasoning_part(thought)
    if text(more.get("refusal")):
        yield refusal_part(more["refusal"])
    for call in (*items(said.get("tool_calls")), *items(said.get("invalid_tool_calls"))):
        yield tool_call_part(call.get("id"), call.get("name"), plain(call.get("args")))
    legacy = fields(more.get("function_call"))
    if legacy:
        yield tool_call_part(None, legacy.get("name"), legacy.get("arguments"))


def _part(block: Mapping[str, Any]) -> Part:
    kind = str(block.get("type") or "generic")
    if kind in {"text", "input_text", "output_text"}:
        return text_part(str(block.get("text") or ""))
    if kind in {"reasoning", "thinking"}:
        return reasoning_part(str(block.get("reasoning") or block.get("thinking") or _summary(block)))
    if kind == "refusal":
        return refusal_part(str(block.get("refusal") or ""))
    if kind in {"image_url", "video_url"}:
        address = block.get(kind)
        return uri_part(kind[:5], str(address if isinstance(address, str) else dig(address, "url")))
    if kind == "input_audio":
        name = dig(block, "input_audio.format")
        return blob_part("audio", f"audio/{name}" if name else None, dig(block, "input_audio.data"))
    if kind in _MEDIA:
        return _medium("document" if kind == "file" else kind, block)
    return generic_part(kind, {key: plain(value) for key, value in block.items()})


def _summary(block: Mapping[str, Any]) -> str:
    return "\n".join(str(one.get("text") or "") for one in items(block.get("summary")))


def _medium(modality: str, block: Mapping[str, Any]) -> Part:
    """Give a picture, a sound or a document: its bytes, its address, or the provider's id of it."""
    source = fields(block.get("source")) or block
    data, mime_type = source.get("base64") or source.get("data"), source.get("mime_type") or source.get("media_type")
    if isinstance(data, (str, bytes)):
        return blob_part(modality, text(mime_type), data)
    if text(source.get("url")):
        return uri_part(modality, source["url"])
    file_id: Json = source.get("file_id") or source.get("id") or dig(block, "file.file_id")
    return file_part(modality, str(file_id)) if file_id else generic_part(modality, {"value": plain(dict(block))})
