"""`FileSpanExporter`: spans of LLM calls to readable JSON files, with any OpenTelemetry SDK processor."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ... import jsontext, sampling
from ...amendment import Amendment, is_amendment
from ...guard import guard
from ...interaction import is_ours
from ...record import Record, attributes_of, record_of
from ...sampling import Sampling
from ...settings import Settings
from .._buffer import held_by
from .._copies import unsaid, whole
from . import layout
from .amender import Amender
from .seal import sealing
from .writer import WAIT, FileWriter

_MOST = 1000


class Ended:
    """A call that has ended; its record is made once, for all who need it.

    `rate` is the part of the calls like it that is recorded.
    """

    def __init__(self, span: ReadableSpan, rate: float = 1.0) -> None:
        self._span, self._rate = span, rate
        self._found = attributes_of(span)
        self._made: Record | None = None

    def weight(self) -> int:
        """Give about how many bytes it takes in memory."""
        return held_by(self._found)

    def record(self) -> Record:
        """Give the record, with its messages as they are on the span."""
        if self._made is None:
            self._made = record_of(self._span, self._found, verbatim=True)
            sampling.tell(self._made["metadata"], self._rate)
        return self._made


Item: TypeAlias = "Ended | Amendment"
Placed: TypeAlias = tuple[int, tuple[Path, ...]]
"""Where a line ends among others, and the files that it belongs in."""


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
        self._amender = Amender(self.writer.base_dir, keeps_all=self.sampling.rate >= 1)
        self._amendments: deque[Amendment] = deque()
        self._unmade = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the spans that are LLM calls of ours; others are none of our business."""
        if self.quiet:
            return SpanExportResult.SUCCESS
        written = self.write(deque(self._items(spans)))
        return SpanExportResult.SUCCESS if written else SpanExportResult.FAILURE

    def write(self, items: deque[Item], timeout: float = WAIT) -> bool:
        """Write calls and amendments; False while anything that was ever given waits to be written.

        Takes them out one by one, so that no call is in memory any longer than until its line is.
        """
        lines, places = bytearray(), deque[Placed]()
        try:
            while items:
                self._take(items.popleft(), lines, places)
        finally:
            start, view = 0, memoryview(lines)
            for end, files in places:
                self.writer.put(view[start:end], files)
                start = end
        while len(self._amendments) > _MOST:
            self._amendments.popleft()
            self._unmade += 1
        return self.writer.flush(timeout) and self._amend(timeout)

    def shutdown(self) -> None:
        """Write what waits; an export after this still writes."""
        if not self.force_flush():
            self.give_up()

    def give_up(self) -> None:
        """Count what still waits as lost, at the very end."""
        self.writer.give_up(len(self._amendments))
        self._amendments.clear()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Write what waits."""
        return self.write(deque(), timeout_millis / 1000)

    @property
    def lost(self) -> int:
        """How many records are not in the files, and never will be."""
        return self._unmade + self.writer.lost

    def _items(self, spans: Sequence[ReadableSpan]) -> Iterator[Item]:
        for span in spans:
            rate = self.sampling.rate_of(span) if is_ours(span) else None
            if rate is not None:
                yield Ended(self.shown(span), rate)
            elif is_amendment(span):
                yield Amendment.from_span(span)

    def _take(self, one: Item, lines: bytearray, places: deque[Placed]) -> None:
        """Make a call's line, behind others: a thousand lines by themselves are new pages of memory each time."""
        if isinstance(one, Amendment):
            self._amendments.append(one)
            return
        with guard:
            record = self._amender.record(one.record())
            files = paths(record)
            lines += jsontext.dumps(self.seal(record))
            places.append((len(lines), files))
            return
        self._unmade += 1

    def _amend(self, timeout: float) -> bool:
        """Write amended records behind those of the calls, which have to be on disk to be found."""
        written = True
        while written and self._amendments:
            written = self._is_put(self._amendments.popleft()) and self.writer.flush(timeout)
        return written

    def _is_put(self, amendment: Amendment) -> bool:
        """Put the record as it is from now on; False when the call's own can't be read at this moment."""
        with guard:
            try:
                record = self._amender.amended(amendment)
            except OSError as error:
                self._amendments.appendleft(amendment)
                self.writer.failed(error)
                return False
            if record is not None:
                self.writer.put(jsontext.dumps(self.seal(record)), paths(record))
            return True
        self._unmade += 1
        return True


def paths(record: Record) -> tuple[Path, ...]:
    """Give the files, below the base folder, that the record of an ended call belongs in."""
    return layout.files(record.get("session_id"), record["timestamp"][:10], not record.get("success"))
