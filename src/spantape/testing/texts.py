"""Completions of a text as the server makes them up."""

from __future__ import annotations

from typing import Any

from .replies import CREATED, Reply, count, error, in_pieces, tokens
from .request import Request


def text_completion(request: Request) -> Reply:
    """Answer each prompt by what it says, whole or in pieces."""
    body = request.body if isinstance(request.body, dict) else {}
    if "prompt" not in body:
        return error(400, "Missing required parameter: 'prompt'.", code="missing_required_parameter")
    prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
    said = [f" You said: {prompt}" for prompt in prompts for _ in range(body.get("n") or 1)]
    head = {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": body.get("model")}
    usage = count(tokens("".join(map(str, prompts))), "".join(said), 1)
    if not body.get("stream"):
        return Reply(head | {"choices": [_choice(*one, "stop") for one in enumerate(said)], "usage": usage})
    chunks = [head | {"choices": [choice]} for choice in _pieces(said)]
    wanted = (body.get("stream_options") or {}).get("include_usage")
    return Reply(chunks=[*chunks, *([head | {"choices": [], "usage": usage}] if wanted else [])])


def _pieces(said: list[str]) -> list[dict[str, Any]]:
    # In turn, as a model writes several choices at once.
    pieces = [in_pieces(text) for text in said]
    longest = range(max(map(len, pieces)))
    written = [(index, mine[at]) for at in longest for index, mine in enumerate(pieces) if at < len(mine)]
    return [_choice(*one, None) for one in written] + [_choice(index, "", "stop") for index in range(len(said))]


def _choice(index: int, text: str, finish_reason: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}
