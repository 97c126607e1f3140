"""Batches as the server makes them up: one that was made is done at the next look."""

from __future__ import annotations

from typing import Any

from .replies import CREATED, Reply, error
from .request import Request

IDS = ("batch_1", "file-1")
"""Of the batch and of its input, whatever file was named."""


def batch(request: Request) -> Reply:
    """Answer with a batch that is being checked, done, or being cancelled."""
    parts = request.path.partition("?")[0].split("/")
    if parts[-1] == "batches":
        return _all() if request.method == "GET" else _made(request.body)
    if parts[-1] == "cancel":
        return Reply(_batch(parts[-2], "cancelling"))
    return Reply(_done(parts[-1]))


def _all() -> Reply:
    return Reply({"object": "list", "data": [_done(IDS[0])], "has_more": False})


def _made(body: Any) -> Reply:
    if not isinstance(body, dict) or "input_file_id" not in body:
        return error(400, "Missing required parameter: 'input_file_id'.", code="missing_required_parameter")
    return Reply(_batch(IDS[0], "validating") | body)


def _done(name: str) -> dict[str, Any]:
    counts = {"total": 3, "completed": 2, "failed": 1}
    usage: dict[str, Any] = {"input_tokens": 30, "output_tokens": 20, "total_tokens": 50}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    done = {"output_file_id": "file-2", "completed_at": CREATED + 60, "model": "gpt-4o-mini-2024-07-18"}
    return _batch(name, "completed") | done | {"request_counts": counts, "usage": usage}


def _batch(name: str, status: str) -> dict[str, Any]:
    asked = {"endpoint": "/v1/chat/completions", "input_file_id": IDS[1], "completion_window": "24h"}
    return {"id": name, "object": "batch", "status": status, "created_at": CREATED, "errors": None, **asked}
