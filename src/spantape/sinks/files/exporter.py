"""`FileSpanExporter`: spans of LLM calls to readable JSON files, with any OpenTelemetry SDK processor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from sys import getsizeof

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ... import jsontext, sampling
from ...guard import guard
from ...interaction import Interaction, is_ours
from ...sampling import Sampling
from ...settings import Settings
from .._copies import unsaid, whole
from . import layout
from .seal import sealing
from .writer import WAIT, FileWriter

_SPAN = 2000


class Ended:
    """A call that has ended; its interaction is made once, for all who need it.

    `rate` is the part of the calls like it that is recorded.
    """

    def __init__(self, span: ReadableSpan, rate: float = 1.0) -> None:
        self._span, self._rate = span, rate
        self._made: Interaction | None = None

    def weight(self) -> int:
        """Give about how many bytes it takes in memory."""
        return _SPAN + sum(map(getsizeof, (self._span.attributes or {}).values()))

    def interaction(self) -> Interaction:
        """Give the interaction, with its messages as they are on the span."""
        if self._made is None:
            self._made = Interaction.from_span(self._span, verbatim=True)
            if self._rate < 1 or sampling.KEY in self._made.metadata:
                self._made.metadata[sampling.KEY] = self._rate
        return self._made


class FileSpanExporter(SpanExporter):
    """Writes the LLM calls among the spans by session, by date, and the failed ones to `errors/`.

    `base_dir` defaults to the setting of that name, the other settings to what the environment says. What can't be
    written at once is logged and tried again with the next export, flush and shutdown, so a processor needs no retry
    of its own.
    """

    def __init__(self, base_dir: str | Path | None = None, settings: Settings | None = None) -> None:
        chosen = settings or Settings.load()
        self.base_dir = Path(base_dir) if base_dir is not None else chosen.base_dir
        self.sampling = Sampling.of(chosen)
        self.writer = FileWriter(self.base_dir, chosen)
        self.seal = sealing(chosen)
        """What is done to a record before it is written."""
        self.shown = whole if chosen.file_content else unsaid
        """Gives what of a span is written."""
        self.quiet = False
        """True while a processor of ours writes the same files."""
        self._unmade = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the spans that are LLM calls of ours; others are none of our business."""
        if self.quiet:
            return SpanExportResult.SUCCESS
        rates = [(span, self.sampling.rate_of(span)) for span in spans if is_ours(span)]
        written = self.write(Ended(self.shown(span), rate) for span, rate in rates if rate is not None)
        return SpanExportResult.SUCCESS if written else SpanExportResult.FAILURE

    def write(self, calls: Iterable[Ended], timeout: float = WAIT) -> bool:
        """Write calls; False while anything that was ever given waits to be written."""
        for call in calls:
            with guard:
                interaction = call.interaction()
                self.writer.put(jsontext.dumps(self.seal(interaction.to_json())), paths(interaction))
                continue
            self._unmade += 1
        return self.writer.flush(timeout)

    def shutdown(self) -> None:
        """Write what waits; an export after this still writes."""
        if not self.writer.flush():
            self.writer.give_up()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Write what waits."""
        return self.writer.flush(timeout_millis / 1000)

    @property
    def lost(self) -> int:
        """How many records are not in the files, and never will be."""
        return self._unmade + self.writer.lost


def paths(interaction: Interaction) -> list[Path]:
    """Give the files, below the base folder, that an ended call belongs in."""
    return layout.files(interaction.session_id, interaction.started_on(), failed=not interaction.success)
