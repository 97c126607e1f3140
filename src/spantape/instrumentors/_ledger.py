"""Which call an answer belongs to, for what is learned of that call later."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from opentelemetry.trace import SpanContext

from ._mapping import dig, fields

_MOST = 4096


class Ref(NamedTuple):
    """A call: the ids of its span, whom it belongs to, and when it started: in nanoseconds, or as its record says."""

    context: SpanContext
    session_id: str | None
    started: int | str


class Ledger:
    """Knows the newest calls by the objects they gave, and by the ids of these.

    An object is neither changed nor kept alive; one that can't be weakly referenced is known by its id only.
    """

    def __init__(self) -> None:
        # Ordered: the oldest goes in one step, whatever other threads do meanwhile.
        self._named: OrderedDict[str, Ref] = OrderedDict()
        self._given: OrderedDict[int, tuple[weakref.ref[Any], Ref]] = OrderedDict()

    def name(self, key: str, ref: Ref) -> None:
        """Know a call by a response's id, or by the interaction's."""
        self._named[key] = ref
        if len(self._named) > _MOST:
            self._named.popitem(last=False)

    def give(self, answer: object, ref: Ref) -> None:
        """Know a call by an object."""
        if type(answer).__weakrefoffset__:
            self._given[id(answer)] = weakref.ref(answer), ref
            if len(self._given) > _MOST:
                self._given.popitem(last=False)

    def of(self, thing: object) -> Ref | None:
        """Give the call that an object or an id belongs to; None when it isn't known, or not any more."""
        held = self._given.get(id(thing))
        if held is not None and held[0]() is thing:
            return held[1]
        return next(filter(None, map(self._named.get, ids_of(thing))), None)


def ids_of(thing: object) -> Iterator[str]:
    """Give what a response is named by: its own id, that of LangChain's message, or the id itself."""
    if isinstance(thing, str):
        yield thing
        return
    view: Mapping[str, Any] = fields(thing)
    for key in (dig(view, "response_metadata.id"), view.get("id"), getattr(thing, "id", None)):
        if isinstance(key, str) and key:
            yield key


ledger = Ledger()
