"""Which run of a framework a call is made in: where instrumentors meet that do not know each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from opentelemetry.context import Context

from ..content import Attributes
from ..guard import guard
from ..jsontext import Json
from ._call import Call
from ._endpoint import Endpoint
from ._observer import INFERENCE
from ._tape import Tape


class Enclosing(Protocol):
    """A run that is going on."""

    @property
    def call(self) -> Call | None:
        """Give what tells the run; None when nothing does."""

    def inside(self) -> Context | None:
        """Give the context of what happens in the run; None when that is the current one."""


finders: list[Callable[[], Enclosing | None]] = []
"""Each gives the innermost run of its framework that the code at hand is part of."""


def opened(tape: Tape, endpoint: Endpoint, where: Attributes, body: Mapping[str, Json]) -> Call:
    """Open a call, as a part of the run around it; a model's run is the very same call, and told by this one."""
    context = None
    with guard:
        run = next(filter(None, (find() for find in finders)), None)
        if run is not None:
            outer = run.call
            if outer is not None and _is_same(outer, endpoint):
                return outer.lend(tape, lambda lent: Call(lent, endpoint, where, body))
            context = run.inside()
    return Call(tape, endpoint, where, body, context)


def _is_same(outer: Call, endpoint: Endpoint) -> bool:
    return not outer.is_lent and endpoint.operation in INFERENCE and outer.endpoint.operation in INFERENCE
