"""`Interaction`: one recorded call, made from an ended span; its JSON is the record on disk."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeAlias

from . import jsontext, semconv, transcript
from .jsontext import Json

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

Found: TypeAlias = Mapping[str, Any]
"""A span's attributes."""

_NAMESPACE = uuid.UUID("6f6a7a9e-0d5c-5c0f-9d5b-7b7e5d2f3a11")
_NS_PER_MS = 1_000_000

USAGE = {
    "input_tokens": semconv.INPUT_TOKENS,
    "output_tokens": semconv.OUTPUT_TOKENS,
    "cache_read_input_tokens": semconv.CACHE_READ_TOKENS,
    "cache_write_input_tokens": semconv.CACHE_WRITE_TOKENS,
    "reasoning_output_tokens": semconv.REASONING_TOKENS,
    "text_input_tokens": semconv.TEXT_INPUT_TOKENS,
    "text_output_tokens": semconv.TEXT_OUTPUT_TOKENS,
    "text_cache_read_input_tokens": semconv.TEXT_CACHE_READ_TOKENS,
    "image_input_tokens": semconv.IMAGE_INPUT_TOKENS,
    "image_output_tokens": semconv.IMAGE_OUTPUT_TOKENS,
    "image_cache_read_input_tokens": semconv.IMAGE_CACHE_READ_TOKENS,
    "audio_input_tokens": semconv.AUDIO_INPUT_TOKENS,
    "audio_output_tokens": semconv.AUDIO_OUTPUT_TOKENS,
    "audio_cache_read_input_tokens": semconv.AUDIO_CACHE_READ_TOKENS,
    "svg_input_tokens": semconv.SVG_INPUT_TOKENS,
    "svg_output_tokens": semconv.SVG_OUTPUT_TOKENS,
    "seconds": semconv.SECONDS,
}
COST = {
    "input": semconv.COST_INPUT,
    "output": semconv.COST_OUTPUT,
    "cached": semconv.COST_CACHED,
    "total": semconv.COST_TOTAL,
    "currency": semconv.COST_CURRENCY,
    "source": semconv.COST_SOURCE,
    "price_date": semconv.COST_PRICE_DATE,
}
_REQUEST = {
    "model": semconv.REQUEST_MODEL,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "top_k": semconv.REQUEST_TOP_K,
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "frequency_penalty": semconv.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": semconv.REQUEST_PRESENCE_PENALTY,
    "stop": semconv.REQUEST_STOP_SEQUENCES,
    "seed": semconv.REQUEST_SEED,
    "n": semconv.REQUEST_CHOICE_COUNT,
    "stream": semconv.REQUEST_STREAM,
    "reasoning_effort": semconv.REQUEST_REASONING_LEVEL,
    "output_type": semconv.OUTPUT_TYPE,
    "service_tier": semconv.OPENAI_REQUEST_SERVICE_TIER,
    "previous_response_id": semconv.REQUEST_PREVIOUS_RESPONSE_ID,
    "stream_cursor": semconv.REQUEST_STREAM_CURSOR,
    "prompt_name": semconv.PROMPT_NAME,
    "prompt_version": semconv.PROMPT_VERSION,
}
_ERROR = {
    "type": semconv.ERROR_TYPE,
    "message": semconv.ERROR_MESSAGE,
    "code": semconv.ERROR_CODE,
    "status_code": semconv.HTTP_STATUS,
    "provider_type": semconv.PROVIDER_ERROR_TYPE,
}
_OWN = {
    "session_topic": semconv.TOPIC,
    "api_response_time": semconv.SERVER_TIME,
    "model_used": semconv.RESPONSE_MODEL,
    "stream_end": semconv.STREAM_END,
    "service_tier": semconv.OPENAI_RESPONSE_SERVICE_TIER,
    "response_status": semconv.RESPONSE_STATUS,
    "cache_hit": semconv.CACHE_HIT,
    "counted_tokens": semconv.COUNTED_TOKENS,
    "content_dropped": semconv.CONTENT_DROPPED,
}
OWN_METADATA = frozenset({"stage", *_OWN})
"""What the metadata holds that nobody has given to a session."""
_SERVER = {"address": semconv.SERVER_ADDRESS, "port": semconv.SERVER_PORT}
_STATUSES = {"Timeout": "timeout", "Cancelled": "cancelled"}
_CODE = {"function": semconv.CODE_FUNCTION, "file": semconv.CODE_FILE, "line": semconv.CODE_LINE}


