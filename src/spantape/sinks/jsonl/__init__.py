"""The call log: one JSON object a call, in a rotating file, to the logger `llm_monitor`, or to both."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...settings import Settings
    from .._lines import LineProcessor


def processor(settings: Settings) -> LineProcessor | None:
    """Give what writes the log; None when nobody asked for it."""
    if not (settings.jsonl or settings.log_calls):
        return None
    from ...pricing.exchange import Exchange
    from .._lines import LineProcessor, Lines
    from .log import Log

    path = settings.jsonl_path.absolute() if settings.jsonl else None
    log = Log(path, Exchange(settings.exchange_rates or {}), logs=settings.log_calls)
    return LineProcessor(log.lines, Lines(settings.jsonl_max_bytes, settings.jsonl_backups), settings)
