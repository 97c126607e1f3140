"""One lock for a whole folder, held across threads and processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import portalocker

from .._forks import follow

_POLL = 0.005
_ALONE = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING

_here = threading.local()


class Held:
    """The locks of all threads, and what waits for one: a forked child closes them, or they outlive their owner."""

    def __init__(self) -> None:
        self.files: set[IO[bytes]] = set()
        follow(self)

    def after_fork_in_child(self) -> None:
        """Close them; the parent's stay locked."""
        while self.files:
            self.files.pop().close()


_held = Held()


def is_held_here() -> bool:
    """Say whether this very thread holds a lock: then it is in a finalizer or signal handler, and must not wait."""
    return getattr(_here, "held", False)


@contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock that a file stands for; raises `TimeoutError`, and any other `OSError` of opening the file.

    The operating system gives it back when a process dies.
    """
    file = hold(path, timeout)
    _here.held = True
    try:
        yield
    finally:
        _here.held = False
        let_go(file)


def hold(path: Path, timeout: float = 0.0) -> IO[bytes]:
    """Take the same lock until `let_go`; it keeps this thread from nothing."""
    is_ours = False
    _held.files.add(file := path.open("r+b", buffering=0))
    try:
        _wait_for(file, time.monotonic() + timeout)
        if os.fstat(file.fileno()).st_nlink == 0:  # whoever comes now would lock another file than we have
            raise FileNotFoundError(f"{path} was deleted")
        is_ours = True
    finally:
        if not is_ours:
            _close(file)
    return file


def let_go(file: IO[bytes]) -> None:
    """Give back what `hold` gave."""
    if not file.closed:  # as it is in a forked child
        portalocker.unlock(file)  # closing is not enough: a child forked by another thread may have it open too
    _close(file)


def _close(file: IO[bytes]) -> None:
    file.close()
    _held.files.discard(file)


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
