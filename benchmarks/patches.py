"""What a contender has exchanged in the packages it watches, to be put on and off between two calls."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

Attributes = dict[tuple[Any, str], Any]
_ABSENT = object()


class Items(tuple[Any, ...]):
    """What is in a list, which stays the same list: LangChain's hooks are one."""


def attributes(packages: tuple[str, ...]) -> Attributes:
    """Give every attribute of every class, and every name of every module, of these packages."""
    found = {}
    modules = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in packages]
    for module in modules:
        for name, value in list(vars(module).items()):
            # By its own type: a lazy stand-in for a missing package imports it as soon as it is asked what it is.
            if issubclass(type(value), type) and value.__module__.partition(".")[0] in packages:
                found.update(((value, key), inner) for key, inner in vars(value).items() if exchangeable(key, inner))
            if exchangeable(name, value) and not issubclass(type(value), ModuleType):
                found[module, name] = Items(value) if type(value) is list else value
    return found


def exchangeable(name: str, value: object) -> bool:
    """Leave out what Python itself keeps in modules and classes, except methods."""
    return not name.startswith("__") or callable(value)


def same(one: object, other: object) -> bool:
    if type(one) is type(other) is Items:
        return len(one) == len(other) and all(mine is theirs for mine, theirs in zip(one, other, strict=True))
    return one is other


class Patch:
    """The attributes that differ."""

    def __init__(self, before: Attributes, after: Attributes) -> None:
        # A class may have got a method that it inherited. What is new in a module was only loaded late.
        classes = {owner for owner, _ in before if isinstance(owner, type)}
        self._values = {
            place: (before.get(place, _ABSENT), value)
            for place, value in after.items()
            if (place in before or place[0] in classes) and not same(before.get(place, _ABSENT), value)
        }
        if not self._values:
            raise SystemExit("the contender has changed nothing of what it watches")

    def __iter__(self) -> Iterator[str]:
        """Name them."""
        return (f"{owner.__name__}.{name}" for owner, name in self._values)

    def flip(self, *, on: bool) -> None:
        """Put the contender's attributes in place, or what was there before."""
        for (owner, name), values in self._values.items():
            value = values[on]
            if type(value) is Items:
                vars(owner)[name][:] = value
            elif value is not _ABSENT:
                setattr(owner, name, value)
            elif name in vars(owner):
                delattr(owner, name)
