"""What the GenAI conventions of OpenTelemetry want, as tables.

Written after open-telemetry/semantic-conventions-genai at 024a4f944a1291fcb627c9c47da69e79868dd15e, not after our code:
the names are spelled out here once more, so that a slip in `semconv.py` is seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# --- attributes: type, and the values that the conventions name; a closed set allows no others

STRING, INT, DOUBLE, BOOL, STRINGS, JSON, ANY = "string", "int", "double", "bool", "string[]", "JSON", "anything"


@dataclass(frozen=True)
class Attribute:
    type: str
    closed: frozenset[str] = frozenset()


def _closed(*values: str) -> Attribute:
    return Attribute(STRING, frozenset(values))


def _all(kind: str, names: str, prefix: str = "") -> dict[str, Attribute]:
    return {prefix + name: Attribute(kind) for name in names.split()}


ATTRIBUTES: Mapping[str, Attribute] = {
    **_all(STRING, "operation.name provider.name conversation.id", "gen_ai."),  # custom values are allowed
    **_all(BOOL, "gen_ai.conversation.compacted gen_ai.request.stream"),
    "gen_ai.output.type": _closed("text", "json", "image", "speech"),
    **_all(STRING, "prompt.name prompt.version agent.id agent.name", "gen_ai."),
    **_all(STRING, "model reasoning.level previous_response.id stream_cursor", "gen_ai.request."),
    **_all(INT, "choice.count seed top_k max_tokens", "gen_ai.request."),
    **_all(DOUBLE, "frequency_penalty presence_penalty temperature top_p", "gen_ai.request."),
    **_all(STRINGS, "stop_sequences encoding_formats", "gen_ai.request."),
    **_all(STRING, "id model", "gen_ai.response."),
    "gen_ai.response.status": _closed("queued", "in_progress", "completed", "incomplete", "failed", "cancelled"),
    "gen_ai.response.finish_reasons": Attribute(STRINGS),
    "gen_ai.response.time_to_first_chunk": Attribute(DOUBLE),
    "gen_ai.embeddings.dimension.count": Attribute(INT),
    **_all(INT, "input_tokens output_tokens reasoning.output_tokens", "gen_ai.usage."),
    **_all(INT, "cache_read.input_tokens cache_write.input_tokens", "gen_ai.usage."),
    **_all(INT, "text.input_tokens image.input_tokens audio.input_tokens", "gen_ai.usage."),
    **_all(INT, "text.output_tokens image.output_tokens audio.output_tokens", "gen_ai.usage."),
    **_all(INT, "text.cache_read.input_tokens image.cache_read.input_tokens", "gen_ai.usage."),
    **_all(INT, "audio.cache_read.input_tokens", "gen_ai.usage."),
    **_all(JSON, "system_instructions input.messages output.messages tool.definitions", "gen_ai."),
    "openai.api.type": _closed("chat_completions", "responses"),
    **_all(STRING, "request.service_tier response.service_tier response.system_fingerprint", "openai."),
    **_all(STRING, "server.address error.type"),
    "server.port": Attribute(INT),
    # on spans of LangChain only
    **_all(STRING, "workflow.name data_source.id retrieval.query.text", "gen_ai."),
    **_all(STRING, "name type description call.id", "gen_ai.tool."),
    **_all(JSON, "tool.call.arguments tool.call.result retrieval.documents", "gen_ai."),
    "gen_ai.retrieval.top_k": Attribute(INT),
    # on metrics only
    "gen_ai.token.type": _closed("input", "output"),
    "gen_ai.token.modality": _closed("text", "image", "audio", "unknown"),
}
VARIABLE = "gen_ai.prompt.variable."
"""A template of the conventions: any key may follow."""
HEADERS = {"http.request.header.", "http.response.header."}
"""Their templates for headers."""

# Names of other conventions, which ours may use; and what is ours. Nothing else may be on a span.
GENERAL: Mapping[str, Attribute] = {
    **_all(STRING, "session.id user.id code.function.name code.file.path"),
    **_all(INT, "code.line.number http.response.status_code"),
}
OURS = "spantape."

CONTENT = frozenset({
    *("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions"),
    *("spantape.request.parameters", "spantape.error.message"),
})  # fmt: skip
"""What was said, and so is nowhere unless content is captured; and so are prompt variables."""

AT_CREATION = frozenset({
    *("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.agent.name"),
    *("server.address", "server.port"),
})  # fmt: skip
"""What a sampler decides by."""

# --- span types: attribute → level. Required is always there; everything else exactly when the call has it.

REQUIRED, CONDITIONAL, RECOMMENDED, OPT_IN = "required", "conditional", "recommended", "opt-in"
SpanType = Mapping[str, str]


def _level(level: str, names: str, prefix: str = "") -> dict[str, str]:
    return {prefix + name: level for name in names.split()}


_PART = ("text", "image", "audio")
_USAGE: SpanType = {
    **_level(RECOMMENDED, "input_tokens output_tokens reasoning.output_tokens", "gen_ai.usage."),
    **_level(RECOMMENDED, "cache_read.input_tokens cache_write.input_tokens", "gen_ai.usage."),
    **{f"gen_ai.usage.{part}.{of}_tokens": RECOMMENDED for part in _PART for of in ("input", "output")},
    **{f"gen_ai.usage.{part}.cache_read.input_tokens": RECOMMENDED for part in _PART},
}
_CALL: SpanType = {
    **_level(REQUIRED, "gen_ai.operation.name gen_ai.provider.name"),
    **_level(CONDITIONAL, "gen_ai.request.model server.port error.type"),
    "server.address": RECOMMENDED,
    # Ours beyond inferences and agents: every call inside a conversation of the application's is said to be of it.
    "gen_ai.conversation.id": CONDITIONAL,
}
_SAMPLING: SpanType = {
    **_level(CONDITIONAL, "choice.count seed stream top_k", "gen_ai.request."),
    **_level(RECOMMENDED, "frequency_penalty presence_penalty temperature top_p", "gen_ai.request."),
    **_level(RECOMMENDED, "max_tokens stop_sequences reasoning.level previous_response.id", "gen_ai.request."),
}
_SAID = _level(OPT_IN, "system_instructions input.messages output.messages tool.definitions", "gen_ai.")
INFERENCE: SpanType = {
    **_CALL, **_SAMPLING, **_USAGE, **_SAID,
    **_level(CONDITIONAL, "output.type prompt.name prompt.version", "gen_ai."),
    "gen_ai.conversation.compacted": RECOMMENDED,
    **_level(RECOMMENDED, "id model finish_reasons time_to_first_chunk", "gen_ai.response."),
    **_level(CONDITIONAL, "openai.request.service_tier openai.response.service_tier"),
    **_level(RECOMMENDED, "openai.response.system_fingerprint openai.api.type"),
}  # fmt: skip
EMBEDDINGS: SpanType = {
    **_CALL,
    **_level(RECOMMENDED, "request.encoding_formats embeddings.dimension.count response.model", "gen_ai."),
    "gen_ai.usage.input_tokens": RECOMMENDED,
    # Ours: the conventions want no content here, but a record without its texts tells nothing.
    "gen_ai.input.messages": OPT_IN,
    "gen_ai.response.id": RECOMMENDED,
}
FETCH_RESPONSE: SpanType = {
    **_CALL,
    "gen_ai.response.id": REQUIRED,
    "gen_ai.request.stream_cursor": CONDITIONAL,
    **_level(RECOMMENDED, "model status finish_reasons", "gen_ai.response."),
    **_level(OPT_IN, "system_instructions output.messages tool.definitions", "gen_ai."),
    # Ours: a fetch may be a stream, too.
    "gen_ai.request.stream": CONDITIONAL,
    "gen_ai.response.time_to_first_chunk": RECOMMENDED,
}
INVOKE_AGENT: SpanType = {
    **INFERENCE,
    **_level(CONDITIONAL, "gen_ai.agent.id gen_ai.agent.name"),
}
# Operations that the conventions do not know: what they say of every call, and of the rest what there is.
UNKNOWN: SpanType = {
    **_CALL, **_USAGE, **_SAID,
    **_level(RECOMMENDED, "id model status", "gen_ai.response."),
    "gen_ai.conversation.compacted": RECOMMENDED,
    "gen_ai.response.finish_reasons": RECOMMENDED,
}  # fmt: skip
MEDIA: SpanType = {
    **UNKNOWN,
    **_level(CONDITIONAL, "gen_ai.output.type gen_ai.request.choice.count gen_ai.request.stream"),
    **_level(RECOMMENDED, "gen_ai.request.temperature gen_ai.response.time_to_first_chunk"),
}


@dataclass(frozen=True)
class Operation:
    """An operation: the type of its spans, what their name ends with, and what of its type it can't have."""

    name: str
    span: SpanType
    named_by: str = "gen_ai.request.model"
    lacks: str = "^$"

    @property
    def is_inference(self) -> bool:
        return self.name in {"chat", "text_completion", "generate_content"}


