"""The instrumentor of the openai package, versions 1.40 to 3."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from types import ModuleType
from typing import Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined,unused-ignore]

from ... import semconv
from ...guard import guard
from .._around import Function, exchange, stands, step_aside
from .._tape import Tape
from . import covering
from .client import PostParser, Wrappers
from .covering import REQUEST
from .websocket import Connections

SCOPE = f"{semconv.SCOPE}.openai"

_PLACES = (
    ("SyncAPIClient", REQUEST, "sync"),
    ("AsyncAPIClient", REQUEST, "asynchronous"),
    ("BaseClient", "_build_request", "building"),
    ("SyncAPIClient", "_process_response", "processing"),
    ("AsyncAPIClient", "_process_response", "processing"),
)
_MOST_FUNCTIONS = 64


class OpenAIInstrumentor(BaseInstrumentor):  # type: ignore[misc,unused-ignore] # the base class is untyped
    """Records OpenAI calls: `OpenAIInstrumentor().instrument(tracer_provider=provider)`.

    Works alone, with the global provider if none is given; `spantape.instrument()` uses it and adds the files.
    """

    _base: ModuleType | None = None
    _wrappers: Wrappers | None = None
    _reaching: set[Function] = set()  # noqa: RUF012 - there is one instance only
    """The `request` functions that are known to reach us, or are ours."""
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
                    make = self._building if wrapper == "building" else getattr(wrappers, wrapper)
                    exchange(place, name, make, wrappers)
            self._uncover()

    def _building(self, original: Function) -> Function:
        """Make what stands around `_build_request`, which runs once for each attempt, and counts them.

        It is reached even when someone has put back a `request` without us.
        """

        def build_request(client: Any, *args: Any, **kwargs: Any) -> Any:
            parser = getattr(args[0] if args else kwargs.get("options"), "post_parser", None)
            if type(parser) is PostParser:
                parser.call.attempts += 1
            elif getattr(type(client), REQUEST, None) not in self._reaching:
                with guard:
                    self._look_at(type(client))
            return original(client, *args, **kwargs)

        return build_request

    def _look_at(self, client: type[Any]) -> None:
        if self._is_covered(client):
            self._uncover()
        if len(self._reaching) < _MOST_FUNCTIONS:
            self._reaching.add(getattr(client, REQUEST))

    def _uncover(self) -> None:
        """Stand around each `request` that others have set on a client class: ours, on its base, may not be reached."""
        wrappers, base = self._wrappers, self._base
        if wrappers is None or base is None:
            return
        for client in filter(self._is_covered, covering.clients(base)):
            make = wrappers.asynchronous if issubclass(client, base.AsyncAPIClient) else wrappers.sync
            exchange(covering.place(client) or client, REQUEST, make, wrappers)

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
        self._reaching.clear()

    def _is_ours(self, place: type, name: str) -> bool:
        return stands(place, name, self._wrappers)
