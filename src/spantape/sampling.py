"""`Sampling`: which of the calls that have ended are recorded, and what part of them that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from . import semconv

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from .settings import Settings

KEY = "sample_rate"
"""Where a record says, in its `metadata`, that only this part of the calls like it was recorded."""

_NS_PER_S = 1_000_000_000
_WHOLE = 1 << 64


@dataclass(frozen=True)
class Sampling:
    """Records the part `rate` of all sessions, and every call that failed or took `slow` seconds.

    Calls of a session are recorded together or not at all, in whichever process they are made; outside of sessions,
    those of a trace. What the application's own sampler decides does not matter here.
    """

    rate: float = 1.0
    slow: float = float("inf")

    @classmethod
    def of(cls, settings: Settings) -> Sampling:
        """Make the sampling that the settings ask for."""
        return cls(settings.sample_rate, settings.slow_call)

    def rate_of(self, span: ReadableSpan) -> float | None:
        """Give the part of the calls like an ended one that is recorded; None when this one is not."""
        if self.rate >= 1 or self._is_kept(span):
            return 1.0
        return self.rate if _share(span) < self.rate else None

    def _is_kept(self, span: ReadableSpan) -> bool:
        ran = (span.end_time or 0) - (span.start_time or span.end_time or 0)
        return semconv.ERROR_TYPE in (span.attributes or {}) or ran >= self.slow * _NS_PER_S


def tell(metadata: dict[str, Any], rate: float) -> None:
    """Say in a record's metadata what part of the calls like it was recorded, unless that is all of them."""
    if rate < 1 or KEY in metadata:
        metadata[KEY] = rate


def rate(record: Mapping[str, Any]) -> float:
    """Give the part of the calls like a recorded one that was recorded: it stands for 1 / rate calls in any sum."""
    metadata = record.get("metadata")
    found = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    return found if isinstance(found, (int, float)) and 0 < found <= 1 else 1.0


def _share(span: ReadableSpan) -> float:
    """Give a number from 0 to 1 that is the same for a whole session, or trace, and spread evenly over them."""
    session = (span.attributes or {}).get(semconv.SESSION_ID)
    known_by = f"session {session}" if session is not None else f"trace {span.context.trace_id:032x}"
    return int.from_bytes(blake2b(known_by.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") / _WHOLE
