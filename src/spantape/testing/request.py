"""What the scripted server has received."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request as the server received it (header names in lower case).

    `body` is the JSON, or the fields of a form, in which a file is {"filename", "content_type", "content"}.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    raw: bytes


def read_body(headers: Mapping[str, str], raw: bytes) -> Any:
    """Read a body that is JSON or a multipart form; None for anything else."""
    kind = headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        return _form(BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + raw))
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _form(form: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for part in form.get_payload() if form.is_multipart() else ():
        if isinstance(part, Message):
            name = str(part.get_param("name", "", "content-disposition"))
            content, filename = part.get_payload(decode=True), part.get_filename()
            data = content if isinstance(content, bytes) else b""
            about = {"filename": filename, "content_type": part.get_content_type(), "content": data}
            fields[name] = data.decode() if filename is None else about
    return fields
