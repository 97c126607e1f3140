"""Has what runs inside a tool, a node or a step nest there: LangChain makes a context of its own for each."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from opentelemetry import context as otel_context

from ...guard import guard
from .runs import Runs

NAME = "_set_config_context"
MODULES = ("langchain_core.runnables.config", "langgraph._internal._runnable", "langgraph.utils.runnable")
"""Where LangChain and LangGraph define the function that prepares such a context."""


class Nesting:
    """Stands around those functions, wherever they have been imported to, and gives each place back what it had."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._undone: list[tuple[Any, Any]] = []

    def patch(self, module: ModuleType) -> None:
        """Stand around the function of a module that has just been imported."""
        theirs = vars(module).get(NAME)
        if callable(theirs) and not any(theirs is ours for _, ours in self._undone):
            ours = self._around(theirs)
            self._undone.append((theirs, ours))
            _exchange(theirs, ours)

    def undo(self) -> None:
        """Give everybody back the function that was there."""
        while self._undone:
            theirs, ours = self._undone.pop()
            _exchange(ours, theirs)

    def _around(self, theirs: Callable[..., Any]) -> Callable[..., Any]:
        runs = self._runs

        @functools.wraps(theirs)
        def prepare(config: Any, *args: Any, **kwargs: Any) -> Any:
            result = theirs(config, *args, **kwargs)
            with guard:
                run = runs.get(getattr(config.get("callbacks"), "parent_run_id", None))
                if run is not None:
                    here = otel_context.get_current()
                    context = run.over(here)
                    if context is not here:  # in a copy of it, thrown away with what runs in that: never undone
                        otel_context.attach(context)
            return result

        return prepare


def _exchange(old: Any, new: Any) -> None:
    """Replace a function in every module that has imported it."""
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        if isinstance(names, dict) and names.get(NAME) is old:
            names[NAME] = new
