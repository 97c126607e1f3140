"""`Made`: a call as it is seen from outside, and by that, which attributes it has to have and with what value.

Read from what the server was sent and has answered, never from what we recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from conventions import VARIABLE, operation

from spantape.testing import Reply, Request


@dataclass(frozen=True)
class Made:
    """What was sent, what of the answer the application was given, and what it saw fail."""

    request: str
    sent: Mapping[str, Any]
    answers: Sequence[Mapping[str, Any]]
    address: tuple[str, int]
    error: BaseException | None = None
    content: bool = True
    conversation: str | None = None

    @classmethod
    def of(cls, request: Request, reply: Reply | None, *, taken: int | None = None, **how: Any) -> Made:
        """Read a request and its reply, of a stream the first `taken` chunks; no reply when none came in time."""
        path, _, query = request.path.partition("?")
        asked = {key: values[0] for key, values in parse_qs(query).items()} if request.method == "GET" else {}
        host, _, port = request.headers["host"].partition(":")
        body = request.body if isinstance(request.body, dict) else {}
        return cls(
            f"{request.method} {path}", {**asked, **body}, list(_documents(reply))[:taken], (host, int(port)), **how
        )

    @property
    def streams(self) -> bool:
        return self.sent.get("stream") in (True, "true") or self.sent.get("stream_format") == "sse"

    @property
    def bodies(self) -> list[Mapping[str, Any]]:
        """What was answered, without what events of a stream have around it, or tell of other things."""
        inner = [one.get("response") or one.get("data") or one for one in self.answers]
        bodies = [one for one in inner if isinstance(one, dict)] or list(self.answers)
        return [one for one in bodies if not str(one.get("object")).startswith("thread.message")]

    def path_id(self, before: str) -> str | None:
        found = re.search(rf"/{before}/([^/]+)(/|$)", self.request)
        return found[1] if found and found[1] not in {"runs", "compact", "input_tokens"} else None


Due = Callable[[Made], Any]
"""What an attribute has to be: a value, True for any, None for absent, `MAY` for either."""
MAY = "may be there"


def due(made: Made) -> dict[str, Any]:
    """Give all attributes of the conventions that a call has to have, whatever the operation, by name."""
    found = {name: rule(made) for name, rule in DUE.items()}
    variables = _dig(made.sent, "prompt.variables") or {}
    found |= {f"{VARIABLE}{key}": True for key, value in variables.items() if isinstance(value, str) and made.content}
    return {name: value for name, value in found.items() if value is not None and value is not False}


def _documents(reply: Reply | None) -> Iterable[Mapping[str, Any]]:
    if reply is None or reply.status >= 400:
        return
    for one in [reply.body] if reply.chunks is None else reply.chunks:
        document = json.loads(one.partition(b"data: ")[2]) if isinstance(one, bytes) else one
        if isinstance(document, dict):
            yield document


def _dig(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _first(documents: Iterable[Any], paths: str) -> Any:
    found = (_dig(document, path) for document in documents for path in paths.split())
    return next((value for value in found if value is not None), None)


def _sent(paths: str) -> Due:
    """Want what the request has under one of the paths."""
    return lambda made: _first([made.sent], paths)


def _told(paths: str) -> Due:
    """Want what the answer has, or the latest chunk that has it."""
    return lambda made: _first(reversed(made.bodies), paths)


def _either(*rules: Due) -> Due:
    return lambda made: next((value for value in (rule(made) for rule in rules) if value is not None), None)


def _some(rule: Due) -> Due:
    """Want anything, where there is something."""
    return lambda made: bool(rule(made))


def _unless(value: Any, rule: Due) -> Due:
    return lambda made: None if rule(made) == value else rule(made)


def _provider(made: Made) -> str:
    return "azure.ai.openai" if "/openai/deployments/" in made.request else made.address[0]


def _failure(made: Made) -> str | None:
    """Name the exception that the application got, or say what failure the answer told of."""
    if made.error is not None:
        return f"{type(made.error).__module__.partition('.')[0]}.{type(made.error).__qualname__}"
    if operation(made.request).name in {"fetch_response", "cancel_response"}:
        return None  # of another call
    told = next((one.get("error") or one for one in made.answers if one.get("type") == "error"), None)
    told = told or _first(reversed(made.bodies), "error last_error status_details.error")
    return (_dig(told, "code") or _dig(told, "type") or "_OTHER") if told else None


def _output_type(made: Made) -> str | None:
    if "/images/" in made.request or made.request.endswith("/speech"):
        return "image" if "/images/" in made.request else "speech"
    if made.request.startswith("WS") and "modalities" in made.sent:
        return "speech" if "audio" in made.sent["modalities"] else "text"
    if "/audio/" in made.request:
        return {"json": "json", "verbose_json": "json", "text": "text"}.get(str(made.sent.get("response_format")))
    if "audio" in (made.sent.get("modalities") or ()):
        return "speech"
    form = _first([made.sent], "response_format.type text.format.type")
    return {"json_schema": "json", "json_object": "json", "text": "text"}.get(form)


def _choices(made: Made) -> tuple[str, ...] | None:
    """Give why each choice has ended, `error` for one that has not."""
    reasons: dict[int, str] = {}
    for body in made.bodies:
        for choice in body.get("choices") or ():
            reasons[choice["index"]] = choice["finish_reason"] or reasons.get(choice["index"]) or "error"
    return tuple(reasons[index] for index in sorted(reasons)) or None


def _finish_reasons(made: Made) -> Any:
    status = _told("status")(made)
    fetched = operation(made.request).name in {"fetch_response", "cancel_response"}
    is_open = status in {"queued", "in_progress"} and (fetched or _told("background")(made))
    return _choices(made) or (isinstance(status, str) and not is_open)


def _compacted(made: Made) -> bool:
    items = [*_list(made.sent.get("input")), *_list(_told("output")(made))]
    return any(_dig(item, "type") == "compaction" for item in items)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _instructions(made: Made) -> Any:
    is_shown = operation(made.request).name == "fetch_response" or _told("prompt")(made)
    return _sent("instructions additional_instructions")(made) or (is_shown and _told("instructions")(made))


def _said(made: Made) -> bool:
    """Say whether the answer has something that was said: of a stream, at least the beginning of a piece."""
    keys = ("choices", "output", "results", "answers", "required_action", "data", "text", "b64_json")
    if "/audio/" in made.request and not made.streams:
        return made.error is None  # whose answer need not be JSON
    told = any(body.get(key) for body in made.bodies for key in keys if "partial" not in str(body.get("type")))
    begun = any(_dig(one, "item.type") not in (None, "message") for one in made.answers)
    pieces = begun or any("delta" in one or "audio" in one for one in made.answers)
    return told or pieces or any(one.get("object") in {"batch", "thread.message"} for one in made.answers)


def _dimensions(made: Made) -> Any:
    vectors = _told("data")(made) if "/embeddings" in made.request else None
    return bool(vectors) or _sent("dimensions")(made)


def _first_chunk(made: Made) -> Any:
    """Want the time wherever chunks came; the client's `speech.create` may have read them all at once."""
    came = any(one.get("type") != "error" for one in made.answers)
    return made.streams and came and (MAY if made.request.endswith("/audio/speech") else True)


