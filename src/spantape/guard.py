"""The one place where our own failures stop, so that none of them reaches the application."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

logger = logging.getLogger("spantape")

RAISE = "SPANTAPE_GUARD_RAISES"
"""Set to `1` by our own tests: failures of ours are raised instead of logged."""

_MOST_PLACES = 256


class Guard:
    """Swallow and log an `Exception` that is ours: `with guard: ...`.

    `BaseException` (cancellation, interrupt) passes. Each place logs one WARNING, with the traceback at DEBUG, and is
    silent from then on: a broken part must not flood the application's log.
    """

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __enter__(self) -> None:
        """Nothing is set up, so nothing can fail here."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        if os.environ.get(RAISE) == "1":
            return False
        with contextlib.suppress(Exception):  # a log handler of the application may fail too
            self._say(error, trace)
        return True

    def gather(self, readers: Iterable[Callable[..., dict[str, Any]]], *given: object) -> dict[str, Any]:
        """Give together what each reader says of what is `given`; one that fails costs only its own part."""
        found: dict[str, Any] = {}
        for read in readers:
            try:
                found |= read(*given)
            except Exception as error:  # noqa: PERF203 - as `with guard`, in a fraction of its time
                if not self.__exit__(type(error), error, error.__traceback__):
                    raise
        return found

    def warn_once(self, key: str, message: str, *args: object) -> None:
        """Log a WARNING, only the first time that `key` is seen."""
        if key in self._said or len(self._said) >= _MOST_PLACES:
            return
        self._said.add(key)
        logger.warning(message, *args)

    def forget(self) -> None:
        """Let every place log once more: a new `instrument()` is a new start."""
        self._said.clear()

    def _say(self, error: Exception, trace: TracebackType | None) -> None:
        place = _innermost(trace)
        self.warn_once(
            place,
            "spantape could not record something at %s (%s: %s); the application goes on unharmed",
            place,
            type(error).__name__,
            error,
        )
        logger.debug("spantape failure at %s", place, exc_info=error)


def _innermost(trace: TracebackType | None) -> str:
    if trace is None:
        return "an unknown place"
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_name}:{trace.tb_lineno}"


class SilentGuard(Guard):
    """A guard for code that handles what was said: an error's message may quote that, and is not logged."""

    def _say(self, error: Exception, trace: TracebackType | None) -> None:
        place = _innermost(trace)
        message = "spantape could not clean something at %s (%s), and so drops it; the application goes on unharmed"
        guard.warn_once(place, message, place, type(error).__name__)


guard = Guard()
silent_guard = SilentGuard()
