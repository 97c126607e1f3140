"""`start_call`, `finish_call`, `fail_call`: a call in three places of a program, held together by its id."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ..guard import guard
from .call import call

_MOST = 1000

_held: OrderedDict[str, call] = OrderedDict()


def start_call(*, provider: str | None = None, model: str | None = None, **more: Any) -> str | None:
    """Begin to record a call, with the keywords of `call(...)`; gives its id, None when nothing is recorded."""
    begun = call(provider=provider, model=model, **more)
    key = begun.id
    if key is not None:
        _held[key] = begun
        if len(_held) > _MOST:
            _held.popitem(last=False)  # nobody has it any more: it ends as abandoned
    return key


def finish_call(call_id: str | None, response: Any = None, usage: Any = None, **more: Any) -> None:
    """End a call with its response; takes what `finish` of `call(...)` takes."""
    begun = _taken(call_id)
    if begun is not None:
        begun.finish(response, usage, **more)


def fail_call(call_id: str | None, error_code: str | int | None = None, error_message: str | None = None) -> None:
    """End a call with an error."""
    begun = _taken(call_id)
    if begun is not None:
        begun.fail(error_message or "", error_code)


def _taken(call_id: str | None) -> call | None:
    begun = _held.pop(call_id, None) if call_id is not None else None
    if begun is None and call_id is not None:
        guard.warn_once(
            "held",
            "spantape has no open call %s: give the id that start_call() gave, once, in the same process",
            call_id,
        )
    return begun
