"""Binary data within texts: told by its media type, size and sha256 instead."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from contextlib import suppress
from itertools import repeat
from urllib.parse import unquote_to_bytes

from .jsontext import Json, whole

_DATA_URL = re.compile(r"data:([^\s,;]{0,100})(?:;[^\s,;]{0,200}){0,8};base64,([\w+/%-]+=*)", re.ASCII | re.IGNORECASE)
_BASE64 = re.compile(r";[bB][aA][sS][eE]64,")
_LONG_RUN = re.compile(r"(?<![\w+/-])[\w+/-]{1024,}={0,2}", re.ASCII)
_RUN = re.compile(r"[A-Za-z0-9_+/-]{64}")
_PACKED = re.compile(r"(?=.*[a-z])(?=.*[A-Z]).*[0-9]", re.ASCII)
_MOST_HASHED = 8 * 1024 * 1024
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def digest(content: str | bytes) -> dict[str, Json]:
    """Give the size and the sha256 of bytes, or of what base64 text holds (of the text itself when it is not base64).

    Of bytes over 8 MB only the size: it is the caller, or his event loop, who waits for the hash (5 ms here).
    """
    data = content if isinstance(content, bytes) else _decoded(content)
    if content is data and len(data) > _MOST_HASHED:
        return {"size": len(data)}
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def size_of(encoded: str | bytes, start: int = 0, end: int | None = None) -> int:
    """Give how many bytes base64 text stands for, without decoding it."""
    end = len(encoded) if end is None else end
    last = encoded[max(start, end - 2) : end]
    return (end - start) * 3 // 4 - last.count("=" if isinstance(last, str) else b"=")  # type: ignore[arg-type]


def _decoded(encoded: str) -> bytes:
    with suppress(ValueError):  # what needs no mending, as nearly all, is decoded at once: mending takes as long again
        return base64.b64decode(encoded, validate=True)
    data = unquote_to_bytes(whole(encoded))
    packed = data.translate(_URL_SAFE, b"=\r\n\t ")
    with suppress(binascii.Error):
        data = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    return data


def without_binary(text: str) -> str:
    """Give a text with what it holds of binary data described."""
    if may_hold_binary(text):
        text = _DATA_URL.sub(lambda match: _described(match[1] or "text/plain", match[2]), text)
        text = _LONG_RUN.sub(_unpacked, text)
    return text


def may_hold_binary(text: str) -> bool:
    """Say whether there may be a data URL or a long run of base64: looking for them takes far longer."""
    # Every run of 1024 has 64 of its characters at one of these places, and looking there costs next to nothing.
    is_told = ";" in text and _BASE64.search(text) is not None
    places, ends = range(960, len(text), 960), range(1024, len(text) + 64, 960)
    lacks_space = -1 in map(text.find, repeat(" "), places, ends)
    return is_told or (lacks_space and any(map(_RUN.match, repeat(text), places)))


def _unpacked(run: re.Match[str]) -> str:
    return _described("base64", run[0]) if _PACKED.match(run[0]) else run[0]


def _described(kind: str, encoded: str) -> str:
    about = digest(encoded)
    return f"[{kind}, {about['size']} bytes, sha256 {about['sha256']}]"
