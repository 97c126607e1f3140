"""What has to be done around a fork, registered once for everything that buffers, locks or has a thread."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable

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
