"""How a body is unpacked that the application reads from the wire itself."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

Unpack: TypeAlias = Callable[[bytes], bytes]
"""Takes one part after the other."""

MOST_BYTES = 16 * 1024 * 1024


def unpacker(response: object, encoding: str) -> Unpack | None:
    """Give what unpacks a response's body; None where only the client could."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return as_it_is
    if encoding in {"gzip", "deflate"}:
        return partial(zlib.decompressobj(47).decompress, max_length=MOST_BYTES)
    # The client asks for these where it finds who can unpack them: of Python 3.14 on, always.
    library = type(response).__module__.partition(".")[0]
    known = getattr(sys.modules.get(f"{library}._decoders"), "SUPPORTED_DECODERS", {})
    return partial(_decoded, known[encoding]()) if encoding in known else None


def as_it_is(part: bytes) -> bytes:
    """Give a part that is not packed."""
    return part


def _decoded(decoder: Any, part: bytes) -> bytes:
    found = decoder.decode(part)
    return found if isinstance(found, bytes) else b"".join(found)
