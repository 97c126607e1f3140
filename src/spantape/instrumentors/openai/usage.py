"""Usage, as any endpoint words it → token attributes; pure functions of plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._mapping import Table, fields, pick, whole


def _some(value: Json) -> int | None:
    return whole(value) or None


# Where compatible servers put the cached tokens differently, their place comes first: the standard one wins.
_TOTALS = Table(
    {
        "input_tokens": (semconv.INPUT_TOKENS, whole),
        "prompt_tokens": (semconv.INPUT_TOKENS, whole),
        "output_tokens": (semconv.OUTPUT_TOKENS, whole),
        "completion_tokens": (semconv.OUTPUT_TOKENS, whole),
        "cached_tokens": (semconv.CACHE_READ_TOKENS, whole),
        "prompt_cache_hit_tokens": (semconv.CACHE_READ_TOKENS, whole),
        "cache_read_input_tokens": (semconv.CACHE_READ_TOKENS, whole),
        "cache_creation_input_tokens": (semconv.CACHE_WRITE_TOKENS, whole),
    }
)
_INPUT = Table(
    {
        "cached_tokens": (semconv.CACHE_READ_TOKENS, whole),
        "cache_creation_input_tokens": (semconv.CACHE_WRITE_TOKENS, whole),
        "cache_write_tokens": (semconv.CACHE_WRITE_TOKENS, whole),
        "text_tokens": (semconv.TEXT_INPUT_TOKENS, whole),
        "image_tokens": (semconv.IMAGE_INPUT_TOKENS, whole),
        "audio_tokens": (semconv.AUDIO_INPUT_TOKENS, whole),
    }
)
_CACHED = Table(
    {
        "text_tokens": (semconv.TEXT_CACHE_READ_TOKENS, whole),
        "image_tokens": (semconv.IMAGE_CACHE_READ_TOKENS, whole),
        "audio_tokens": (semconv.AUDIO_CACHE_READ_TOKENS, whole),
    }
)
# Zero predicted tokens are told of by every answer to a request that predicted nothing.
_OUTPUT = Table(
    {
        "reasoning_tokens": (semconv.REASONING_TOKENS, whole),
        "text_tokens": (semconv.TEXT_OUTPUT_TOKENS, whole),
        "image_tokens": (semconv.IMAGE_OUTPUT_TOKENS, whole),
        "audio_tokens": (semconv.AUDIO_OUTPUT_TOKENS, whole),
        "accepted_prediction_tokens": (semconv.ACCEPTED_PREDICTION_TOKENS, _some),
        "rejected_prediction_tokens": (semconv.REJECTED_PREDICTION_TOKENS, _some),
    }
)
_INPUT_DETAILS = ("prompt_tokens_details", "input_tokens_details", "input_token_details", "prompt_token_details")
_OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details", "output_token_details")


def tokens(usage: Json) -> Attributes:
    """Give the token counts of a usage; a detail that is not told of is absent."""
    told = fields(usage)
    sent, received = _details(told, _INPUT_DETAILS), _details(told, _OUTPUT_DETAILS)
    found = pick(_TOTALS, told)
    for table, details in ((_INPUT, sent), (_OUTPUT, received), (_CACHED, sent.get("cached_tokens_details"))):
        if details:
            found |= pick(table, details)
    return found


def _details(usage: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    for name in names:
        if usage.get(name):
            return fields(usage[name])
    return {}
