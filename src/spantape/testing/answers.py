"""What the server answers when nothing is queued: deterministic, made from the request."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .batches import batch
from .media import heard, images, speech
from .replies import CREATED, Reply, completion, count, dumps, error, stream, tokens
from .request import Request
from .responses import responses_reply
from .runs import run
from .texts import text_completion
from .vectors import embeddings
from .verdicts import decision, moderation

ANSWERS: dict[str, Callable[[Request], Reply]] = {
    r"POST .*/embeddings": embeddings,
    r"POST .*/completions": text_completion,
    r"POST .*/images/(generations|edits|variations)": images,
    r"POST .*/audio/speech": speech,
    r"POST .*/audio/(transcriptions|translations)": heard,
    r"POST .*/moderations": moderation,
    r"POST .*/decisions": decision,
    r"(GET|POST) .*/batches(/[^/]+(/cancel)?)?": batch,
    r"POST .*/threads/([^/]+/)?runs(/[^/]+/submit_tool_outputs)?": run,
}
"""What answers a request, by method and path."""

DATES = {"gpt-4o": "2024-08-06", "gpt-4o-mini": "2024-07-18", "gpt-4.1": "2025-04-14", "gpt-4.1-mini": "2025-04-14"}
DATES |= {"gpt-5": "2025-08-07", "gpt-5-mini": "2025-08-07", "o3": "2025-04-16", "o4-mini": "2025-04-16"}
SCALARS = {"string": "demo", "integer": 1, "number": 1, "boolean": True}


def default_reply(request: Request) -> Reply:
    """Answer a request that nothing was queued for."""
    path = request.path.partition("?")[0]
    if request.method == "POST" and path.endswith("/chat/completions"):
        return _chat(request.body, path)
    if request.method == "GET" and path.endswith("/models"):
        models = [{"id": name, "object": "model", "created": CREATED, "owned_by": "test"} for name in DATES]
        return Reply({"object": "list", "data": models})
    for pattern, answer in ANSWERS.items():
        if re.fullmatch(pattern, f"{request.method} {path}"):
            return answer(request)
    reply = responses_reply(request.method, request.path, request.body)
    return reply or error(404, f"Unknown request URL: {request.method} {path}", code="unknown_url")


def _chat(body: Any, path: str) -> Reply:
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return error(400, "Missing required parameter: 'messages'.", code="missing_required_parameter")
    if str(body.get("model")).startswith("no-such-"):
        return error(
            404, f"The model `{body['model']}` does not exist or you do not have access to it.", code="model_not_found"
        )
    n, call = body.get("n") or 1, _default_call(body, messages)
    text = None if call else _default_text(body, messages)
    prompt = tokens("".join(_content(message) for message in messages))
    usage = count(prompt, text or call[0][1], n)
    model = _dated_model(body, path)
    if body.get("stream"):
        wanted = usage if (body.get("stream_options") or {}).get("include_usage") else None
        return stream(text or "", tool_calls=call, usage=wanted, model=model, n=n)
    return completion(text, tool_calls=call, usage=usage, model=model, n=n)


def _content(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content if isinstance(part, dict))


def _dated_model(body: dict[str, Any], path: str) -> str:
    # Azure's clients may leave the model out of the body, as the deployment in the path decides.
    deployment = re.search(r"/deployments/([^/]+)/", path)
    name = str(body.get("model") or (deployment[1] if deployment else "gpt-4o-mini"))
    return f"{name}-{DATES[name]}" if name in DATES else name


def _default_call(body: dict[str, Any], messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    functions = [tool["function"] for tool in body.get("tools") or () if "function" in tool]
    answered = any(message.get("role") == "tool" for message in messages)
    if not functions or answered or body.get("tool_choice") == "none":
        return []
    schema = functions[0].get("parameters") or {"type": "object"}
    return [(functions[0]["name"], dumps(_made_up(schema, schema)))]


def _default_text(body: dict[str, Any], messages: list[dict[str, Any]]) -> str:
    said = next((_content(message) for message in reversed(messages) if message.get("role") == "user"), "")
    text = f"You said: {said}"
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        schema = form["json_schema"].get("schema") or {"type": "object"}
        return dumps(_made_up(schema, schema))
    return dumps({"answer": text}) if form.get("type") == "json_object" else text


def _made_up(schema: Any, root: Any, depth: int = 0) -> Any:
    """Return a value which fits the schema, with the required properties only."""
    schema = _resolved(schema, root, depth)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "null")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _made_up(properties.get(name, {}), root, depth + 1) for name in schema.get("required", ())}
    if kind == "array":
        return [_made_up(schema.get("items", {}), root, depth + 1)] * schema.get("minItems", 0)
    return SCALARS.get(kind)


def _resolved(schema: Any, root: Any, depth: int) -> Any:
    while True:
        options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if "$ref" in schema:
            target = root
            for key in schema["$ref"].split("/")[1:]:
                target = target[key]
            schema = target
        elif options:
            # A schema which contains itself has to end somewhere: deep inside, null is the better choice.
            schema = next((option for option in options if depth > 4 and option.get("type") == "null"), options[0])
        else:
            return schema
