"""Plain functions that stand around a class's own: cheaper than proxies, and what the class had was a function, too."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

_MARK = "_spantape_wrapper"


def stand_around(place: type, name: str, wrapper: Callable[..., Any]) -> None:
    """Have `wrapper(original, self, args, kwargs)` called instead of a method; `original` takes the object first."""
    found = place.__dict__[name]
    original = found if inspect.isfunction(found) else _bound(found)

    def plain(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper(original, self, args, kwargs)

    async def coroutine(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await wrapper(original, self, args, kwargs)

    ours = functools.wraps(found)(coroutine if inspect.iscoroutinefunction(found) else plain)
    ours.__wrapped__ = found
    setattr(ours, _MARK, wrapper)
    setattr(place, name, ours)


def stands(place: type, name: str, *owners: object) -> bool:
    """Say whether a wrapper that is a method of one of `owners` stands around a class's method."""
    wrapper = getattr(place.__dict__.get(name), _MARK, None)
    return wrapper is not None and getattr(wrapper, "__self__", None) in owners


def step_aside(place: type, name: str) -> None:
    """Give a class back what it had."""
    setattr(place, name, place.__dict__[name].__wrapped__)


def _bound(found: Any) -> Callable[..., Any]:
    """Give a function that calls what others have set there, which binds in its own way."""

    def original(self: Any, *args: Any, **kwargs: Any) -> Any:
        return found.__get__(self, type(self))(*args, **kwargs)

    return original
