"""Whole spans in OpenTelemetry's own file format, `traces/<date>.jsonl`, to be sent to a collector later."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...settings import Settings
    from .._lines import LineProcessor

FOLDER = "traces"


def processor(settings: Settings, base_dir: Path) -> LineProcessor | None:
    """Give what writes spans; None when nobody asked for it."""
    if not settings.traces:
        return None
    from .._lines import LineProcessor, Lines
    from . import encoding
    from .seal import sealing
    from .spans import lines

    change = encoding.said(sealing(settings)) if settings.file_content else encoding.silent
    return LineProcessor(partial(lines, base_dir / FOLDER, settings.otlp_max_bytes, change), Lines(), settings)
