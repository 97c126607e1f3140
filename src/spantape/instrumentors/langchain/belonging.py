"""Whom and what a run belongs to, as its configuration says; pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...context import Belonging
from ...jsontext import whole

_IDS = {
    "session_id": ("session_id", "thread_id", "conversation_id"),
    "conversation_id": ("conversation_id", "thread_id"),
    "user_id": ("user_id",),
}
"""What a run belongs to, and the names that applications give it, the one that counts first."""
_PURPOSE = "purpose"
"""What a model is for, as `spantape.langchain.get_llm` says; kept as the record's metadata."""
_NAMES = frozenset({_PURPOSE, *(name for names in _IDS.values() for name in names)})


def belonging(
    around: Belonging | None, metadata: Mapping[str, Any], configurable: Mapping[str, Any]
) -> Belonging | None:
    """Give whom and what a run belongs to, by its own configuration and by the run around it; None when nobody says."""
    if _NAMES.isdisjoint(metadata) and _NAMES.isdisjoint(configurable):
        return around  # as most steps do
    around = around or Belonging()
    found: dict[str, Any] = {
        key: said for key, names in _IDS.items() if (said := _first(names, metadata, configurable))
    }
    purpose = _first((_PURPOSE,), metadata)
    if purpose:
        found["metadata"] = {**around.metadata, _PURPOSE: purpose}
    return replace(around, **found)


def of_agent(around: Belonging | None, name: str | None) -> Belonging | None:
    """Give what the runs inside an agent belong to."""
    return replace(around or Belonging(), agent_key=name) if name else around


def _first(keys: tuple[str, ...], *sources: Mapping[str, Any]) -> str | None:
    for key in keys:
        for source in sources:
            value = source.get(key)
            if isinstance(value, (str, int)) and value != "":
                return whole(str(value))
            if value is not None and type(value).__name__ == "UUID":
                return str(value)
    return None