def _opt_in(rule: Due) -> Due:
    return lambda made: made.content and bool(rule(made))


_DETAILS = {
    "input": "prompt_tokens_details input_tokens_details input_token_details prompt_token_details",
    "output": "completion_tokens_details output_tokens_details output_token_details",
}


def _details(of: str, key: str) -> Due:
    return _told(" ".join(f"usage.{place}.{key}" for place in _DETAILS[of].split()))


DUE: Mapping[str, Due] = {
    "gen_ai.operation.name": lambda made: operation(made.request).name,
    "gen_ai.provider.name": _provider,
    "gen_ai.request.model": _sent("model"),
    "server.address": lambda made: made.address[0],
    "server.port": lambda made: made.address[1],
    "error.type": _failure,
    "openai.api.type": lambda made: "responses" if made.request.endswith("/responses") else "chat_completions",
    "gen_ai.agent.id": _either(_told("assistant_id"), _sent("assistant_id")),
    "gen_ai.conversation.id": _either(
        _told("conversation.id thread_id conversation_id"),
        lambda made: made.path_id("threads"),
        _sent("conversation.id conversation"),
        lambda made: made.conversation,
    ),
    "gen_ai.conversation.compacted": _compacted,
    "gen_ai.output.type": _output_type,
    "gen_ai.prompt.name": _sent("prompt.id"),
    "gen_ai.prompt.version": _either(_told("prompt.version"), _sent("prompt.version")),
    "gen_ai.request.choice.count": _unless(1, _sent("n")),
    "gen_ai.request.stream": lambda made: made.streams,
    "gen_ai.request.max_tokens": _sent("max_completion_tokens max_output_tokens max_tokens"),
    "gen_ai.request.reasoning.level": _sent("reasoning_effort reasoning.effort"),
    "gen_ai.request.previous_response.id": _sent("previous_response_id"),
    "gen_ai.request.stream_cursor": _sent("starting_after"),
    "gen_ai.request.stop_sequences": lambda made: _listed(made.sent.get("stop")),
    "gen_ai.request.encoding_formats": lambda made: _listed(made.sent.get("encoding_format")),
    **{
        f"gen_ai.request.{name}": _sent(name)
        for name in ("seed", "top_k", "top_p", "temperature", "frequency_penalty", "presence_penalty")
    },
    "openai.request.service_tier": _unless("auto", _sent("service_tier")),
    "openai.response.service_tier": _told("service_tier"),
    "openai.response.system_fingerprint": _told("system_fingerprint"),
    "gen_ai.response.id": _some(
        _either(_told("id"), lambda made: made.path_id("responses"), lambda made: made.path_id("runs"))
    ),
    "gen_ai.response.model": _told("model"),
    "gen_ai.response.status": _told("status"),
    "gen_ai.response.finish_reasons": _finish_reasons,
    "gen_ai.response.time_to_first_chunk": _first_chunk,
    "gen_ai.embeddings.dimension.count": _dimensions,
    "gen_ai.usage.input_tokens": _told("usage.prompt_tokens usage.input_tokens"),
    "gen_ai.usage.output_tokens": _told("usage.completion_tokens usage.output_tokens"),
    "gen_ai.usage.reasoning.output_tokens": _details("output", "reasoning_tokens"),
    "gen_ai.usage.cache_read.input_tokens": _details("input", "cached_tokens"),
    "gen_ai.usage.cache_write.input_tokens": _details("input", "cache_write_tokens"),
    **{
        f"gen_ai.usage.{part}.{of}_tokens": _details(of, f"{part}_tokens")
        for part in ("text", "image", "audio")
        for of in ("input", "output")
    },
    **{
        f"gen_ai.usage.{part}.cache_read.input_tokens": _details("input", f"cached_tokens_details.{part}_tokens")
        for part in ("text", "image", "audio")
    },
    "gen_ai.system_instructions": _opt_in(_instructions),
    "gen_ai.input.messages": _opt_in(
        _sent("messages input additional_messages thread.messages tool_outputs prompt file image")
    ),
    "gen_ai.output.messages": _opt_in(_said),
    "gen_ai.tool.definitions": _opt_in(
        lambda made: (
            _sent("tools functions")(made)
            or (operation(made.request).name == "fetch_response" and _told("tools")(made))
        )
    ),
}


def _listed(value: Any) -> tuple[str, ...] | None:
    return None if value is None else (value,) if isinstance(value, str) else tuple(value)
