"""Table-driven reading of plain JSON: a path of keys → an attribute, kept only if it has the right type."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Collection, Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from itertools import compress
from types import MappingProxyType
from typing import Any, TypeAlias
from uuid import UUID

from ..content import Attributes
from ..jsontext import Json, mended

Coerce: TypeAlias = Callable[[Any], Any]

_SENTINELS = frozenset({"NotGiven", "Omit"})
_DICTS = frozenset({dict})
_EMPTY: Mapping[str, Any] = MappingProxyType({})
_MOST_MODELS = 1024
_models: set[type] = set()
"""Classes of pydantic 2 that were met: a chunk is looked at in a microsecond, which asking the class would double."""
_SCALARS = (str, int, float, bool, type(None))
_PLAIN = frozenset(_SCALARS)
_VALUES = (date, time, Decimal, UUID, Enum, set, frozenset)
"""What JSON has no word for, and says all the same."""


class Table(dict[str, tuple[str, Coerce]]):
    """Dotted path in the body → (attribute, how to read its value; None leaves it out)."""

    def __init__(self, rows: Mapping[str, tuple[str, Coerce]]) -> None:
        super().__init__(rows)
        self.beginnings = tuple(path.partition(".")[0] for path in rows)


def fields(value: Any) -> Mapping[str, Any]:
    """View a mapping or a client's model as a mapping, without copying what is in it; anything else is empty."""
    kind: type = type(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]
    if value is None:
        return _EMPTY
    if kind in _models:
        extra = value.__pydantic_extra__
        return {**value.__dict__, **extra} if extra else value.__dict__
    return _met(value)


def _met(value: Any) -> Mapping[str, Any]:
    """View a value of a class that is no model of pydantic 2, or was not met before."""
    kind = type(value)
    if hasattr(kind, "model_fields") and hasattr(value, "__pydantic_extra__"):
        if len(_models) < _MOST_MODELS:
            _models.add(kind)
        return {**vars(value), **(value.__pydantic_extra__ or {})}
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(kind):  # LangGraph's commands, and states of applications
        return {one.name: getattr(value, one.name, None) for one in dataclasses.fields(value)}
    return dict(vars(value)) if hasattr(kind, "__fields__") else _EMPTY  # pydantic 1


def items(value: Any) -> list[Mapping[str, Any]]:
    """View the mappings and models in a list; everything else in it is left out."""
    if not isinstance(value, (list, tuple)):
        return []
    if _DICTS.issuperset(map(type, value)):
        return list(value)
    return [view for one in value if (view := one if type(one) is dict else fields(one)) is not _EMPTY]


def dig(body: Any, path: str) -> Any:
    """Follow a dotted path of keys; None where it leads nowhere."""
    for key in path.split("."):
        if body is None:
            return None
        body = fields(body).get(key)
    return body


def pick(table: Table, body: Json) -> Attributes:
    """Read what the table names; an attribute found on several paths is the last one's."""
    view = fields(body)
    found: Attributes = {}
    # Only the paths that may lead somewhere, found in no time: a body has few of what it might have.
    for path in compress(table, map(view.__contains__, table.beginnings)):
        attribute, coerce = table[path]
        value = dig(view, path) if "." in path else view[path]
        said = None if value is None else coerce(value)
        if said is not None:
            found[attribute] = said
    return found


def others(body: Mapping[str, Json], known: Collection[str]) -> dict[str, Json]:
    """Give what is in a body beside what is known of it."""
    return {key: value for key, value in body.items() if key not in known}


def nothing(body: Mapping[str, Json]) -> Attributes:  # noqa: ARG001 - one of the readers of an endpoint
    """Read nothing."""
    return {}


def text(value: Json) -> str | None:
    """Read a text that is not empty."""
    return value if isinstance(value, str) and value else None


def whole(value: Json) -> int | None:
    """Read a whole number of 64 bits."""
    if type(value) is int:
        return value if -(2**63) <= value < 2**63 else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        return None
    return int(value) if -(2**63) <= value < 2**63 else None


def number(value: Json) -> float | None:
    """Read a number; infinity, what is no number, and what is larger than any float are left out."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) <= sys.float_info.max else None


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
    if isinstance(value, (list, tuple)):
        return [plain(item, depth - 1) for item in value]
    view = fields(value)
    if view is _EMPTY:
        return mended(value) if isinstance(value, _VALUES) else None
    return {
        str(key): item if type(item) in _PLAIN else plain(item, depth - 1)
        for key, item in view.items()
        if type(item) in _PLAIN or type(item).__name__ not in _SENTINELS
    }


def given(body: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what the client marks as not given."""
    return {key: value for key, value in body.items() if type(value).__name__ not in _SENTINELS}
