"""What a multipart request carries beside its fields: looked at, never opened."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...jsontext import Json


def uploads(files: Any) -> list[dict[str, Json]]:
    """Describe the files of a request: field, name, type, and the bytes where they are in memory anyway.

    A file object, a path or a generator is the client's to read: touched here, it would be sent empty or in part.
    """
    entries = files.items() if isinstance(files, Mapping) else files if isinstance(files, (list, tuple)) else ()
    pairs = [entry for entry in entries if isinstance(entry, tuple) and len(entry) == 2]
    return [_upload(str(field), file) for field, file in pairs]


def _upload(field: str, file: Any) -> dict[str, Json]:
    name, content, mime_type = (*file, None, None, None)[:3] if isinstance(file, tuple) else (None, file, None)
    name = _name(name if isinstance(name, (str, bytes)) else getattr(content, "name", None))
    return {
        "field": field.removesuffix("[]"),
        "name": name,
        "mime_type": mime_type if isinstance(mime_type, str) else mimetypes.guess_type(name or "")[0],
        "content": content if isinstance(content, bytes) else None,
    }


def _name(name: Any) -> str | None:
    """Give a file's name without its folder; a file without a path, such as a pipe, has a number for a name."""
    return Path(os.fsdecode(name)).name or None if isinstance(name, (str, bytes)) else None
