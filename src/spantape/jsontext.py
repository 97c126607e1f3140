"""JSON as text: dumping never fails on what a client can hold, and never runs code of a foreign object."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import orjson

Json: TypeAlias = Any
"""A value as `json.loads` gives it: dict, list, str, int, float, bool or None."""

_DEPTH = 64
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS
_ANY_KEYS = _OPTIONS | orjson.OPT_NON_STR_KEYS  # takes half as long again


def dumps(value: object) -> bytes:
    """Give `value` as compact UTF-8 JSON; what JSON can't say becomes its type's name, a broken surrogate U+FFFD."""
    try:
        return orjson.dumps(value, default=_stand_in, option=_OPTIONS)
    except (TypeError, RecursionError):
        return _dumps(value)


def text(value: object) -> str:
    """Give `value` as JSON text."""
    return dumps(value).decode()


def pretty(value: object) -> str:
    """Give `value` as JSON text on many lines, for a person."""
    return orjson.dumps(loads(dumps(value)), option=orjson.OPT_INDENT_2).decode()


def verbatim(source: str) -> Json:
    """Stand for JSON text that was read before: `dumps` takes it over as it is, on one line."""
    return loads(source) if "\n" in source else orjson.Fragment(source)


def loads(data: bytes | str) -> Json:
    """Read JSON; raises `ValueError` when it is none."""
    return orjson.loads(data)


def loads_or(data: object, default: Json = None) -> Json:
    """Read JSON that may have been cut by someone else; `default` when it is none."""
    if not isinstance(data, (str, bytes)):
        return default
    try:
        return orjson.loads(data)
    except ValueError:
        return default


def whole(value: str) -> str:
    """Give `value` as text that UTF-8 can carry: surrogate pairs joined, lone ones replaced by U+FFFD."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def mended(value: object, around: tuple[int, ...] = ()) -> Json:
    """Give `value` as plain JSON that every encoder takes; `around` are the ids of what it lies in."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, str):
        return whole(value)
    # Without a look at what lies around, two references to oneself would make 2**64 copies.
    if id(value) in around or len(around) == _DEPTH:
        return "<nested too deep>"
    inside = (*around, id(value))
    if isinstance(value, Mapping):
        return {_key(key): mended(item, inside) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mended(item, inside) for item in value]
    return mended(_plain(value), inside)


def _dumps(value: object) -> bytes:
    try:
        return orjson.dumps(value, default=_stand_in, option=_ANY_KEYS)
    except (TypeError, RecursionError):
        # Lone surrogates, integers over 64 bits, cycles: rare, so the slow way is only taken here.
        return json.dumps(mended(value), ensure_ascii=False, separators=(",", ":")).encode()


def _key(key: object) -> str:
    said = mended(key)
    return said if isinstance(said, str) else text(said)


def _plain(value: object) -> Json:
    """Give what the fast way says for it: dates, UUIDs and enumerations, too."""
    try:
        return orjson.loads(orjson.dumps(value, default=_stand_in, option=_ANY_KEYS))
    except TypeError:
        return _stand_in(value)


def _stand_in(value: object) -> Json:
    # Never str(value): the repr of a client or a config object can hold an API key.
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, float):  # numpy's, for one: orjson takes no subclass
        return float.__pos__(value)
    return f"<{type(value).__name__}>"
