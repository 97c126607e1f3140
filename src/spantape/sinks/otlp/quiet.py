"""One line about a backend that is gone, in place of the exporter's own, which come with every batch."""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from ...guard import guard


def cannot_send(why: object) -> None:
    """Say that spans could not be sent, the first time."""
    guard.warn_once("otlp", "spantape can't send spans over OTLP, and says so only once: %s", why)


class Quiet(logging.Filter):
    """While entered, keeps what an exporter logs in this thread to itself; the application's exporters log as ever."""

    def __init__(self, exporter: object) -> None:
        super().__init__()
        # OpenTelemetry's loggers have the names of the modules.
        names = {kind.__module__ for kind in type(exporter).__mro__ if kind.__module__.startswith("opentelemetry.")}
        self._loggers = [logging.getLogger(name) for name in sorted(names)]
        self._thread: threading.Thread | None = None
        self.last = "the exporter gives no reason"

    def __enter__(self) -> Quiet:
        self._thread = threading.current_thread()
        for logger in self._loggers:
            logger.addFilter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Let everything be logged again."""
        for logger in self._loggers:
            logger.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let pass what other threads log; an attempt that failed is told at once, since the next may take minutes."""
        if threading.current_thread() is not self._thread or record.levelno < logging.WARNING:
            return True
        self.last = record.getMessage()
        if record.levelno == logging.WARNING:
            cannot_send(self.last)
        return False
