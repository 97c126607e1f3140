"""One lock for a whole folder, held across threads and processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import portalocker

_POLL = 0.005
_ALONE = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING

_here = threading.local()


def is_held_here() -> bool:
    """Say whether this very thread holds a lock: then it is in a finalizer or signal handler, and must not wait."""
    return getattr(_here, "held", False)


@contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock that a file stands for; raises `TimeoutError`, and any other `OSError` of opening the file.

    The operating system gives it back when a process dies.
    """
    with path.open("r+b", buffering=0) as file:
        _wait_for(file, time.monotonic() + timeout)
        _here.held = True
        try:
            yield
        finally:
            _here.held = False
            portalocker.unlock(file)  # closing is not enough: a child forked by another thread may have it open too


def _wait_for(file: IO[bytes], deadline: float) -> None:
    while True:
        try:
            return portalocker.lock(file, _ALONE)
        except portalocker.AlreadyLocked:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"another process holds {file.name}") from None
        except portalocker.LockException as error:
            raise OSError(f"{file.name} can't be locked: {error}") from error
        time.sleep(_POLL)
