"""What waits to be written: bounded in records and in bytes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

from ._gauge import Gauge

T = TypeVar("T")

_FULL = 10
_MOST = 10_000
_SPAN = 2000
_BATCH_BYTES = 4 * 1024 * 1024


class Limits(NamedTuple):
    """Due is what holds `size` records or a tenth of `bytes`, full what holds ten times `size` or all of `bytes`.

    Where writing hangs, more may wait: 10,000 records, or all of `bytes`.
    """

    size: int
    bytes: int


class Buffer(Generic[T]):
    """First in, first out; every method may be called from any thread, and in a finalizer."""

    def __init__(self, limits: Limits, weigh: Callable[[T], int]) -> None:
        self._weigh = weigh
        self._due, self._due_bytes = limits.size, limits.bytes // _FULL
        self._full, self._full_bytes = limits.size * _FULL, limits.bytes
        self.forget()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def bytes(self) -> int:
        """What the items weigh."""
        return self._bytes.value

    @property
    def oldest(self) -> float | None:
        """When the first of the items came, by `time.monotonic()`."""
        try:
            return self._items[0][2]
        except IndexError:
            return None

    def is_full(self) -> bool:
        """Say whether nothing more should be put."""
        return len(self._items) >= self._full or self.bytes >= self._full_bytes

    def put(self, item: T) -> bool:
        """Add an item; say whether what is here should be written now, as it is when it is full."""
        weight = self._weigh(item)
        total = self._bytes.add(weight)
        self._items.append((item, weight, time.monotonic()))
        return len(self._items) >= self._due or total >= self._due_bytes

    def take(self) -> deque[T]:
        """Take out the first ones: the more wait, the more go to each file at once."""
        batch: deque[T] = deque()
        weight = 0
        with suppress(IndexError):  # no more, or another thread was faster
            while weight < _BATCH_BYTES:
                item, its, _ = self._items.popleft()
                batch.append(item)
                weight += its
        self._bytes.add(-weight)
        return batch

    def drop(self) -> int:
        """Forget the oldest of what is more than may ever wait; gives how many those were."""
        dropped, most = 0, max(self._full, _MOST)
        while (len(self._items) > most or self.bytes > self._full_bytes) and (found := self._pop()):
            self._bytes.add(-found[1])
            dropped += 1
        return dropped

    def clear(self) -> int:
        """Forget all; gives how many those were."""
        dropped = 0
        while found := self._pop():
            self._bytes.add(-found[1])
            dropped += 1
        return dropped

    def forget(self) -> None:
        """Start anew, in a forked child, where a thread that held something may be gone."""
        self._items: deque[tuple[T, int, float]] = deque()
        self._bytes = Gauge()

    def _pop(self) -> tuple[T, int, float] | None:
        try:
            return self._items.popleft()
        except IndexError:  # another thread was faster
            return None


def held_by(attributes: Mapping[str, object] | None) -> int:
    """Give about how many bytes a span with these attributes takes in memory."""
    return _SPAN + sum([value.__sizeof__() for value in (attributes or {}).values()])  # `getsizeof` takes twice as long
