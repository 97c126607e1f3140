"""Calls that this process does not know any more, or that another one made: found in the records on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from opentelemetry.trace import SpanContext, TraceFlags

from ..instrumentors._ledger import Ref
from ..sinks.files.lookup import newest


def finder(base_dir: Path) -> Callable[[str], Ref | None]:
    """Give what finds a call below a folder by the id of its record or of its response."""
    return partial(_find, base_dir)


def _find(base_dir: Path, key: str) -> Ref | None:
    record = newest(base_dir, key)
    if record is None or not (record.get("trace_id") and record.get("span_id")):
        return None
    ids = int(record["trace_id"], 16), int(record["span_id"], 16)
    context = SpanContext(*ids, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    # As it stands there: the file is named after it, in the time zone of the process that wrote it.
    return Ref(context, record.get("session_id"), str(record.get("timestamp")))
