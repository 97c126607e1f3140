"""The instrumentor of the openai package, versions 1.40 to 3."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from types import ModuleType
from typing import Any

import wrapt
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined,unused-ignore]
from opentelemetry.trace import Span, SpanKind, TracerProvider

from ... import semconv
from ..._version import __version__
from ...content import Attributes
from ...guard import guard
from .._tape import StartSpan, Tape
from .client import Wrappers
from .websocket import FAMILIES, Connections

SCOPE = f"{semconv.SCOPE}.openai"

_PLACES = (
    ("SyncAPIClient", "request", "sync"),
    ("AsyncAPIClient", "request", "asynchronous"),
    ("BaseClient", "_build_request", "building"),
    ("SyncAPIClient", "_process_response", "processing"),
    ("AsyncAPIClient", "_process_response", "processing"),
)


class OpenAIInstrumentor(BaseInstrumentor):  # type: ignore[misc,unused-ignore] # the base class is untyped
    """Records OpenAI calls: `OpenAIInstrumentor().instrument(tracer_provider=provider)`.

    Works alone, with the global provider if none is given; `spantape.instrument()` uses it and adds the files.
    """

    _undo: list[tuple[type, str, Any, Any]] = []  # noqa: RUF012 - the base class makes one instance only
    _wrappers: Wrappers | None = None
    _connections: Connections | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Give the versions that are known to work."""
        return ("openai >= 1.40, < 4",)

    def _instrument(self, **kwargs: Any) -> None:
        tape = kwargs.get("tape") or _tape(kwargs.get("tracer_provider"))
        if tape is not None:
            self._wrappers = Wrappers(tape)
            # openai takes a second to import: an application that never does so need not wait for it.
            wrapt.register_post_import_hook(partial(self._patch, self._wrappers), "openai._base_client")
            self._connections = Connections(tape)
            for module in FAMILIES:
                wrapt.register_post_import_hook(partial(self._patch_connections, self._connections), module)

    def _patch(self, wrappers: Wrappers, base: ModuleType) -> None:
        with guard:
            for owner, name, wrapper in _PLACES if wrappers.active else ():
                self._wrap(getattr(base, owner), name, getattr(wrappers, wrapper))

    def _patch_connections(self, connections: Connections, module: ModuleType) -> None:
        with guard:
            for owner, name, wrapper in list(connections.places(module)) if connections.active else ():
                if not any(place is owner and known == name for place, known, *_ in self._undo):
                    self._wrap(owner, name, wrapper)

    def _wrap(self, place: type, name: str, wrapper: Any) -> None:
        original = place.__dict__.get(name)
        if original is not None:
            wrapt.wrap_function_wrapper(place, name, wrapper)
            self._undo.append((place, name, original, place.__dict__[name]))

    def _uninstrument(self, **_: Any) -> None:
        for wrappers in (self._wrappers, self._connections):
            if wrappers is not None:
                wrappers.active = False
        self._wrappers = self._connections = None
        for place, name, original, ours in self._undo:
            if place.__dict__.get(name) is ours:  # someone else may have wrapped us since
                setattr(place, name, original)
        self._undo.clear()


def starter(provider: TracerProvider | None = None) -> StartSpan:
    """Give the function that starts spans with a provider's tracer; without one, with the global provider's."""
    tracer = trace.get_tracer(SCOPE, __version__, provider)

    def start(name: str, attributes: Attributes) -> Span:
        return tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)

    return start


def _tape(provider: TracerProvider | None) -> Tape | None:
    """Give what a stand-alone instrumentor needs, from the settings of the environment; None if these say no."""
    from ...settings import Settings

    settings = Settings.load()
    return Tape.of(settings, starter(provider)) if settings.enabled else None
