"""What the code that starts a run knows of it and the callbacks do not tell; found in the frames above the callback."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

_MANAGERS = "langchain_core.callbacks"
GRAPHS = "langgraph.pregel"
"""Where graphs are run."""
_LANGCHAIN = "langchain"
_LAYERS = (_LANGCHAIN, "langgraph")
_MOST_FRAMES = 12
_MOST_CODES = 4096
_codes: dict[int, tuple[CodeType, bool]] = {}
"""Whether code has a variable of this name: Python makes a new tuple of all its names each time it is asked."""


class Beginning:
    """The frame of LangChain's code that starts a run, and those above it that are LangChain's, too.

    With some versions an asynchronous callback runs in a task of its own, which has no frame above it: then nothing
    is known.
    """

    __slots__ = ("_frame",)

    def __init__(self) -> None:
        self._frame = _starter()

    def graph(self) -> Any:
        """Give the graph that is started; None when it is something else."""
        return self.owner() if self._frame is not None and _of(self._frame) is GRAPHS else None

    def owner(self) -> Any:
        """Give the object that is started."""
        return self._frame.f_locals.get("self") if self._frame is not None else None

    def manager(self) -> Any:
        """Give the callback manager, which lives as long as the code that runs; None where it is no variable there."""
        return self._frame.f_locals.get("callback_manager") if self._frame is not None else None

    def configurable(self) -> Mapping[str, Any]:
        """Give what the application has put into `configurable`."""
        frame = self._frame
        for _ in range(_MOST_FRAMES):
            if frame is None or _of(frame) is None:
                break
            config = frame.f_locals.get("config") if "config" in frame.f_code.co_varnames else None
            if isinstance(config, dict):
                found = config.get("configurable")
                return found if isinstance(found, dict) else {}
            frame = frame.f_back
        return {}


def run_managers() -> Iterator[Any]:
    """Give the run managers that the code at hand was given, the innermost first: it is part of their runs."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(5 * _MOST_FRAMES):
        if frame is None:
            return
        code = frame.f_code
        known = _codes.get(id(code)) or _met(code)
        if known[1]:
            manager = frame.f_locals.get("run_manager")
            if manager is not None:
                yield manager
        frame = frame.f_back


def _met(code: CodeType) -> tuple[CodeType, bool]:
    if len(_codes) >= _MOST_CODES:
        _codes.clear()
    return _codes.setdefault(id(code), (code, "run_manager" in code.co_varnames))


def _starter() -> FrameType | None:
    """Go up to LangChain's callback managers, and through them; wrappers of others may stand between."""
    frame: FrameType | None = sys._getframe(3)  # what has asked for it, and been called by LangChain
    is_through = False
    for _ in range(2 * _MOST_FRAMES):
        if frame is None:
            return None
        layer = _layer(frame.f_globals.get("__name__"))
        if layer is _MANAGERS:
            is_through = True
        elif is_through and layer is not None:
            return frame
        frame = frame.f_back
    return None


def _of(frame: FrameType) -> str | None:
    return _layer(frame.f_globals.get("__name__"))


@lru_cache(maxsize=4096)
def _layer(module: object) -> str | None:
    """Say which part of LangChain a module is of; none, where it is another's."""
    name = str(module)
    if name.startswith(_MANAGERS):
        return _MANAGERS
    if name.startswith(GRAPHS):
        return GRAPHS
    return _LANGCHAIN if name.startswith(_LAYERS) else None
