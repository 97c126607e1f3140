"""`finalize(...)`: what is learned of a call after it has ended, as the id of the message that it became."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import SpanKind

from .. import semconv
from ..context import NOTHING, capture, leaves_out, session
from ..errors import QueryError
from ..guard import guard
from ..instrumentors._keys import in_use
from ..instrumentors._ledger import Ref, ids_of, ledger
from ..jsontext import whole
from ..moments import local
from ..opening import Opening
from ..record import id_of
from .answers import named
from .desk import Desk, desk

NAME = "finalize"


def finalize(response_or_id: Any, message_id: int | str | None = None, **fields: Any) -> str | None:
    """Add to the record of a call that has ended: the id of the message it became, and whatever else is known now.

    The call is told by the response that the client gave, by LangChain's message, by a response's id, or by the id of
    the interaction, of this process or another one. Keywords are those of `session(...)`: further ones become metadata.
    Gives the interaction's id; None when nothing is recorded.

    Raises:
        QueryError: No such call was recorded, though every call is. Where some are left out, as by `sample_rate` or
            `session(capture="none")`, that is logged, once.
    """
    here = desk()
    if here is None or capture() == NOTHING:
        return None
    ref = None
    with guard:
        ref = ledger.of(response_or_id) or _written(here, response_or_id)
    if ref is None:
        _refuse(here, response_or_id)
        return None
    with guard:
        amend(here, ref, {"message_id": message_id, **fields})
    return id_of(ref.context)


def amend(here: Desk, ref: Ref, fields: Mapping[str, Any]) -> None:
    """Tell what is known now of a call, by a span that links to the call's."""
    given = dict(fields)
    message_id, metadata = given.pop("message_id", None), named(given.pop("metadata", None))
    given.pop("session_id", None)  # where a record is does not change
    attributes = {
        **session(**{**metadata, **given}).belonging.attributes(),
        semconv.AMENDS: id_of(ref.context),
        semconv.AMENDS_SINCE: ref.started if isinstance(ref.started, str) else local(ref.started),
        semconv.SESSION_ID: ref.session_id,
        semconv.MESSAGE_ID: message_id_of(message_id),
    }
    told = here.tape.shown(here.tape.keep(attributes, in_use()))
    span = here.tape.start_span(Opening(NAME, told, SpanKind.INTERNAL))
    span.add_link(ref.context)
    span.end()


def message_id_of(value: object) -> str | int | None:
    """Give a message's id as an attribute takes it."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63):
        return value
    return whole(str(value))


def _written(here: Desk, thing: Any) -> Ref | None:
    return next(filter(None, map(here.find, ids_of(thing))), None)


def _refuse(here: Desk, thing: Any) -> None:
    """Say that a call isn't known; where a sampler, a setting or a session leaves calls out, that is no mistake."""
    what = repr(thing) if isinstance(thing, str) else f"a {type(thing).__name__}"
    message = (
        f"finalize() knows no call of {what}: give the object that the client returned, while it is among the newest, "
        "or the interaction's id (`id` in the record, `call.id`), or call spantape.flush() in the process that made it"
    )
    if here.keeps_all and not leaves_out():
        raise QueryError(message)
    guard.warn_once("finalize", "%s", message)
