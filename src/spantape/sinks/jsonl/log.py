"""`Log`: ended calls as lines of the file and as entries of the logger."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan

from ... import jsontext
from ...guard import guard
from ...interaction import Interaction, is_ours
from ...sampling import Sampling, tell
from .shape import LOGGER, shaped

_logger = logging.getLogger(LOGGER)


class Log:
    """Tells calls that are recorded to a file, if there is one, and if wanted to the logger `llm_monitor`."""

    def __init__(self, path: Path | None, sampling: Sampling, *, logs: bool) -> None:
        self._path, self._sampling, self._logs = path, sampling, logs

    def lines(self, spans: Sequence[ReadableSpan]) -> Iterator[tuple[Path, bytes]]:
        """Give the lines of the file; what is logged is logged now."""
        for span in filter(is_ours, spans):
            with guard:
                rate = self._sampling.rate_of(span)
                if rate is not None:
                    yield from self._told(Interaction.from_span(span), rate)

    def _told(self, call: Interaction, rate: float) -> Iterator[tuple[Path, bytes]]:
        tell(call.metadata, rate)
        record = shaped(call)
        line = jsontext.dumps(record)
        if self._logs:
            _logger.log(getattr(logging, record["level"]), "%s", line.decode(), extra={"llm_call": record})
        if self._path is not None:
            yield self._path, line
