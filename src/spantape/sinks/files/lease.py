"""Keeping readers out for the moment of a write.

A reader who takes no lock, such as `json.load`, can see a file half-written while its end is overwritten: reading takes
several steps, and no single write covers them. Linux can make such a reader wait in `open()`, by a lease on the file,
as long as nobody has the file open already. Elsewhere there is no lease, and the write is as short as it can be.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 1.0
_POLL = 0.0002

if sys.platform == "linux":
    import fcntl
    import signal

    def _take(file: int) -> bool:
        """Take the lease; False when there is none to be had, raises `BlockingIOError` while someone reads."""
        try:
            # A reader's open() sends us a signal. The default one would end the process; this one is ignored.
            fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except BlockingIOError:
            raise
        except OSError:
            return False
        return True

    def _give_back(file: int) -> None:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)

else:

    def _take(_: int) -> bool:
        return False

    def _give_back(_: int) -> None:
        """There is none to give back."""


class Leases:
    """Waits for readers to finish, but not again and again for one that keeps a file open, like `tail -f`."""

    def __init__(self) -> None:
        self._kept_open: set[str] = set()

    @contextmanager
    def held(self, path: str, file: int) -> Iterator[None]:
        """Keep readers from opening a file, if that can be had within `PATIENCE` seconds."""
        leased = self._wait_for(path, file)
        try:
            yield
        finally:
            if leased:
                _give_back(file)

    def _wait_for(self, path: str, file: int) -> bool:
        deadline = 0.0 if path in self._kept_open else time.monotonic() + PATIENCE
        self._kept_open.discard(path)
        while True:
            try:
                return _take(file)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    self._kept_open.add(path)
                    return False
            time.sleep(_POLL)
