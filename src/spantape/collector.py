"""`push(...)`: recorded spans to a collector that was not there when they were recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import kinds
from .process import flush_files, recordings, settings_at_hand

if TYPE_CHECKING:
    from .sinks.traces.push import Pushed


def push(endpoint: str | None = None, base_dir: str | Path | None = None, *, force: bool = False) -> Pushed:
    """Send the spans in `traces/` to a collector over OTLP/HTTP, ids and times unchanged, each at most once.

    What was sent to an address is remembered beside the files; `force` sends all of it again. `endpoint` defaults to
    the setting `otlp_endpoint` or OpenTelemetry's variables, `base_dir` to where this process records.

    Raises:
        PushError: There is nowhere to send to, or the receiver takes nothing now; what is left goes with the next push.
        SealError: What was said is encrypted, and there is no key that opens it.
    """
    from .sinks.push import push as send

    settings = settings_at_hand()
    if endpoint is not None:
        settings = replace(settings, otlp_endpoint=kinds.URL.read("endpoint=", endpoint))
    flush_files()
    return send(recordings(base_dir).base_dir, settings, force=force)
