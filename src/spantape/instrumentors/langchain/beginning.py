"""What the code that starts a run knows of it and the callbacks do not tell; found in the frames above the callback."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

_CALLBACKS = "langchain_core.callbacks.manager"
_GRAPHS = "langgraph.pregel"
_LAYERS = ("langchain", "langgraph")
_MOST_FRAMES = 12


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
        return self.owner() if self._frame is not None and _module(self._frame).startswith(_GRAPHS) else None

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
            if frame is None or not _module(frame).startswith(_LAYERS):
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
        if "run_manager" in frame.f_code.co_varnames:
            manager = frame.f_locals.get("run_manager")
            if manager is not None:
                yield manager
        frame = frame.f_back


def _starter() -> FrameType | None:
    """Go up to LangChain's callback managers, and through them."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_MOST_FRAMES):
        if frame is None or frame.f_globals.get("__name__") == _CALLBACKS:
            break
        frame = frame.f_back
    while frame is not None and frame.f_globals.get("__name__") == _CALLBACKS:
        frame = frame.f_back
    return frame if frame is not None and _module(frame).startswith(_LAYERS) else None


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))
