"""Whom and what a run belongs to, as its configuration says; pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from ...context import Belonging
from ...jsontext import whole

_SESSION = ("session_id", "thread_id", "conversation_id")
_CONVERSATION = ("conversation_id", "thread_id")
_USER = ("user_id",)
_PURPOSE = "purpose"
_KEYS = frozenset({*_SESSION, *_CONVERSATION, *_USER, _PURPOSE})
"""The names that applications give to what a run belongs to; of several, the one that counts comes first."""


def belonging(
    around: Belonging | None, metadata: Mapping[str, Any], configurable: Mapping[str, Any]
) -> Belonging | None:
    """Give whom and what a run belongs to, by its own configuration and by the run around it; None when nobody says."""
    if _KEYS.isdisjoint(metadata) and _KEYS.isdisjoint(configurable):
        return around
    told = {**configurable, **metadata}
    outer = around or Belonging()
    session = _first(_SESSION, told) or outer.session_id
    conversation = _first(_CONVERSATION, told) or outer.conversation_id
    user = _first(_USER, told) or outer.user_id
    purpose = _first((_PURPOSE,), metadata)  # what a model is for, as `spantape.langchain.get_llm` says
    if (session, conversation, user, purpose) == (outer.session_id, outer.conversation_id, outer.user_id, None):
        return around
    more = {**outer.metadata, _PURPOSE: purpose} if purpose else outer.metadata
    return replace(outer, session_id=session, conversation_id=conversation, user_id=user, metadata=more)


def of_agent(around: Belonging | None, name: str | None) -> Belonging | None:
    """Give what the runs inside an agent belong to."""
    return replace(around or Belonging(), agent_key=name) if name else around


def _first(keys: tuple[str, ...], told: Mapping[str, Any]) -> str | None:
    found = (told.get(key) for key in keys)
    return next((whole(str(value)) for value in found if isinstance(value, (str, int, UUID)) and value != ""), None)