@dataclass(frozen=True)
class Interaction:
    """One LLM call. The first fields are those of the recording format that spantape grew from, then come ours.

    Times are ISO 8601 with offset, lengths are characters, `*_ms` are milliseconds. Unknown is None, never 0.
    """

    id: str
    timestamp: str
    session_id: str | None = None
    message_id: int | str | None = None
    role_name: str | None = None
    step_id: int | str | None = None
    round_index: int | str | None = None
    provider: str | None = None
    model: str | None = None
    prompt: str | None = None
    response: str | None = None
    success: bool | None = None
    error_message: str | None = None
    performance_metrics: dict[str, Json] = field(default_factory=dict)
    metadata: dict[str, Json] = field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    operation: str | None = None
    user_id: str | None = None
    agent_key: str | None = None
    conversation_id: str | None = None
    request: dict[str, Json] = field(default_factory=dict)
    messages: list[Json] | None = None
    output_messages: list[Json] | None = None
    finish_reasons: list[str] | None = None
    usage: dict[str, Json] | None = None
    cost: dict[str, Json] | None = None
    timing: dict[str, Json] = field(default_factory=dict)
    error: dict[str, Json] | None = None
    status: str | None = None
    retries: int | None = None
    response_id: str | None = None
    request_id: str | None = None
    server: dict[str, Json] | None = None
    source: dict[str, Json] | None = None

    @classmethod
    def from_span(cls, span: ReadableSpan, *, verbatim: bool = False) -> Interaction:
        """Make the interaction that a span of ours tells, ended or still running.

        `verbatim` leaves the messages the JSON text that they are on the span, which only `line()` can read.
        """
        found = dict(span.attributes or {})
        timing = _timing(span, found)
        return cls(
            timestamp=timing["start_time"] or timing["end_time"],
            timing=timing,
            **_identity(span, found),
            **_belonging(span, found),
            **_said(found, timing["duration_ms"], verbatim=verbatim),
            **_figures(found),
            **_outcome(span, found),
        )

    @classmethod
    def from_json(cls, record: Mapping[str, Json]) -> Interaction:
        """Read a record; keys that this version doesn't know are left out."""
        return cls(**{option.name: record[option.name] for option in fields(cls) if option.name in record})

    def to_json(self) -> dict[str, Json]:
        """Give the record, keys in their order on disk."""
        return dict(vars(self))

    def line(self) -> bytes:
        """Give the record as one line of JSON, without the line's end."""
        return jsontext.dumps(self.to_json())

    def started_on(self) -> str:
        """Give the local date on which the call started, as YYYY-MM-DD."""
        return self.timestamp[:10]


def is_ours(span: ReadableSpan) -> bool:
    """Say whether a span tells an LLM call that we instrumented; agents and tools make calls, and are none."""
    operation = (span.attributes or {}).get(semconv.OPERATION)
    if operation is None or not has_our_scope(span):
        return False
    is_remote = operation == semconv.INVOKE_AGENT and span.kind.name == "CLIENT"  # an agent that the provider runs
    return is_remote or operation not in semconv.AROUND_CALLS


def has_our_scope(span: ReadableSpan) -> bool:
    """Say whether an instrumentor of ours has made a span."""
    scope = span.instrumentation_scope
    return scope is not None and scope.name.partition(".")[0] == semconv.SCOPE


def interaction_id(trace_id: str, span_id: str) -> str:
    """Derive a record's id from its span's ids (32 and 16 hex digits), so that each finds the other."""
    return str(uuid.uuid5(_NAMESPACE, f"{trace_id}-{span_id}"))


