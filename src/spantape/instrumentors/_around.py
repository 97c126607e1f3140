"""Plain functions that stand around a class's own: cheaper than proxies, and what the class had was a function, too."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

Function: TypeAlias = Callable[..., Any]

# By identity, not by a mark on the function: whoever wraps ours copies its attributes, or passes them through.
_ours: WeakKeyDictionary[FunctionType, object] = WeakKeyDictionary()


def exchange(place: type, name: str, make: Callable[[Function], Function], owner: object) -> Function:
    """Have what `make(original)` gives called instead of a method; `original` takes the object first, as it does."""
    found = place.__dict__[name]
    original = found if type(found) is FunctionType else _bound(found)  # a proxy of a function says it is one, too
    ours: Any = functools.wraps(found)(make(original))
    ours.__wrapped__ = found
    _ours[ours] = owner
    setattr(place, name, ours)
    return ours  # type: ignore[no-any-return]


def stand_around(place: type, name: str, wrapper: Callable[..., Any], owner: object) -> None:
    """Have `wrapper(original, self, args, kwargs)` called instead of a method: shorter to say, where calls are few."""
    is_async = inspect.iscoroutinefunction(place.__dict__[name])

    def make(original: Function) -> Function:
        def plain(self: Any, *args: Any, **kwargs: Any) -> Any:
            return wrapper(original, self, args, kwargs)

        async def coroutine(self: Any, *args: Any, **kwargs: Any) -> Any:
            return await wrapper(original, self, args, kwargs)

        return coroutine if is_async else plain

    exchange(place, name, make, owner)


def stands(place: type, name: str, owner: object) -> bool:
    """Say whether a class's method is what `owner` has put there."""
    found = place.__dict__.get(name)
    return type(found) is FunctionType and found in _ours and _ours[found] is owner


def step_aside(place: type, name: str) -> None:
    """Give a class back what it had."""
    setattr(place, name, place.__dict__[name].__wrapped__)


def _bound(found: Any) -> Function:
    """Give a function that calls what others have set there, which binds in its own way."""

    def original(self: Any, *args: Any, **kwargs: Any) -> Any:
        return found.__get__(self, type(self))(*args, **kwargs)

    return original