_CHAT = Operation("chat", INFERENCE)
_AGENT = Operation("invoke_agent", INVOKE_AGENT, "gen_ai.agent.name", lacks="finish_reasons|status|openai")
_BATCH = "response.id|response.status|finish_reasons|usage"  # which are the batch's own, under spantape.batch
OPERATIONS: Mapping[str, Operation] = {
    r"POST .*/chat/completions": _CHAT,
    r"POST .*/responses": _CHAT,
    r"GET .*/responses/[^/]+": Operation("fetch_response", FETCH_RESPONSE),
    r"POST .*/completions": Operation("text_completion", INFERENCE, lacks="service_tier|api.type"),
    r"POST .*/embeddings": Operation("embeddings", EMBEDDINGS),
    r"POST .*/threads/runs": _AGENT,
    r"POST .*/threads/[^/]+/runs": _AGENT,
    r"POST .*/threads/[^/]+/runs/[^/]+/submit_tool_outputs": _AGENT,
    # --- over a websocket: a turn each
    r"WS .*/responses": _CHAT,
    r"WS .*/realtime": Operation("chat", INFERENCE, lacks="api.type"),
    # --- ours, named after the client's methods
    r"POST .*/responses/compact": Operation("compact_response", UNKNOWN, lacks="status|finish_reasons"),
    r"POST .*/responses/input_tokens": Operation("count_tokens", UNKNOWN, lacks="usage"),
    r"POST .*/responses/[^/]+/cancel": Operation("cancel_response", UNKNOWN, lacks="usage"),
    r"POST .*/images/generations": Operation("image_generation", MEDIA),
    r"POST .*/images/edits": Operation("image_edit", MEDIA),
    r"POST .*/images/variations": Operation("image_variation", MEDIA),
    r"POST .*/audio/speech": Operation("speech", MEDIA),
    r"POST .*/audio/transcriptions": Operation("transcription", MEDIA),
    r"POST .*/audio/translations": Operation("translation", MEDIA),
    r"POST .*/moderations": Operation("moderation", UNKNOWN),
    r"POST .*/decisions": Operation("decision", UNKNOWN),
    r"POST .*/batches": Operation("create_batch", UNKNOWN, lacks=_BATCH),
    r"GET .*/batches/[^/]+": Operation("fetch_batch", UNKNOWN, lacks=_BATCH),
    r"POST .*/batches/[^/]+/cancel": Operation("cancel_batch", UNKNOWN, lacks=_BATCH),
}
"""By method and path of the request; the first that matches counts. A new endpoint is one more row."""