def id_of(context: SpanContext) -> str | None:
    """Give a span's record's id; None for a span that is none."""
    return interaction_id(f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None


def _identity(span: ReadableSpan, found: Found) -> dict[str, Json]:
    context, parent = span.context, span.parent
    trace_id, span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    return {
        "id": interaction_id(trace_id, span_id),
        "trace_id": trace_id,
        "span_id": span_id,
        "parent_span_id": f"{parent.span_id:016x}" if parent else None,
        "operation": found.get(semconv.OPERATION),
        "provider": found.get(semconv.PROVIDER),
        "model": found.get(semconv.REQUEST_MODEL) or found.get(semconv.RESPONSE_MODEL),
        "response_id": found.get(semconv.RESPONSE_ID),
        "request_id": found.get(semconv.REQUEST_ID),
        "server": _pick(_SERVER, found) or None,
        "source": _source(span, found) or None,
    }


def _belonging(span: ReadableSpan, found: Found) -> dict[str, Json]:
    return {
        "session_id": found.get(semconv.SESSION_ID),
        "message_id": found.get(semconv.MESSAGE_ID),
        "role_name": found.get(semconv.ROLE_NAME),
        "step_id": found.get(semconv.STEP_ID),
        "round_index": found.get(semconv.ROUND_INDEX),
        "user_id": found.get(semconv.USER_ID),
        "agent_key": found.get(semconv.AGENT_KEY),
        "conversation_id": found.get(semconv.CONVERSATION_ID),
        "metadata": _metadata(span, found),
    }


def _metadata(span: ReadableSpan, found: Found) -> dict[str, Json]:
    stage = found.get(semconv.STAGE, "completed") if span.end_time else "started"
    said = {"stage": stage, **_pick(_OWN, found)}
    given = jsontext.loads_or(found.get(semconv.METADATA), {})
    return said | {key: value for key, value in given.items() if key not in said} if isinstance(given, dict) else said


def _said(found: Found, ran: float | None, *, verbatim: bool) -> dict[str, Json]:
    asked = transcript.prompt(found.get(semconv.INPUT_MESSAGES), found.get(semconv.SYSTEM_INSTRUCTIONS))
    answered = transcript.response(found.get(semconv.OUTPUT_MESSAGES))
    return {
        "prompt": asked.text,
        "response": answered.text,
        "messages": asked.verbatim() if verbatim else asked.messages,
        "output_messages": answered.verbatim() if verbatim else answered.messages,
        "request": _request(found),
        "performance_metrics": {
            "response_time_ms": None if ran is None else round(ran),
            "prompt_length": None if asked.text is None else len(asked.text),
            "response_length": None if answered.text is None else len(answered.text),
            "history_messages_count": None if asked.messages is None else max(0, asked.turns - 1),
            **jsontext.loads_or(found.get(semconv.PERFORMANCE), {}),
        },
    }


def _figures(found: Found) -> dict[str, Json]:
    return {
        "finish_reasons": _listed(found.get(semconv.RESPONSE_FINISH_REASONS)),
        "usage": _usage(found) or None,
        "cost": _pick(COST, found) or None,
        "retries": found.get(semconv.RETRIES),
    }


def _usage(found: Found) -> dict[str, Json]:
    usage = _pick(USAGE, found)
    counts = [usage.get("input_tokens"), usage.get("output_tokens")]
    if all(isinstance(count, int) for count in counts):
        usage["total_tokens"] = sum(counts)
    if found.get(semconv.USAGE_ESTIMATED) is True:
        usage["estimated"] = True
    return usage


def _timing(span: ReadableSpan, found: Found) -> dict[str, Json]:
    first = found.get(semconv.RESPONSE_TIME_TO_FIRST_CHUNK)
    return {
        "start_time": moment(span.start_time) if span.start_time else None,
        "end_time": moment(span.end_time) if span.end_time else None,
        # Who tells us of a call's end only may not know when it began.
        "duration_ms": _ms(span.end_time - span.start_time) if span.end_time and span.start_time else None,
        "time_to_first_chunk_ms": round(first * 1000, 3) if isinstance(first, (int, float)) else None,
    }


def _outcome(span: ReadableSpan, found: Found) -> dict[str, Json]:
    failed = semconv.ERROR_TYPE in found
    error = _pick(_ERROR, found) if failed else None
    return {
        "success": not failed if span.end_time else None,
        "error_message": error.get("message") if error else None,
        "error": error,
        "status": (found.get(semconv.STATUS) or _status(found.get(semconv.ERROR_TYPE))) if span.end_time else None,
    }


def _status(error_type: object) -> str:
    if error_type is None:
        return "success"
    kinds = (status for name, status in _STATUSES.items() if name in str(error_type))
    return next(kinds, "failed")


def _request(found: Found) -> dict[str, Json]:
    sent = jsontext.loads_or(found.get(semconv.REQUEST_PARAMETERS), {})
    tools = jsontext.loads_or(found.get(semconv.TOOL_DEFINITIONS))
    request = _pick(_REQUEST, found) | (sent if isinstance(sent, dict) else {})
    start = semconv.PROMPT_VARIABLE
    variables = {name[len(start) :]: value for name, value in found.items() if name.startswith(start)}
    if variables:  # those that are no texts are among the parameters
        others = request.get("prompt_variables")
        request["prompt_variables"] = variables | (others if isinstance(others, dict) else {})
    return request | ({"tools": tools} if tools else {})


def _source(span: ReadableSpan, found: Found) -> dict[str, Json]:
    service = span.resource.attributes.get("service.name") if span.resource else None
    named = service and not str(service).startswith("unknown_service")
    return ({"service": service} if named else {}) | _pick(_CODE, found)


def _pick(table: Mapping[str, str], found: Found) -> dict[str, Json]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, key in table.items()
        if (value := found.get(key)) is not None
    }


def _listed(value: object) -> list[Json] | None:
    return list(value) if isinstance(value, (list, tuple)) else None


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / _NS_PER_MS, 3)


def moment(nanoseconds: int | None) -> str:
    """Give a time as records have it."""
    found = datetime.fromtimestamp((nanoseconds or 0) / 1e9, tz=timezone.utc)
    return found.astimezone().isoformat(timespec="microseconds")
