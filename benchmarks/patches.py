"""What a contender has exchanged on the client's classes, to be put on and off between two calls."""

from __future__ import annotations

import sys
from typing import Any

Attributes = dict[tuple[type, str], Any]
_ABSENT = object()


def attributes() -> Attributes:
    """Give every attribute of every class of openai."""
    modules = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "openai"]
    # By its own type: a lazy stand-in for a missing package imports it as soon as it is asked what it is.
    kinds = {value for module in modules for value in vars(module).values() if issubclass(type(value), type)}
    ours = [kind for kind in kinds if kind.__module__.partition(".")[0] == "openai"]
    return {(kind, name): value for kind in ours for name, value in vars(kind).items() if not name.startswith("__")}


class Patch:
    """The attributes that differ."""

    def __init__(self, before: Attributes, after: Attributes) -> None:
        known = {kind for kind, _ in before}  # a module may have been loaded since
        changed = [
            (kind, name)
            for (kind, name), value in after.items()
            if kind in known and before.get((kind, name), _ABSENT) is not value
        ]
        self._values = {place: (before.get(place, _ABSENT), after[place]) for place in changed}
        if not changed:
            raise SystemExit("the contender has changed nothing of the client")

    def flip(self, *, on: bool) -> None:
        """Put the contender's attributes in place, or what was there before."""
        for (kind, name), values in self._values.items():
            value = values[on]
            if value is _ABSENT:
                if name in vars(kind):
                    delattr(kind, name)
            else:
                setattr(kind, name, value)
