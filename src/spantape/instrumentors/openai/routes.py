"""Which requests of the openai package are recorded, and who reads them; everything else is passed through."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from .._endpoint import Endpoint
from . import audio, batches, chat, completions, decisions, embeddings, images, moderations, responses, threads

ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    ("post", "/chat/completions"): chat.ENDPOINT,
    ("post", "/responses"): responses.ENDPOINT,
    ("get", "/responses/{response_id}"): responses.FETCH,
    ("post", "/responses/{response_id}/cancel"): responses.CANCEL,
    ("post", "/responses/compact"): responses.COMPACT,
    ("post", "/responses/input_tokens"): responses.COUNT,
    ("post", "/embeddings"): embeddings.ENDPOINT,
    ("post", "/completions"): completions.ENDPOINT,
    ("post", "/images/generations"): images.GENERATION,
    ("post", "/images/edits"): images.EDIT,
    ("post", "/images/variations"): images.VARIATION,
    ("post", "/audio/speech"): audio.SPEECH,
    ("post", "/audio/transcriptions"): audio.TRANSCRIPTION,
    ("post", "/audio/translations"): audio.TRANSLATION,
    ("post", "/moderations"): moderations.ENDPOINT,
    ("post", "/decisions"): decisions.ENDPOINT,
    ("post", "/batches"): batches.CREATE,
    ("get", "/batches/{batch_id}"): batches.FETCH,
    ("post", "/batches/{batch_id}/cancel"): batches.CANCEL,
    ("post", "/threads/runs"): threads.ENDPOINT,
    ("post", "/threads/{thread_id}/runs"): threads.ENDPOINT,
    ("post", "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs"): threads.ENDPOINT,
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
