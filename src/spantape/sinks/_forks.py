"""What has to be done around a fork and at a worker's end, for everything that buffers, locks or has a thread."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable
from typing import Protocol

from ..guard import guard

_alive: weakref.WeakSet[object] = weakref.WeakSet()


def follow(thing: object) -> None:
    """Call, as long as `thing` lives, those of `before_fork`, `after_fork_in_parent`, `after_fork_in_child` it has."""
    _alive.add(thing)


def _tell(name: str) -> Callable[[], None]:
    def hook() -> None:
        with guard:
            for thing in list(_alive):
                method = getattr(thing, name, None)
                if method is not None:
                    method()

    return hook


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_tell("before_fork"),
        after_in_parent=_tell("after_fork_in_parent"),
        after_in_child=_tell("after_fork_in_child"),
    )


class Flushed(Protocol):
    """Something that buffers."""

    def flush(self) -> bool:
        """Write it."""

    def beat(self) -> bool:
        """Show how things are."""


def flush_when_a_worker_ends(thing: Flushed) -> None:
    """Have multiprocessing flush, and Celery: their children end with `os._exit`, and `atexit` is never reached."""
    reference = weakref.ref(thing)
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(thing, _flush, args=(reference,), exitpriority=0)
    celery = sys.modules.get("celery.signals")
    if celery is not None:
        celery.worker_process_shutdown.connect(lambda **_: _flush(reference), weak=False)


def _flush(reference: weakref.ref[Flushed]) -> None:
    thing = reference()
    if thing is not None:
        thing.flush()
        thing.beat()
