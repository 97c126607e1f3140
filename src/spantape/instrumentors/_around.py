"""Plain functions that stand around a class's own: cheaper than proxies, and what the class had was a function, too."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

# By identity, not by a mark on the function: whoever wraps ours copies its attributes, or passes them through.
_ours: WeakKeyDictionary[FunctionType, Callable[..., Any]] = WeakKeyDictionary()


def stand_around(place: type, name: str, wrapper: Callable[..., Any]) -> None:
    """Have `wrapper(original, self, args, kwargs)` called instead of a method; `original` takes the object first."""
    found = place.__dict__[name]
    original = found if type(found) is FunctionType else _bound(found)  # a proxy of a function says it is one, too

    def plain(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper(original, self, args, kwargs)

    async def coroutine(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await wrapper(original, self, args, kwargs)

    ours: Any = functools.wraps(found)(coroutine if inspect.iscoroutinefunction(found) else plain)
    ours.__wrapped__ = found
    _ours[ours] = wrapper
    setattr(place, name, ours)


def stands(place: type, name: str, *owners: object) -> bool:
    """Say whether a wrapper that is a method of one of `owners` stands around a class's method."""
    found = place.__dict__.get(name)
    wrapper = _ours.get(found) if type(found) is FunctionType else None
    return wrapper is not None and getattr(wrapper, "__self__", None) in owners


def step_aside(place: type, name: str) -> None:
    """Give a class back what it had."""
    setattr(place, name, place.__dict__[name].__wrapped__)


def _bound(found: Any) -> Callable[..., Any]:
    """Give a function that calls what others have set there, which binds in its own way."""

    def original(self: Any, *args: Any, **kwargs: Any) -> Any:
        return found.__get__(self, type(self))(*args, **kwargs)

    return original
