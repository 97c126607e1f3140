"""Which requests of the openai package are recorded, and who reads them; everything else is passed through."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from .._endpoint import Endpoint
from . import audio, chat, images

ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    ("post", "/chat/completions"): chat.ENDPOINT,
    ("post", "/images/generations"): images.GENERATION,
    ("post", "/images/edits"): images.EDIT,
    ("post", "/images/variations"): images.VARIATION,
    ("post", "/audio/speech"): audio.SPEECH,
    ("post", "/audio/transcriptions"): audio.TRANSCRIPTION,
    ("post", "/audio/translations"): audio.TRANSLATION,
}
"""By method and path; a part in braces stands for an id, which the endpoint finds in the body under that name."""


class Route(NamedTuple):
    """An endpoint, and the ids that were in the path."""

    endpoint: Endpoint
    ids: Mapping[str, str]


@lru_cache(maxsize=1024)
def route(method: str, url: str) -> Route | None:
    """Find what reads a request, or None; an absolute address is recognised by its end."""
    parts = url.partition("?")[0].strip("/").split("/")
    starts = range(len(parts)) if "://" in url else (0,)
    return next(filter(None, (_exact(method.lower(), parts[start:]) for start in starts)), None)


def _exact(method: str, parts: list[str]) -> Route | None:
    plain = ENDPOINTS.get((method, "/" + "/".join(parts)))
    if plain is not None:
        return Route(plain, {})
    for (verb, path), endpoint in ENDPOINTS.items():
        pattern = path.strip("/").split("/")
        if verb == method and "{" in path and len(pattern) == len(parts):
            ids = {name.strip("{}"): part for name, part in zip(pattern, parts, strict=True) if name[0] == "{"}
            if all(name == part or name[0] == "{" for name, part in zip(pattern, parts, strict=True)):
                return Route(endpoint, ids)
    return None
