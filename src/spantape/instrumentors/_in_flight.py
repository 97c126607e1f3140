"""What has not ended yet, and how all of it is ended at exit."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..guard import guard

if TYPE_CHECKING:
    from ._call import Call

enders: list[Callable[[], None]] = []
"""End what else is open, each for an instrumentor."""
in_flight: weakref.WeakSet[Call] = weakref.WeakSet()
"""Streams and calls by hand whose span has not ended."""


def end_in_flight() -> None:
    """End what is still open, at exit, so that it is recorded."""
    for end in enders:
        with guard:
            end()
    with guard:  # another thread may begin a stream at this moment
        for call in list(in_flight):
            call.abandon()