def operation(request: str) -> Operation:
    """Find the operation of a request, given as `POST /v1/chat/completions`."""
    found = next((row for pattern, row in OPERATIONS.items() if re.fullmatch(pattern, request)), None)
    assert found is not None, f"{request} has no row in conventions.OPERATIONS"
    return found


# --- metrics: instrument, unit, buckets; attributes besides those of every metric

SECONDS = tuple(0.01 * 2**power for power in range(14))
TOKENS = tuple(4**power for power in range(14))


@dataclass(frozen=True)
class Metric:
    instrument: str
    unit: str
    buckets: tuple[float, ...] | None = None
    more: frozenset[str] = frozenset()


EVERY_METRIC: SpanType = {
    **{name: level for name, level in _CALL.items() if name not in ("error.type", "gen_ai.conversation.id")},
    "gen_ai.response.model": RECOMMENDED,
    **_level(RECOMMENDED, "openai.response.service_tier openai.response.system_fingerprint"),
}
_ERROR, _TYPE, _MODALITY = (frozenset({name}) for name in ("error.type", "gen_ai.token.type", "gen_ai.token.modality"))
_TIME, _DURATION = Metric("Histogram", "s", SECONDS), Metric("Histogram", "s", SECONDS, _ERROR)
_COUNTED, _EACH = Metric("Sum", "{token}", None, _MODALITY), Metric("Histogram", "{token}", TOKENS, _ERROR)
_INFER = "gen_ai.client.inference."
# Ours: the conventions have no metric of money yet.
_COST = {
    "spantape.client.operation.cost": Metric("Histogram", "{currency}", None, frozenset({"spantape.cost.currency"}))
}
_CURRENT = {
    "gen_ai.client.operation.duration": _DURATION,
    "gen_ai.client.operation.time_to_first_chunk": _TIME,
    "gen_ai.client.operation.time_per_output_chunk": _TIME,
    "gen_ai.client.token.usage": Metric("Histogram", "{token}", TOKENS, _TYPE),
    **_COST,
}
METRICS: Mapping[tuple[str, bool], Mapping[str, Metric]] = {
    ("current", True): _CURRENT,
    ("current", False): _CURRENT,
    ("latest", True): {
        f"{_INFER}duration": _DURATION,
        f"{_INFER}time_to_first_chunk": _TIME,
        f"{_INFER}time_per_output_chunk": _TIME,
        f"{_INFER}usage.input_tokens": _COUNTED,
        f"{_INFER}usage.output_tokens": _COUNTED,
        f"{_INFER}usage.cache_read.input_tokens": _COUNTED,
        f"{_INFER}usage.cache_write.input_tokens": _COUNTED,
        f"{_INFER}usage.reasoning.output_tokens": _COUNTED,
        f"{_INFER}operation.input_tokens": _EACH,
        f"{_INFER}operation.output_tokens": _EACH,
        **_COST,
    },
    ("latest", False): {"gen_ai.client.operation.duration": _DURATION, **_COST},
}
"""By set of names, and whether the operation is an inference."""

EVENT = "gen_ai.client.inference.operation.details"
DEBUG = 5


def is_of(kind: str, value: Any) -> bool:
    """Say whether an attribute's value is of a type; on an event JSON is a structure, so it is not looked at here."""
    if kind == STRINGS:
        return isinstance(value, (tuple, list)) and all(isinstance(item, str) for item in value)
    python = {STRING: str, INT: int, DOUBLE: float, BOOL: bool}.get(kind, object)
    return isinstance(value, python) and (python is not int or not isinstance(value, bool))
