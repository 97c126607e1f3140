"""A bounded buffer with a thread behind it: written once for every sink that writes in the background."""

from __future__ import annotations

import queue
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from ..guard import guard
from ._forks import follow

T = TypeVar("T")

_PULSE = 0.2
_BATCH = 16  # what is made of 100 at once costs a quarter more each: it is in no cache any more when it is written
_FULL = 10
_CALLER_WAITS = 5.0


class Background(Generic[T]):
    """Hands what is `put` to `write`, in batches, from a daemon thread that starts when there is something to do.

    `write(batch, seconds)` takes a batch over and gives whether all that it ever took is written; while it is not, it
    is called again, with an empty batch if need be. Bounded: at ten times `size`, whoever puts writes; where a write
    hangs, the oldest go and are counted in `lost`. `pulse(now)` is called every 0.2 s while it gives True, and with
    True by those who can't wait. A forked child starts empty (what was in the buffer is the parent's to write), after
    `forget()`.
    """

    _thread: threading.Thread | None
    _working: bool
    _asleep: bool
    _called: bool
    _closed: bool
    _hung: bool
    _held: bool

    def __init__(
        self,
        write: Callable[[Sequence[T], float], bool],
        *,
        size: int,
        interval: float,
        pulse: Callable[[bool], bool],
        forget: Callable[[], None],
    ) -> None:
        self._write, self._pulse, self._forget = write, pulse, forget
        self._size, self._most, self._interval = size, size * _FULL, interval
        self._step = min(size, _BATCH)
        self._items: deque[T] = deque()
        self.lost = 0
        self._begin()
        follow(self)

    def put(self, item: T) -> None:
        """Take an item; safe in a finalizer, since nothing here waits for a lock that this very thread holds."""
        self._items.append(item)
        if self._closed or len(self._items) >= self._most:
            self._make_room()
        self.stir(full=len(self._items) >= self._size)

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
        written = self.flush()
        if not written:
            self._lose(beyond=0)
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
        written = True
        for _ in range(0, max(1, len(self._items)), self._step):
            left = deadline - time.monotonic()
            written = self._write(self._batch(), max(0.0, left))
            if left <= 0:
                return written and not self._items
        return written

    def _batch(self) -> list[T]:
        batch: list[T] = []
        while self._items and len(batch) < self._step:
            batch.append(self._items.popleft())
        return batch

    def _make_room(self) -> None:
        """Write in the caller's thread, unless another one makes room first. Where writing hangs, the oldest go."""
        deadline = time.monotonic() + (0.0 if self._hung else _CALLER_WAITS)
        while self._closed or len(self._items) >= self._most:
            written = self._alone(partial(self._drain, deadline), _PULSE)
            self._hung = not written and time.monotonic() >= deadline  # then nobody waits again until it works
            if self._hung:
                self._lose(beyond=self._most)
            if self._hung or written is not None:
                return

    def _lose(self, beyond: int) -> None:
        while len(self._items) > beyond:
            self._items.popleft()
            self.lost += 1
            guard.warn_once("full", "spantape loses records: a write does not come to an end")

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return  # another thread is at it
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="spantape", daemon=True)
                thread.start()
                self._thread = thread
                _flush_when_a_worker_ends(self)
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
        if written and not busy:
            self._sleep()

    def _cycle(self) -> bool:
        """Let one interval pass, or less if the buffer fills up; give whether there is more to do soon."""
        due = time.monotonic() + self._interval
        full = busy = False
        while not full and not self._closed and time.monotonic() < due:
            full = self._nap(min(_PULSE, self._interval))
            busy = self._is_busy()
        return busy

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
        if not (self._items or self._closed or self._is_busy()):
            self._nap(None)
        self._asleep = False

    def _begin(self) -> None:
        self._items.clear()
        # SimpleQueue, because its put() may interrupt itself: a finalizer can end a span at any moment.
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._starting = threading.Lock()
        self._thread = None
        self._working = self._asleep = self._called = self._closed = self._hung = self._held = False
        self._forget()

    def before_fork(self) -> None:
        """Wait for the write at hand: a child must not inherit half of one, nor the file lock."""
        self._held = self._lock.acquire(timeout=_CALLER_WAITS)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._held:
            self._held = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Start empty, with a thread of its own."""
        self._begin()


def _flush_when_a_worker_ends(background: Background[Any]) -> None:
    """Have multiprocessing flush, too: its children end with `os._exit`, and `atexit` is never reached."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(background, _flush, args=(weakref.ref(background),), exitpriority=0)


def _flush(reference: weakref.ref[Background[Any]]) -> None:
    background = reference()
    if background is not None:
        background.flush()
        background.beat()
