"""`record_llm_interaction(...)`: a call told in up to three stages, which find each other by what they say."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from .. import semconv
from ..amendment import FINALIZED
from ..context import Belonging, current
from ..guard import guard
from ..instrumentors._call import ABANDONED, Call
from ..instrumentors._failure import failure, failure_told
from ..instrumentors._ledger import Ref
from ..instrumentors._mapping import number
from ..jsontext import Json, dumps, text
from ..record import id_of
from . import answers
from .call import opened
from .desk import desk
from .finalize import amend, message_id_of

Key: TypeAlias = bytes
Told: TypeAlias = dict[str, Any]

_MOST = 1000
_SAME = ("session_id", "role_name", "step_id", "round_index", "prompt")
_ASKED = (frozenset(Belonging.__dataclass_fields__) - {"metadata"}) | {"provider", "model", "capture"}
_KNOWN = _ASKED | {"prompt", "message_id", "error_message", "performance_metrics", "usage"}


class Begun(NamedTuple):
    """A call whose end is to be told, and its metadata, which grows until then."""

    key: Key
    call: Call
    metadata: Mapping[str, Any]
    metrics: Mapping[str, Any]


_lock = threading.Lock()
_begun: deque[Begun] = deque()
_ended: OrderedDict[Key, Ref] = OrderedDict()


def record_llm_interaction(
    session_id: str | int | None = None,
    role_name: str | None = None,
    prompt: Any = None,
    response: Any = None,
    success: bool = True,
    **details: Any,
) -> str | None:
    """Record a call by what is known of it: at once, or in stages named by `metadata={"stage": …}`.

    `started`, `completed` and `finalized` make one record when they say the same session, role, step, round and prompt.
    Further keywords: `step_id`, `round_index`, `message_id`, `provider`, `model`, `error_message`,
    `performance_metrics`, `usage`, `user_id`, `agent_key`, `conversation_id`, `topic`, `capture` (as of `session`); any
    other one becomes metadata.
    Gives the interaction's id; None when nothing is recorded.
    """
    with guard:
        given = {"session_id": session_id, "role_name": role_name, "prompt": prompt, **details}
        metadata = answers.named(given.pop("metadata", None))
        stage = metadata.pop("stage", None) or "completed"
        others = {name: given.pop(name) for name in given.keys() - _KNOWN}
        metrics = answers.named(given.get("performance_metrics"))
        told = {**given, "response": response, "success": success, "metadata": {**others, **metadata}}
        told["performance_metrics"] = metrics
        ref = _STAGES.get(str(stage), _complete)(_key(given), told)
        return id_of(ref.context) if ref is not None else None
    return None


def _start(key: Key, told: Told) -> Ref | None:
    begun = _open(key, told)
    if begun is None:
        return None
    with _lock:
        _begun.append(begun)
        forgotten = _begun.popleft() if len(_begun) > _MOST else None
    if forgotten is not None:
        forgotten.call.end(ABANDONED)
    return begun.call.ref()


def _complete(key: Key, told: Told, stage: str | None = None) -> Ref | None:
    begun = _taken(key) or _open(key, told, is_over=True)
    if begun is None:
        return None
    with guard:
        begun.call.note({semconv.STAGE: stage, **_learned(told, begun)})
        begun.call.answered(answers.told(told["response"] or None, told.get("usage")))
    begun.call.end()
    _ended[key] = ref = begun.call.ref()
    if len(_ended) > _MOST:
        _ended.popitem(last=False)
    return ref


def _finalize(key: Key, told: Told) -> Ref | None:
    here, ref = desk(), _ended.get(key)
    if ref is None or here is None:
        return _complete(key, told, FINALIZED)
    amend(here, ref, {name: told[name] for name in ("message_id", "metadata") if name in told})
    return ref


_STAGES = {"started": _start, "completed": _complete, FINALIZED: _finalize}


def _key(given: Mapping[str, Any]) -> Key:
    return hashlib.blake2b(dumps([given.get(name) for name in _SAME]), digest_size=16).digest()


def _taken(key: Key) -> Begun | None:
    """Give the call that was begun last: one before it with the same words has failed, and nobody has said so."""
    with _lock:
        found = next((begun for begun in reversed(_begun) if begun.key == key), None)
        if found is not None:
            _begun.remove(found)
    return found


def _open(key: Key, told: Told, *, is_over: bool = False) -> Begun | None:
    asked = {name: value for name, value in told.items() if name in _ASKED}
    metadata = {**current().metadata, **told["metadata"]}
    whole = {"provider": None, "model": None, **asked, "messages": told["prompt"], "metadata": metadata}
    milliseconds = number(told["performance_metrics"].get("response_time_ms"))
    call = opened(whole, (milliseconds or 0.0) / 1000)
    # Told when it is over, a call took as long as is said: the time until here says nothing.
    return None if call is None else Begun(key, call, metadata, {"response_time_ms": None} if is_over else {})


def _learned(told: Told, begun: Begun) -> dict[str, Json]:
    """Give what may have come with the end only."""
    failed = {} if told["success"] else _failed(told.get("error_message"))
    metrics = {**begun.metrics, **told["performance_metrics"]}
    return {
        semconv.PROVIDER: told.get("provider"),
        semconv.REQUEST_MODEL: told.get("model"),
        semconv.MESSAGE_ID: message_id_of(told.get("message_id")),
        semconv.PERFORMANCE: text(metrics) if metrics else None,
        semconv.METADATA: {**begun.metadata, **told["metadata"]} or None,
        **failed,
    }


def _failed(error: object) -> dict[str, Json]:
    if isinstance(error, BaseException):
        return failure(error)
    return failure_told({"message": error if error is None or isinstance(error, str) else text(error)})
