"""`FileSpanExporter`: spans of LLM calls to readable JSON files, with any OpenTelemetry SDK processor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from filelock import Timeout
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ...guard import guard
from ...interaction import Interaction, is_ours
from ...settings import Settings
from . import layout
from .writer import FileWriter


class FileSpanExporter(SpanExporter):
    """Writes the LLM calls among the spans by session, by date, and the failed ones to `errors/`.

    `base_dir` defaults to the setting of that name. An export either writes or gives FAILURE with one log line.
    """

    def __init__(self, base_dir: str | Path | None = None) -> None:
        self.base_dir = Path(base_dir) if base_dir is not None else Settings.load().base_dir
        self.writer = FileWriter(self.base_dir)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the spans that are LLM calls of ours; others are none of our business."""
        lines: dict[Path, list[bytes]] = defaultdict(list)
        for span in spans:
            with guard:
                if is_ours(span):
                    _add(Interaction.from_span(span), lines)
        return SpanExportResult.SUCCESS if self._written(lines) else SpanExportResult.FAILURE

    def _written(self, lines: Mapping[Path, Sequence[bytes]]) -> bool:
        try:
            self.writer.append(lines)
        except (OSError, Timeout) as error:
            guard.warn_once(
                f"write {type(error).__name__}",
                "spantape can't write to %s (%s); it will try again",
                self.base_dir,
                error,
            )
            return False
        return True

    def shutdown(self) -> None:
        """Nothing is held open."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is held back."""
        return True


def _add(interaction: Interaction, lines: dict[Path, list[bytes]]) -> None:
    line = interaction.line()
    for path in paths(interaction):
        lines[path].append(line)


def paths(interaction: Interaction) -> list[Path]:
    """Give the files, below the base folder, that an ended call belongs in."""
    date = interaction.started_on()
    files = [layout.session_file(interaction.session_id, date), layout.date_file(date)]
    return files if interaction.success else [*files, layout.error_file(date)]
