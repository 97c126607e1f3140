"""A bar for what takes longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_PATIENCE = 1.0


def counted(items: Iterable[Item], what: str) -> Iterator[Item]:
    """Pass items on; when that takes longer than a second, and in a terminal, say on stderr how many there were."""
    if not sys.stderr.isatty():
        yield from items
        return
    began, shown = time.monotonic(), 0.0
    for number, item in enumerate(items, 1):
        now = time.monotonic()
        if now - began > _PATIENCE and now - shown > _PATIENCE / 10:
            shown = now
            sys.stderr.write(f"\r{number:,} {what}")
        yield item
    if shown:
        sys.stderr.write("\r\033[K")
