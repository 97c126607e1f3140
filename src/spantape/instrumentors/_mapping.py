"""Table-driven reading of plain JSON: a path of keys → an attribute, kept only if it has the right type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..content import Attributes
from ..jsontext import Json

Coerce: TypeAlias = Callable[[Any], Any]
Table: TypeAlias = Mapping[str, tuple[str, Coerce]]
"""Dotted path in the body → (attribute, how to read its value; None leaves it out)."""

_SCALARS = (str, int, float, bool, type(None))


def dig(body: Json, path: str) -> Json:
    """Follow a dotted path of keys; None where it leads nowhere."""
    for key in path.split("."):
        if not isinstance(body, Mapping):
            return None
        body = body.get(key)
    return body


def pick(table: Table, body: Json) -> Attributes:
    """Read what the table names; an attribute found on several paths is the last one's."""
    found = ((attribute, coerce(dig(body, path))) for path, (attribute, coerce) in table.items())
    return {attribute: value for attribute, value in found if value is not None}


def text(value: Json) -> str | None:
    """Read a text that is not empty."""
    return value if isinstance(value, str) and value else None


def whole(value: Json) -> int | None:
    """Read a whole number of 64 bits."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        return None
    return int(value) if -(2**63) <= value < 2**63 else None


def number(value: Json) -> float | None:
    """Read a number."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def texts(value: Json) -> list[str] | None:
    """Read a text or a list of texts."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] or None if isinstance(value, (list, tuple)) else None


def flag(value: Json) -> bool | None:
    """Read a switch that is on; off is the same as absent."""
    return True if value is True else None


def plain(value: Any, depth: int = 32) -> Json:
    """Turn a client's objects into plain JSON: models by their fields, sentinels and foreign objects left out.

    Never iterates anything but lists, tuples and mappings: a generator is the caller's to consume.
    """
    if isinstance(value, _SCALARS):
        return value
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth - 1) for key, item in value.items() if not _is_sentinel(item)}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth - 1) for item in value]
    return _fields(value, depth)


def _fields(model: Any, depth: int) -> Json:
    if not hasattr(model, "model_fields_set") and not hasattr(model, "__fields_set__"):
        return None
    values = {**vars(model), **(getattr(model, "__pydantic_extra__", None) or {})}
    return {key: plain(item, depth - 1) for key, item in values.items() if not key.startswith("_")}


def _is_sentinel(value: object) -> bool:
    return type(value).__name__ in {"NotGiven", "Omit"}
