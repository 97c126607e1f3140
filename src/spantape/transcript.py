"""Messages as the text that a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import jsontext
from .jsontext import Json

_INSTRUCTING = ("system", "developer")


@dataclass(slots=True)
class Transcript:
    """Messages as JSON text, as lists and as text; an attribute that a length limit has cut is text only."""

    source: str | None = None
    messages: list[Json] | None = None
    text: str | None = None

    @property
    def turns(self) -> int:
        """How many messages are no instructions to the model."""
        said = self.messages or ()
        return len([one for one in said if isinstance(one, dict) and one.get("role") not in _INSTRUCTING])

    def verbatim(self) -> Json:
        """Give what `jsontext.dumps` writes for the messages without looking at them again."""
        return None if self.source is None or self.messages is None else jsontext.verbatim(self.source)


def prompt(messages: object, instructions: object = None) -> Transcript:
    """Read what went to the model; instructions that went beside the messages are a system message before them."""
    if isinstance(instructions, str):
        messages = _instructed(instructions, messages if isinstance(messages, str) else "[]")
    return _read(messages, True)


def response(messages: object) -> Transcript:
    """Read what came back: nobody has to be told who says it."""
    return _read(messages, False)


def _instructed(instructions: str, messages: str) -> str:
    rest = messages.strip().removeprefix("[").lstrip()
    return f'[{{"role":"system","parts":{instructions}}}{"" if rest.startswith("]") else ","}{rest}'


def _read(source: object, named: bool) -> Transcript:
    if not isinstance(source, str):
        return Transcript()
    messages = jsontext.loads_or(source)
    if not isinstance(messages, list):
        return Transcript(source, None, source)
    said = [message for message in messages if isinstance(message, dict)]
    texts = map(_said if named and len(said) > 1 else text_of, said)
    return Transcript(source, messages, "\n\n".join(texts))


def _said(message: Mapping[str, Json]) -> str:
    return f"{message.get('role')}: {text_of(message)}"


def text_of(message: Mapping[str, Json]) -> str:
    """Give the text of one message."""
    parts = message.get("parts")
    if not isinstance(parts, list):
        return ""
    return "\n".join([text for part in parts if isinstance(part, dict) and (text := _part_text(part))])


def _part_text(part: Mapping[str, Json]) -> str:
    kind = part.get("type")
    if kind in ("text", "refusal"):
        return str(part.get("content") or "")
    if kind == "tool_call":
        arguments = part.get("arguments")
        return f"[call {part.get('name')} {arguments if isinstance(arguments, str) else jsontext.text(arguments)}]"
    if kind == "tool_call_response":
        response = part.get("response")
        return response if isinstance(response, str) else jsontext.text(response)
    if kind == "tokens":
        return f"[{part.get('count')} tokens]"
    if kind == "generic":
        return jsontext.text({key: value for key, value in part.items() if key != "type"})
    if kind == "server_tool_call":
        return f"[call {part.get('name')} {jsontext.text(part.get(kind))}]"
    if kind in ("blob", "uri", "file"):
        about = next(filter(None, map(part.get, ("uri", "name", "mime_type", "file_id"))), "")
        return f"[{part.get('modality')} {about}]"
    return ""
