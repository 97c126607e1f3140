"""The instrumentor of LangChain and LangGraph: langchain-core 0.3 and 1."""

from __future__ import annotations

from collections.abc import Collection
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined,unused-ignore]

from ... import semconv
from ...guard import guard
from .._enclosing import Enclosing, finders
from .._in_flight import enders
from .._tape import Tape
from .beginning import run_managers
from .nesting import MODULES, Nesting
from .runs import Runs

if TYPE_CHECKING:
    from .handler import Handler

SCOPE = f"{semconv.SCOPE}.langchain"

_HOOKS = "langchain_core.tracers.context"


class LangChainInstrumentor(BaseInstrumentor):  # type: ignore[misc,unused-ignore] # the base class is untyped
    """Records runs of LangChain and LangGraph: `LangChainInstrumentor().instrument(tracer_provider=provider)`.

    Works alone, with the global provider if none is given; `spantape.instrument()` uses it and adds the files.
    """

    _active: Instrumented | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Give the versions that are known to work."""
        return ("langchain-core >= 0.3, < 2",)

    def _instrument(self, **kwargs: Any) -> None:
        tape = kwargs.get("tape") or Tape.alone(SCOPE, **kwargs)
        if tape is not None:
            self._active = Instrumented(tape, steps=kwargs.get("steps", True))
            self._active.start()

    def _uninstrument(self, **_: Any) -> None:
        active, self._active = self._active, None
        if active is not None:
            active.stop()


class Instrumented:
    """What stands in LangChain, from `start` to `stop`."""

    def __init__(self, tape: Tape, *, steps: bool) -> None:
        self._runs = Runs(tape)
        self._nesting = Nesting(self._runs)
        self._steps = steps
        self._on = True
        self._handler: Handler | None = None
        self._hook: Any = None

    def start(self) -> None:
        """Wait for the application to import LangChain: importing it takes a second."""
        for name in MODULES:
            wrapt.register_post_import_hook(self._patch, name)
        wrapt.register_post_import_hook(self._register, _HOOKS)
        finders.append(self.find)
        enders.append(self._runs.end_all)

    def stop(self) -> None:
        """End what is going on, and leave LangChain as it was."""
        self._on = False
        finders.remove(self.find)
        enders.remove(self._runs.end_all)
        if self._handler is not None:
            self._handler.active = False
        with guard:
            self._unregister()
        self._nesting.undo()
        self._runs.end_all()

    def find(self) -> Enclosing | None:
        """Give the innermost run that the code at hand is part of."""
        if not len(self._runs):
            return None
        found = (self._runs.get(getattr(manager, "run_id", None)) for manager in run_managers())
        return next((run for run in found if run is not None), None)

    def _patch(self, module: ModuleType) -> None:
        if self._on:
            with guard:
                self._nesting.patch(module)

    def _register(self, hooks: ModuleType) -> None:
        if self._on:
            with guard:
                from .handler import Handler

                self._handler = Handler(self._runs, steps=self._steps)
                # Every thread and every context has the default of a variable that nobody sets.
                variable: ContextVar[Any] = ContextVar("spantape_langchain", default=self._handler)
                hooks.register_configure_hook(variable, inheritable=True)
                self._hook = (hooks, variable)

    def _unregister(self) -> None:
        """Take back what was registered: LangChain has no function for it, but a list."""
        if self._hook is not None:
            hooks, variable = self._hook
            hooks._configure_hooks[:] = [hook for hook in hooks._configure_hooks if hook[0] is not variable]
