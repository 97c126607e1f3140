"""The instrumentor of the openai package, versions 1.40 to 3."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined,unused-ignore]

from ... import semconv
from ...guard import guard
from .._around import stand_around, stands, step_aside
from .._tape import Tape
from . import covering
from .client import Wrappers
from .covering import REQUEST
from .websocket import Connections

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

    _base: ModuleType | None = None
    _wrappers: Wrappers | None = None
    _known: WeakKeyDictionary[type, Any] = WeakKeyDictionary()  # noqa: RUF012 - there is one instance only
    """Client classes, and the `request` of each that is known to reach us."""
    _connections: Connections | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Give the versions that are known to work."""
        return ("openai >= 1.40, < 4",)

    def _instrument(self, **kwargs: Any) -> None:
        tape = kwargs.get("tape") or Tape.alone(SCOPE, **kwargs)
        if tape is not None:
            self._wrappers = Wrappers(tape)
            # openai takes a second to import: an application that never does so need not wait for it.
            wrapt.register_post_import_hook(partial(self._patch, self._wrappers), "openai._base_client")
            self._connections = Connections(tape)
            self._connections.start()

    def _patch(self, wrappers: Wrappers, base: ModuleType) -> None:
        with guard:
            self._base = base
            for owner, name, wrapper in _PLACES if wrappers.active else ():
                place = getattr(base, owner)
                if name in place.__dict__:
                    around = self._building if wrapper == "building" else getattr(wrappers, wrapper)
                    stand_around(place, name, around)
            self._uncover()

    def _building(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """Stand around `_build_request`, which is reached even when someone has put back a `request` without us."""
        kind = type(client)
        if self._known.get(kind) is not getattr(kind, REQUEST, None):
            with guard:
                self._look_at(kind)
        wrappers = self._wrappers
        if wrappers is not None:
            wrappers.building(args, kwargs)
        return wrapped(client, *args, **kwargs)

    def _look_at(self, client: type[Any]) -> None:
        if self._is_covered(client):
            self._uncover()
        self._known[client] = getattr(client, REQUEST, None)

    def _uncover(self) -> None:
        """Stand around each `request` that others have set on a client class: ours, on its base, may not be reached."""
        wrappers, base = self._wrappers, self._base
        if wrappers is None or base is None:
            return
        for client in filter(self._is_covered, covering.clients(base)):
            around = wrappers.asynchronous if issubclass(client, base.AsyncAPIClient) else wrappers.sync
            stand_around(covering.place(client) or client, REQUEST, around)

    def _is_covered(self, client: type) -> bool:
        place = covering.place(client)
        return place is not None and not self._is_ours(place, REQUEST)

    def _uninstrument(self, **_: Any) -> None:
        base = self._base
        if base is not None:
            places = [(getattr(base, owner), name) for owner, name, _ in _PLACES]
            for place, name in [*places, *((client, REQUEST) for client in covering.clients(base))]:
                while self._is_ours(place, name):  # someone else may have wrapped us since
                    step_aside(place, name)
        if self._wrappers is not None:
            self._wrappers.active = False
        if self._connections is not None:
            self._connections.stop()
        self._base = self._wrappers = self._connections = None

    def _is_ours(self, place: type, name: str) -> bool:
        return stands(place, name, self, self._wrappers)
