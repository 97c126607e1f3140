"""Makers of answers of the Responses API, and what it answers when nothing is queued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .replies import CREATED, MODEL, Reply, dumps, error, in_pieces, tokens

# The server replaces this id by "resp_<number of the request>", so that scripted replies get distinct ids too.
AUTO_RESPONSE_ID = "resp_auto"
_ECHOED = ("instructions", "previous_response_id", "temperature", "top_p", "max_output_tokens", "metadata", "prompt")
_DELTAS = {"output_text": "text", "refusal": "refusal"}


def response(  # noqa: PLR0913 - keyword-only
    text: str | None = "Hello",
    *,
    model: str = MODEL,
    tool_calls: Sequence[tuple[str, Any]] | None = None,
    reasoning: str | None = None,
    refusal: str | None = None,
    output: Sequence[Mapping[str, Any]] | None = None,
    usage: bool | Mapping[str, Any] | None = True,
    **extra: Any,
) -> Reply:
    """Build a response; a tool call is `(name, arguments)`, `output` are further items, `extra` are top-level keys."""
    said = None if text == "Hello" and (tool_calls or refusal or output) else text
    items = [*_items(said, tool_calls or (), reasoning, refusal), *map(dict, output or ())]
    counted = usage if isinstance(usage, Mapping) else _usage(items) if usage else None
    head = {"id": AUTO_RESPONSE_ID, "object": "response", "created_at": CREATED, "model": model}
    usual: dict[str, Any] = {
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
    }
    modes = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    return Reply(head | usual | modes | {"output": items, "usage": counted} | extra)


def response_stream(text: str | None = "Hello", **options: Any) -> Reply:
    """Build the events of a streamed response; takes what `response` takes."""
    whole = response(text, **options).body
    return Reply(chunks=list(_numbered(_events(whole))), done=False)


def responses_reply(method: str, path: str, body: Any) -> Reply | None:
    """Answer a request to the Responses API that nothing was queued for; None if it is none."""
    address, _, query = path.partition("?")
    parts = address.partition("/responses")[2].strip("/").split("/")
    if "/responses" not in address:
        return None
    if method == "GET" and len(parts) == 1 and parts[0]:
        make = response_stream if "stream=true" in query else response
        return make(id=parts[0])
    if method == "POST" and parts[1:] == ["cancel"]:
        return response(None, id=parts[0], status="cancelled", usage=None, background=True)
    return _posted(parts[0], body) if method == "POST" and len(parts) == 1 else None


def _posted(what: str, body: Any) -> Reply | None:
    if what not in {"", "compact", "input_tokens"}:
        return None
    if not isinstance(body, dict) or (not body.get("input") and not body.get("prompt")):
        return error(400, "Missing required parameter: 'input'.", code="missing_required_parameter")
    if what == "input_tokens":
        return Reply({"object": "response.input_tokens", "input_tokens": tokens(dumps(body["input"]))})
    if what == "compact":
        return _compacted(body)
    return _answer(body)


def _compacted(body: dict[str, Any]) -> Reply:
    items = [{"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAA"}]
    made = {"id": AUTO_RESPONSE_ID, "object": "response.compaction", "created_at": CREATED, "output": items}
    return Reply(made | {"usage": _usage(items, tokens(dumps(body["input"])))})


def _answer(body: dict[str, Any]) -> Reply:
    from .answers import _dated_model, _made_up

    said, calls = _said(body.get("input")), _default_call(body)
    form = (body.get("text") or {}).get("format") or {}
    text = f"You said: {said}"
    if form.get("type") == "json_schema":
        text = dumps(_made_up(form["schema"], form["schema"]))
    made = response(None if calls else text, tool_calls=calls, model=_dated_model(body, ""))
    extra = {key: body[key] for key in _ECHOED if key in body}
    counted = _usage(made.body["output"], tokens(said))
    make = response_stream if body.get("stream") else response
    return make(None if calls else text, tool_calls=calls, model=made.body["model"], usage=counted, **extra)


def _default_call(body: dict[str, Any]) -> list[tuple[str, Any]]:
    from .answers import _made_up

    functions = [tool for tool in body.get("tools") or () if tool.get("type") == "function"]
    given = body.get("input")
    answered = isinstance(given, list) and any(item.get("type") == "function_call_output" for item in given)
    if not functions or answered or body.get("tool_choice") == "none":
        return []
    schema = functions[0].get("parameters") or {"type": "object"}
    return [(functions[0]["name"], _made_up(schema, schema))]


def _said(given: Any) -> str:
    if isinstance(given, str):
        return given
    users = [item for item in given or () if item.get("role") == "user"]
    content = users[-1]["content"] if users else ""
    return content if isinstance(content, str) else "".join(part.get("text") or "" for part in content)


def _items(
    text: str | None, calls: Sequence[tuple[str, Any]], reasoning: str | None, refusal: str | None
) -> Iterator[dict[str, Any]]:
    if reasoning is not None:
        yield {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": reasoning}]}
    parts = [{"type": "output_text", "text": text, "annotations": []}] if text is not None else []
    parts += [{"type": "refusal", "refusal": refusal}] if refusal is not None else []
    if parts:
        yield {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": parts}
    for number, (name, arguments) in enumerate(calls, 1):
        written = arguments if isinstance(arguments, str) else dumps(arguments)
        call = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": name}
        yield call | {"arguments": written, "status": "completed"}


def _usage(items: Sequence[Mapping[str, Any]], sent: int = 10) -> dict[str, Any]:
    thought = tokens("".join(part["text"] for item in items for part in item.get("summary") or ()))
    thought = thought if any(item["type"] == "reasoning" for item in items) else 0
    written = thought + tokens("".join(_written(item) for item in items))
    usage: dict[str, Any] = {"input_tokens": sent, "output_tokens": written, "total_tokens": sent + written}
    usage |= {"input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
    return usage | {"output_tokens_details": {"reasoning_tokens": thought}}


def _written(item: Mapping[str, Any]) -> str:
    parts = item.get("content") or ()
    return "".join(part.get("text") or part.get("refusal") or "" for part in parts) + (item.get("arguments") or "")


def _events(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    begun = whole | {"status": "in_progress", "output": [], "usage": None, "error": None, "incomplete_details": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(whole["output"]):
        for event in _item_events(item):
            yield event | {"output_index": index, **({} if "item" in event else {"item_id": item["id"]})}
    ends = {"incomplete": "response.incomplete", "failed": "response.failed"}
    yield {"type": ends.get(whole["status"], "response.completed"), "response": whole}


def _item_events(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    empty = {key: type(item[key])() for key in ("content", "summary", "arguments") if key in item}
    yield {"type": "response.output_item.added", "item": item | {"status": "in_progress"} | empty}
    for place, part in enumerate(item.get("summary") or ()):
        yield from _part_events("response.reasoning_summary_text", part["text"], {"summary_index": place})
    for place, part in enumerate(item.get("content") or ()):
        key = _DELTAS[part["type"]]
        at = {"content_index": place}
        yield {"type": "response.content_part.added", "part": part | {key: ""}, **at}
        yield from _part_events(f"response.{part['type']}", part[key], at)
        yield {"type": "response.content_part.done", "part": part, **at}
    if item["type"] == "function_call":
        yield from _part_events("response.function_call_arguments", item["arguments"], {"name": item["name"]})
    yield {"type": "response.output_item.done", "item": item}


def _part_events(kind: str, text: str, at: dict[str, Any]) -> Iterator[dict[str, Any]]:
    more: dict[str, Any] = {"logprobs": []} if kind == "response.output_text" else {}
    yield from ({"type": f"{kind}.delta", "delta": piece, **at, **more} for piece in in_pieces(text))
    key = {"response.refusal": "refusal", "response.function_call_arguments": "arguments"}.get(kind, "text")
    yield {"type": f"{kind}.done", key: text, **at, **more}


def _numbered(events: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from (event | {"sequence_number": number} for number, event in enumerate(events))
