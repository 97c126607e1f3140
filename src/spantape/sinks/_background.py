"""A bounded buffer with a thread behind it: written once for every sink that writes in the background."""

from __future__ import annotations

import os
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from ..guard import guard

T = TypeVar("T")

_PULSE = 0.2
_FULL = 10


class Background(Generic[T]):
    """Hands what is `put` to `write`, in batches, from a daemon thread that starts when there is something to do.

    Bounded: when the buffer is at ten times `size`, whoever puts writes. A batch for which `write` gives False is tried
    again while the buffer has room; what is lost in the end is counted in `lost`. `pulse` is called every 0.2 s while
    it gives True. A forked child starts empty (what was in the buffer is the parent's to write), after `forget()`.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], bool],
        *,
        size: int,
        interval: float,
        pulse: Callable[[], bool],
        forget: Callable[[], None],
    ) -> None:
        self._write, self._pulse, self._forget = write, pulse, forget
        self._size, self._interval = size, interval
        self._items: deque[T] = deque()
        self.lost = 0
        self._begin()
        _alive.add(self)

    def put(self, item: T) -> None:
        """Take an item; safe in a finalizer, since nothing here waits for a lock that this very thread holds."""
        self._items.append(item)
        if self._closed or len(self._items) >= self._size * _FULL:
            self.flush(timeout=5.0)
        self.stir(full=len(self._items) == self._size)

    def stir(self, *, full: bool = False) -> None:
        """Make sure that the thread runs and is awake; `full` makes it write now."""
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="spantape", daemon=True)
            self._thread.start()
        if self._asleep or full:
            self._asleep = False
            self._wake.put(full)

    def flush(self, timeout: float = 30.0) -> bool:
        """Write what is buffered, in this thread; False when it could not be written within `timeout` seconds."""
        return self._alone(self._drain, timeout) is True

    def beat(self, timeout: float = 30.0) -> bool:
        """Call `pulse` now, in this thread; gives what it gave, None when another writer kept the lock."""
        return self._alone(self._pulse, timeout) is True

    def close(self) -> None:
        """Write what is buffered and end the thread; what is put later is written at once."""
        self._closed = True
        self._wake.put(True)
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)
        self.flush()

    def _alone(self, work: Callable[[], bool], timeout: float) -> bool | None:
        # A finalizer may run in the middle of our own write: that write goes on when it returns.
        if self._owner == threading.get_ident() or not self._lock.acquire(timeout=timeout):
            return None
        try:
            self._owner = threading.get_ident()
            with guard:
                return work()
            return None
        finally:
            self._owner = 0
            self._lock.release()

    def _drain(self) -> bool:
        batch: list[T] = []
        while self._items:
            batch.append(self._items.popleft())
        if not batch or self._write(batch):
            return True
        if len(self._items) + len(batch) < self._size * _FULL:
            self._items.extendleft(reversed(batch))
        else:
            self.lost += len(batch)
            guard.warn_once(
                "lost", "spantape lost %d records: they could not be written, and the buffer is full", len(batch)
            )
        return False

    def _run(self) -> None:
        while not self._closed:
            busy = self._cycle()
            self.flush()
            if not busy and not self._items:
                self._sleep()

    def _cycle(self) -> bool:
        """Let one interval pass, or less if the buffer fills up; give whether there is more to do soon."""
        due = time.monotonic() + self._interval
        full = busy = False
        while not full and not self._closed and time.monotonic() < due:
            full = self._nap(min(_PULSE, self._interval))
            busy = self.beat()
        return busy

    def _nap(self, seconds: float | None) -> bool:
        try:
            return self._wake.get(timeout=seconds)
        except queue.Empty:
            return False

    def _sleep(self) -> None:
        self._asleep = True
        if not self._closed and not self._items and not self.beat():  # what came just before we said so is seen here
            self._nap(None)
        self._asleep = False

    def _begin(self) -> None:
        self._items.clear()
        # SimpleQueue, because its put() may interrupt itself: a finalizer can end a span at any moment.
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._owner = 0
        self._thread: threading.Thread | None = None
        self._asleep = self._closed = self._held = False
        self._forget()

    def before_fork(self) -> None:
        """Wait for the write at hand: a child must not inherit half of one, nor the file lock."""
        self._held = self._owner != threading.get_ident() and self._lock.acquire(timeout=5)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._held:
            self._held = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Start empty, with a thread of its own."""
        self._begin()


_alive: weakref.WeakSet[Background[Any]] = weakref.WeakSet()


def _before_fork() -> None:
    with guard:
        for background in list(_alive):
            background.before_fork()


def _after_fork_in_parent() -> None:
    with guard:
        for background in list(_alive):
            background.after_fork_in_parent()


def _after_fork_in_child() -> None:
    with guard:
        for background in list(_alive):
            background.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
