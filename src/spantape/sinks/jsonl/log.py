"""`Log`: ended calls as lines of the file and as entries of the logger."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan

from ... import jsontext
from ...guard import guard
from ...interaction import Interaction, is_ours
from ...pricing.exchange import Exchange
from .shape import LOGGER, shaped

_logger = logging.getLogger(LOGGER)


class Log:
    """Tells calls to a file, if there is one, and if wanted to the standard library's logger `llm_monitor`."""

    def __init__(self, path: Path | None, exchange: Exchange, *, logs: bool) -> None:
        self._path, self._exchange, self._logs = path, exchange, logs

    def lines(self, spans: Sequence[ReadableSpan]) -> Iterator[tuple[Path, bytes]]:
        """Give the lines of the file; what is logged is logged now."""
        for span in filter(is_ours, spans):
            with guard:
                record = shaped(Interaction.from_span(span), self._exchange)
                line = jsontext.dumps(record)
                if self._logs:
                    _logger.log(getattr(logging, record["level"]), "%s", line.decode(), extra={"llm_call": record})
                if self._path is not None:
                    yield self._path, line
