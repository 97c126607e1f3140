"""Embeddings as the server makes them up."""

from __future__ import annotations

import array
import base64
import zlib
from typing import Any

from .replies import Reply, error, tokens
from .request import Request

DIMENSIONS = 8
"""So many, unless the request says otherwise."""


def embeddings(request: Request) -> Reply:
    """Answer with vectors which depend on nothing but the inputs."""
    body = request.body if isinstance(request.body, dict) else {}
    inputs = _inputs(body.get("input"))
    if not inputs:
        return error(400, "Missing required parameter: 'input'.", code="missing_required_parameter")
    size, packed = body.get("dimensions") or DIMENSIONS, body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(said, size, packed)}
        for index, said in enumerate(inputs)
    ]
    count = sum(len(said) if isinstance(said, list) else tokens(str(said)) for said in inputs)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return Reply({"object": "list", "data": data, "model": body.get("model"), "usage": usage})


def _inputs(said: Any) -> list[Any]:
    if isinstance(said, list) and not (said and isinstance(said[0], int)):
        return said
    return [said] if said else []


def _vector(said: Any, size: int, packed: bool) -> Any:
    # Eighths are the same in 32 and 64 bits.
    start = zlib.crc32(str(said).encode())
    numbers = [((start >> place % 24) % 16 - 8) / 8 for place in range(size)]
    return base64.b64encode(array.array("f", numbers).tobytes()).decode() if packed else numbers
