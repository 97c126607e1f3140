"""Embeddings: request and response → attributes. The vectors are counted, never kept.

The client asks for base64 where its user asked for nothing, and decodes what comes: recorded is what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._mapping import Table, items, others, pick, text, texts, whole
from .inputs import one_message

_REQUEST = Table(
    {
        "encoding_format": (semconv.REQUEST_ENCODING_FORMATS, texts),
        "dimensions": (semconv.EMBEDDINGS_DIMENSION_COUNT, whole),
    }
)
# All tokens are input; some compatible servers tell only how many there are in all.
_RESPONSE = Table(
    {
        "id": (semconv.RESPONSE_ID, text),
        "model": (semconv.RESPONSE_MODEL, text),
        "usage.total_tokens": (semconv.INPUT_TOKENS, whole),
        "usage.input_tokens": (semconv.INPUT_TOKENS, whole),
        "usage.prompt_tokens": (semconv.INPUT_TOKENS, whole),
    }
)
_ELSEWHERE = frozenset({"model", "input"})
_FLOAT = 4
"""Bytes of a number in a vector that is given as base64."""


def request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what is about to be sent."""
    return pick(_REQUEST, body)


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give the texts, as the parts of one message; token ids by their number."""
    return {
        semconv.INPUT_MESSAGES: one_message(body.get("input")),
        semconv.REQUEST_PARAMETERS: others(body, _ELSEWHERE) or None,
    }


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back, of which the vectors are all but a few bytes."""
    data = body.get("data")
    first = items(data[:1]) if isinstance(data, (list, tuple)) else []
    size = _dimensions(first[0].get("embedding")) if first else None
    return pick(_RESPONSE, body) | ({semconv.EMBEDDINGS_DIMENSION_COUNT: size} if size else {})


def _dimensions(vector: Json) -> int | None:
    """Count a vector's numbers, from the length of its base64 text if it is one."""
    if isinstance(vector, str):
        size, rest = divmod(len(vector.rstrip("=")) * 3 // 4, _FLOAT)
        return None if rest else size
    return len(vector) if isinstance(vector, (list, tuple)) else None


ENDPOINT = Endpoint("embeddings", request, response, asked, typed=True)
