"""`Desk`: where what is told by hand goes. `process.py` sets it up: nothing below may know who records."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..guard import guard

if TYPE_CHECKING:
    from ..instrumentors._ledger import Ref
    from ..instrumentors._tape import Tape


class Desk(NamedTuple):
    """What takes calls by hand.

    `find` looks for a call in the records on disk, by its id or its response's; `keeps_all` says that every call is
    recorded, so that one which nobody knows is a mistake.
    """

    tape: Tape
    find: Callable[[str], Ref | None]
    keeps_all: bool


def _closed() -> Desk | None:
    return None


_opened: Callable[[], Desk | None] = _closed


def opens_by(opened: Callable[[], Desk | None]) -> None:
    """Say who gives the desk."""
    global _opened  # noqa: PLW0603 - there is one process to record
    _opened = opened


def desk() -> Desk | None:
    """Give the desk; None when nothing is recorded."""
    with guard:
        return _opened()
    return None
