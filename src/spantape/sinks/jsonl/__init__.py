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
    from ...sampling import Sampling
    from .._copies import unsaid, whole
    from .._lines import LineProcessor, Lines
    from .log import Log

    path = settings.jsonl_path.absolute() if settings.jsonl else None
    log = Log(path, Sampling.of(settings), logs=settings.log_calls)
    shown = whole if settings.file_content else unsaid  # messages of errors may quote it
    return LineProcessor(
        lambda spans: log.lines(list(map(shown, spans))),
        Lines(settings.jsonl_max_bytes, settings.jsonl_backups),
        settings,
    )
