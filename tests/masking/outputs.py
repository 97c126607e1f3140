"""`Outputs`: all places that a call is told to, searched for what must be in none of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as logs_export
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import spantape
from receivers import Received, http_receiver
from recorded import Recorded

Memory: Any = getattr(logs_export, "InMemoryLogRecordExporter", None) or logs_export.InMemoryLogExporter


class Outputs(Recorded):
    """Records to files and over OTLP, with events and metrics, beside an exporter of the application's own."""

    def __init__(self, base_dir: Path, received: Received, heard: Heard, **settings: Any) -> None:
        self._received, self._heard, self._events, self._reader = received, heard, Memory(), InMemoryMetricReader()
        loggers = LoggerProvider(shutdown_on_exit=False)
        loggers.add_log_record_processor(logs_export.SimpleLogRecordProcessor(self._events))
        super().__init__(
            base_dir,
            **{"capture_content": "SPAN_AND_EVENT", "otlp_endpoint": received.url, "otlp_protocol": "http/protobuf"}
            | {"meter_provider": MeterProvider([self._reader], shutdown_on_exit=False), "logger_provider": loggers}
            | settings,
        )

    def told(self) -> dict[str, str]:
        """Give all that was told, by whom."""
        assert spantape.flush()
        files = [file for file in self.base_dir.rglob("*") if file.is_file()]
        return {
            "files": "".join(str(file) + file.read_text("utf-8") for file in files),
            "OTLP": str(self._received.spans),
            "spans": "".join(str(span.to_json()) for span in self.spans),
            "events": str([(dict(log.attributes or {}), log.body) for log in self._logged()]),
            "metrics": str(self._reader.get_metrics_data()),
            "logs": "".join(record.getMessage() + str(record.exc_info) for record in self._heard.records),
        }

    def _logged(self) -> list[Any]:
        return [log.log_record for log in self._events.get_finished_logs()]

    def has_told(self, *texts: str) -> set[str]:
        """Give where one of the texts was told."""
        return {where for where, told in self.told().items() for text in texts if text in told}


class Heard(logging.Handler):
    """Hears what spantape logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def listening(base_dir: Path, **settings: Any) -> Iterator[Outputs]:
    heard, logger = Heard(), logging.getLogger("spantape")
    level = logger.level
    logger.addHandler(heard)
    logger.setLevel(logging.DEBUG)
    try:
        with http_receiver() as received:
            yield Outputs(base_dir, received, heard, **settings)
            spantape.uninstrument()
    finally:
        logger.removeHandler(heard)
        logger.setLevel(level)
