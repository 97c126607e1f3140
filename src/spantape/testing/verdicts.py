"""Moderations and decisions as the server makes them up: whatever speaks of violence is flagged."""

from __future__ import annotations

from typing import Any

from .replies import Reply, dumps, error, tokens
from .request import Request

CATEGORIES = ("harassment", "hate", "self-harm", "sexual", "violence", "violence/graphic")


def moderation(request: Request) -> Reply:
    """Answer with a verdict for each text, or one for all parts."""
    said = request.body.get("input") if isinstance(request.body, dict) else None
    if not said:
        return error(400, "Missing required parameter: 'input'.", code="missing_required_parameter")
    each = said if isinstance(said, list) and isinstance(said[0], str) else [said]
    model = request.body.get("model") or "omni-moderation-latest"
    return Reply({"id": "modr-1", "model": model, "results": [_verdict(dumps(one)) for one in each]})


def decision(request: Request) -> Reply:
    """Answer each question in the first way that it allows."""
    body = request.body if isinstance(request.body, dict) else {}
    questions = body.get("questions")
    if not questions:
        return error(400, "Missing required parameter: 'questions'.", code="missing_required_parameter")
    count = tokens(dumps(body.get("input")))
    usage: dict[str, Any] = {"input_tokens": count, "output_tokens": 1, "total_tokens": count + 1}
    usage |= {"input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
    usage |= {"output_tokens_details": {"reasoning_tokens": 0}}
    return Reply({"answers": [_answer(one) for one in questions], "model": body.get("model"), "usage": usage})


def _verdict(said: str) -> dict[str, Any]:
    applies = {name: name == "violence" and "violence" in said for name in CATEGORIES}
    return {
        "flagged": any(applies.values()),
        "categories": applies,
        "category_scores": {name: 0.9 if flagged else 0.1 for name, flagged in applies.items()},
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    head = {"type": question.get("type"), "name": question.get("name")}
    if head["type"] == "choice":
        value = question["choices"][0]["value"]
        return head | {"choice": value, "confidence": 1.0, "probabilities": [{"value": value, "probability": 1.0}]}
    if head["type"] == "score":
        first = {"label": question["levels"][0]["label"], "value": 0, "probability": 1.0}
        return head | {"score": 0.0, "confidence": 1.0, "probabilities": [first]}
    return head | {"probability": 0.5}
