"""The ends of a process that `atexit` never sees: SIGTERM that nobody handles, and `os.exec*`."""

from __future__ import annotations

import _thread
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from ..guard import guard

_EXECS = ("execv", "execve")  # all of os.exec* come down to these


class Endings:
    """Calls `flush` before the process becomes another program, and `end` before SIGTERM ends it."""

    def __init__(self, flush: Callable[[], object], end: Callable[[], object]) -> None:
        self._flush, self._end = flush, end
        self._execs: dict[str, tuple[Any, Any]] = {}
        self._handler: Any = None

    def watch(self, *, sigterm: bool) -> None:
        """Begin. A handler that the application has, or comes to have, is left alone."""
        for name in _EXECS:
            theirs = getattr(os, name, None)
            if theirs is not None:
                self._execs[name] = theirs, self._before(theirs)
                setattr(os, name, self._execs[name][1])
        # To process 1 of a container SIGTERM does nothing by itself, and that shall stay so.
        if sigterm and sys.platform != "win32" and os.getpid() != 1:
            with suppress(ValueError):  # this is not the main thread
                if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                    self._handler = self._terminated
                    signal.signal(signal.SIGTERM, self._handler)

    def leave(self) -> None:
        """Give everything back, unless someone has put something else in its place."""
        for name, (theirs, ours) in self._execs.items():
            if getattr(os, name) is ours:
                setattr(os, name, theirs)
        self._execs.clear()
        with suppress(ValueError):
            if self._is_handling():
                signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def run(*args: Any, **kwargs: Any) -> Any:
            with guard:
                self._flush()
            return call(*args, **kwargs)

        return run

    def _is_handling(self) -> bool:
        return self._handler is not None and signal.getsignal(signal.SIGTERM) is self._handler

    def _terminated(self, *_: object) -> None:
        if not self._is_handling():
            return  # the application has a handler by now, which calls the one before: what comes of it is its affair
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends the process at once
        try:
            # In another thread: the main thread may hold what the end needs. And by no means that takes a lock here.
            _thread.start_new_thread(self._end_and_die, ())
        except RuntimeError:
            os.kill(os.getpid(), signal.SIGTERM)

    def _end_and_die(self) -> None:
        try:
            with guard:
                self._end()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
