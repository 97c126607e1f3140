"""Calls that this process does not know any more, or that another one made: found in the records on disk."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from opentelemetry.trace import SpanContext, TraceFlags

from ..instrumentors._ledger import Ref
from ..sinks.files.arrays import Record
from ..sinks.files.lookup import newest


def finder(base_dir: Path) -> Callable[[str], Ref | None]:
    """Give what finds a call below a folder by the id of its record or of its response."""
    return partial(_find, base_dir)


def _find(base_dir: Path, key: str) -> Ref | None:
    record = newest(base_dir, key)
    return _ref(record) if record is not None else None


def _ref(record: Record) -> Ref:
    ids = int(record["trace_id"], 16), int(record["span_id"], 16)
    context = SpanContext(*ids, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    started = datetime.fromisoformat(record["timestamp"])
    return Ref(context, record.get("session_id"), round(started.timestamp() * 1e6) * 1000)
