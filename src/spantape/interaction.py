"""`Interaction`: one recorded call, made from an ended span; its JSON is the record on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from . import semconv
from .jsontext import Json
from .record import record_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_PART_OF_OURS = f"{semconv.SCOPE}."


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
    def from_span(cls, span: ReadableSpan) -> Interaction:
        """Make the interaction that a span of ours tells, ended or still running."""
        return cls(**record_of(span))

    @classmethod
    def from_json(cls, record: Mapping[str, Json]) -> Interaction:
        """Read a record; keys that this version doesn't know are left out."""
        return cls(**{option.name: record[option.name] for option in fields(cls) if option.name in record})

    def to_json(self) -> dict[str, Json]:
        """Give the record, keys in their order on disk."""
        return dict(vars(self))


def is_ours(span: ReadableSpan) -> bool:
    """Say whether a span tells an LLM call that we instrumented; agents and tools make calls, and are none."""
    attributes = span.attributes
    if attributes is None or not has_our_scope(span):
        return False
    operation = attributes.get(semconv.OPERATION)
    if operation == semconv.INVOKE_AGENT and span.kind.name == "CLIENT":  # an agent that the provider runs
        return True
    return operation is not None and operation not in semconv.AROUND_CALLS


def has_our_scope(span: ReadableSpan) -> bool:
    """Say whether an instrumentor of ours has made a span."""
    scope = span.instrumentation_scope
    name = scope.name if scope is not None else ""
    return name == semconv.SCOPE or name.startswith(_PART_OF_OURS)
