"""On request, streams of chosen hosts are asked for their usage; the extra chunk is kept from the application."""

from __future__ import annotations

from typing import Any

from .._call import Call
from .._mapping import fields


def ask_for_usage(options: Any, call: Call) -> None:
    """Have the options ask, unless the application has its own will, or reads the bytes itself."""
    body = {**fields(options.json_data), **fields(getattr(options, "extra_json", None))}
    headers = {str(name).lower() for name in fields(options.headers)}
    if body.get("stream") is True and "stream_options" not in body and "x-stainless-raw-response" not in headers:
        options.json_data = {**fields(options.json_data), "stream_options": {"include_usage": True}}
        call.hides = _is_extra


def _is_extra(chunk: Any) -> bool:
    """Say whether a chunk is the one that only tells the usage."""
    body = fields(chunk)
    return body.get("choices") == [] and bool(body.get("usage"))
