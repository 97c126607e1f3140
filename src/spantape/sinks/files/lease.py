"""Keeping readers out for the moment of a write.

A reader who takes no lock, such as `json.load`, can see a file half-written while its end is overwritten: reading takes
several steps, and no single write covers them. Linux can make such a reader wait in `open()`, by a lease on the file,
as long as nobody has the file open already. Elsewhere there is no lease, and the write is as short as it can be.
"""

from __future__ import annotations

import sys
import time

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

    def give_back(file: int) -> None:
        """Let readers in again, before the file is closed: a child that another thread forked may have it open, too."""
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)

else:

    def _take(_: int) -> bool:
        return False

    def give_back(_: int) -> None:
        """There is none to give back."""


class Leases:
    """Waits for readers to finish, but not again and again for one that keeps a file open, like `tail -f`."""

    def __init__(self) -> None:
        self._kept_open: set[str] = set()

    def take(self, path: str, file: int) -> bool:
        """Keep readers from opening a file until `give_back`, if that can be had within `PATIENCE` seconds."""
        deadline = 0.0
        while True:
            try:
                taken = _take(file)
            except BlockingIOError:
                if path not in self._kept_open:
                    deadline = deadline or time.monotonic() + PATIENCE
                if time.monotonic() >= deadline:
                    self._kept_open.add(path)
                    return False
            else:
                self._kept_open.discard(path)
                return taken
            time.sleep(_POLL)
