"""A sum that many threads add to."""

from __future__ import annotations

import threading
from collections import deque


class Gauge:
    """Exact, and nobody waits for it: a finalizer may add in the middle of another `add` of its own thread."""

    def __init__(self) -> None:
        self._sum = 0
        self._waiting: deque[int] = deque()
        self._adding = threading.Lock()

    def add(self, number: int = 1) -> int:
        """Add a number, and give the sum; who is adding at this moment takes the number along."""
        self._waiting.append(number)
        return self.value

    @property
    def value(self) -> int:
        """The sum so far."""
        while self._waiting and self._adding.acquire(blocking=False):
            try:
                while self._waiting:
                    self._sum += self._waiting.popleft()
            finally:
                self._adding.release()
        return self._sum
