"""`Amendment`: what is learned of a call after it has ended; it rides the span pipeline as a small span with a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import jsontext, semconv
from .interaction import Interaction, has_our_scope
from .jsontext import Json

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

FINALIZED = "finalized"

_BARE = 1000

_FIELDS = {
    "message_id": semconv.MESSAGE_ID,
    "role_name": semconv.ROLE_NAME,
    "step_id": semconv.STEP_ID,
    "round_index": semconv.ROUND_INDEX,
    "user_id": semconv.USER_ID,
    "agent_key": semconv.AGENT_KEY,
    "conversation_id": semconv.CONVERSATION_ID,
}


@dataclass(frozen=True)
class Amendment:
    """What is to be changed in the record of the call `id`, which started at `timestamp`."""

    id: str
    timestamp: str
    session_id: str | None
    trace_id: str | None
    span_id: str | None
    fields: Mapping[str, Json]
    metadata: Mapping[str, Json]

    @classmethod
    def from_span(cls, span: ReadableSpan) -> Amendment:
        """Read the amendment that a span tells."""
        found: Mapping[str, Any] = span.attributes or {}
        whose = span.links[0].context if span.links else None
        topic = {"session_topic": found[semconv.TOPIC]} if semconv.TOPIC in found else {}
        return cls(
            id=found[semconv.AMENDS],
            timestamp=found[semconv.AMENDS_SINCE],
            session_id=found.get(semconv.SESSION_ID),
            trace_id=f"{whose.trace_id:032x}" if whose else None,
            span_id=f"{whose.span_id:016x}" if whose else None,
            fields={name: found[key] for name, key in _FIELDS.items() if key in found},
            metadata={**jsontext.loads_or(found.get(semconv.METADATA), {}), **topic},
        )

    def weight(self) -> int:
        """Give about how many bytes it takes in memory."""
        return _BARE + len(jsontext.dumps([self.fields, self.metadata]))

    def applied(self, record: Mapping[str, Json]) -> dict[str, Json]:
        """Give the record as it is from now on."""
        stage = {"stage": FINALIZED, FINALIZED: True}
        return {**record, **self.fields, "metadata": {**(record.get("metadata") or {}), **self.metadata, **stage}}

    def alone(self) -> dict[str, Json]:
        """Give the record where the call's own is not known here."""
        bare = Interaction(self.id, self.timestamp, self.session_id, trace_id=self.trace_id, span_id=self.span_id)
        return self.applied(bare.to_json())


def is_amendment(span: ReadableSpan) -> bool:
    """Say whether a span amends a call."""
    return has_our_scope(span) and semconv.AMENDS in (span.attributes or {})
