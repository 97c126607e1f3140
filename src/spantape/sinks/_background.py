"""A bounded buffer with a thread behind it: written once for every sink that writes in the background."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from ..guard import guard
from ._buffer import Buffer
from ._forks import flush_when_a_worker_ends, follow
from ._gauge import Gauge

T = TypeVar("T")

_PULSE = 0.2
_CALLER_WAITS = 5.0
_FORK_WAITS = 1.0
_LONGEST_PAUSE = 30.0


class Background(Generic[T]):
    """Hands what is `put` to `write`, in batches, from a daemon thread that starts when there is something to do.

    `write(batch, seconds)` takes a batch over, and may empty it as it goes; it gives whether all that it ever took is
    written. While it is not, it is called again, with an empty batch if need be, after pauses that double up to half a
    minute. Bounded: while the buffer is full, whoever puts writes, counted in `backpressure`; where a write hangs, the
    oldest of what is more than may ever wait go, counted in `lost`. `pulse(now)` is called every 0.2 s while it gives
    True, and with True by those who can't wait. What is there before a fork is written before it, or else by the
    parent: a forked child starts empty, after `forget()`.
    """

    _thread: threading.Thread | None
    _working: bool
    _asleep: bool
    _called: bool
    _closed: bool
    _hung: bool
    _held: bool
    _failures: int
    _batches: int

    def __init__(
        self,
        write: Callable[[deque[T], float], bool],
        buffer: Buffer[T],
        interval: float,
        *,
        pulse: Callable[[bool], bool],
        forget: Callable[[], None],
    ) -> None:
        self._write, self._pulse, self._forget = write, pulse, forget
        self.buffer, self._interval = buffer, interval
        self.last_flush: float | None = None
        """When all that had been put was written, by `time.time()`."""
        self._begin()
        follow(self)

    def put(self, item: T) -> None:
        """Take an item; safe in a finalizer, since nothing here waits for a lock that this very thread holds."""
        is_due = self.buffer.put(item)
        if self._closed or (is_due and self.buffer.is_full()):
            self._make_room()
        self.stir(full=is_due)

    @property
    def lost(self) -> int:
        """How many items went unwritten."""
        return self._lost.value

    @property
    def backpressure(self) -> int:
        """How many items found the buffer full, so that the caller's thread wrote."""
        return self._backpressure.value

    def stir(self, *, full: bool = False) -> None:
        """Make sure that the thread runs and is awake; `full` makes it write now."""
        if self._thread is None and not self._closed:
            self._start()
        if self._asleep or (full and not self._called):
            self._asleep, self._called = False, full
            self._wake.put(full)

    def flush(self, timeout: float = 10.0) -> bool:
        """Write what is buffered, in this thread; False when it could not be written within `timeout` seconds."""
        return self._alone(partial(self._drain, time.monotonic() + timeout), timeout) is True

    def beat(self, timeout: float = 10.0) -> bool:
        """Call `pulse(True)`, in this thread; False too when another thread kept on writing."""
        return self._alone(partial(self._pulse, True), timeout) is True

    def close(self) -> bool:
        """Write what is buffered and end the thread; what is put later is written at once."""
        self._closed = True
        self._wake.put(True)
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=_CALLER_WAITS)
        written, before = self.flush(), -1
        while not written and self._batches != before:  # slow, but it goes on
            before, written = self._batches, self.flush()
        if not written:
            self._lose(self.buffer.clear())
        return written

    def _alone(self, work: Callable[[], bool], timeout: float) -> bool | None:
        """Do what one thread at a time may do; None when another one did not let us."""
        lock = self._lock
        if not lock.acquire(timeout=timeout):
            return None
        try:
            if self._working:  # we are in a finalizer in the middle of our own write, which goes on when we return
                return False
            self._working = True
            try:
                with guard:
                    return work()
                return False
            finally:
                self._working = False
        finally:
            lock.release()

    def _drain(self, deadline: float) -> bool:
        """Write what is there now: whoever waits for us must not have to wait for what comes meanwhile, too."""
        self._called = False
        there = len(self.buffer)
        while True:
            batch = self.buffer.take()
            taken = len(batch)
            there -= taken
            left = deadline - time.monotonic()
            written = self._write(batch, max(0.0, left))
            self._batches += written
            if left <= 0 or there <= 0 or not taken:
                break
        if written:
            self.last_flush = time.time()
        return written and (left > 0 or not self.buffer)

    def _make_room(self) -> None:
        """Write in the caller's thread, unless another one makes room first. Where writing hangs, the oldest go."""
        self._backpressure.add(not self._closed)
        waits, before = (0.0 if self._hung else _CALLER_WAITS), self._batches
        deadline = time.monotonic() + waits
        while self._closed or self.buffer.is_full():
            written = self._alone(partial(self._drain, deadline), min(_PULSE, waits))
            if self._batches != before:  # slow, but it goes on
                before, deadline = self._batches, time.monotonic() + waits
            self._hung = not written and time.monotonic() >= deadline  # then nobody waits again until it works
            if self._hung:
                self._lose(self.buffer.drop())
            if self._hung or written is not None:
                return

    def _lose(self, count: int) -> None:
        if count:
            self._lost.add(count)
            guard.warn_once("full", "spantape loses records: a write does not come to an end")

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return  # another thread is at it
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="spantape", daemon=True)
                thread.start()
                self._thread = thread
                flush_when_a_worker_ends(self)
        finally:
            self._starting.release()

    def _run(self) -> None:
        with guard:
            while not self._closed:
                self._round()
        self._thread = None  # if that failed: the next item starts another one

    def _round(self) -> None:
        busy = self._cycle()
        written = self.flush()
        self._failures = 0 if written else self._failures + 1
        if written and not busy:
            self._sleep()

    def _cycle(self) -> bool:
        """Let one interval pass, or less if the buffer fills up; give whether there is more to do soon."""
        due = time.monotonic() + self._pause()
        full = busy = False
        while not full and not self._closed and time.monotonic() < due:
            full = self._nap(min(_PULSE, self._interval))
            busy = self._is_busy()
        return busy

    def _pause(self) -> float:
        return min(self._interval * 2.0 ** min(self._failures, 20), max(self._interval, _LONGEST_PAUSE))

    def _is_busy(self) -> bool:
        return self._alone(partial(self._pulse, False), _CALLER_WAITS) is True

    def _nap(self, seconds: float | None) -> bool:
        try:
            return self._wake.get(timeout=seconds)
        except queue.Empty:
            return False

    def _sleep(self) -> None:
        self._asleep = True
        # What came just before we said so is seen here, and so is the end.
        if not (self.buffer or self._closed or self._is_busy()):
            self._nap(None)
        self._asleep = False

    def _begin(self) -> None:
        self.buffer.forget()
        self._lost, self._backpressure = Gauge(), Gauge()
        # SimpleQueue, because its put() may interrupt itself: a finalizer can end a span at any moment.
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._starting = threading.Lock()
        self._thread = None
        self._working = self._asleep = self._called = self._closed = self._hung = self._held = False
        self._failures = self._batches = 0
        self._forget()

    def before_fork(self) -> None:
        """Write: the parent may end at once, as a daemon's does. And a child must not inherit half of a write."""
        if self.buffer:
            self.flush(_FORK_WAITS)
        self._held = self._lock.acquire(timeout=_CALLER_WAITS)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._held:
            self._held = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Start empty, with a thread of its own."""
        self._begin()
