"""What was said, in spans on the disk: encrypted when it is in the records, and opened again when it is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ... import jsontext
from ...jsontext import Json
from ...settings import Settings
from .._seal import SEALED, Keys, is_sealed, keys_of, no_key_opens

Change: TypeAlias = Callable[[Json], Json]
"""Gives another value of an attribute, in OTLP's JSON."""

_MARK = f'{{"{SEALED}":"'
_WHAT = "what was said in these spans"


def sealing(settings: Settings) -> Change:
    """Give what is done to what was said before it is written: it becomes a text, as that of a record."""
    keys = keys_of(settings)
    if keys is None:
        return lambda value: value
    return lambda value: {"stringValue": jsontext.text(keys.seal(value))}


def opening(settings: Settings) -> Change:
    """Give what is done to it before it is sent; what it gives raises `SealError` when no key fits."""
    keys = keys_of(settings)
    return lambda value: value if (sealed := _sealed(value)) is None else _opened(sealed, keys)


def _opened(sealed: Json, keys: Keys | None) -> Json:
    if keys is None:
        raise no_key_opens(_WHAT)
    return keys.open(sealed, _WHAT)


def _sealed(value: Json) -> Json | None:
    text = value.get("stringValue") if isinstance(value, dict) else None
    found = jsontext.loads_or(text.encode()) if isinstance(text, str) and text.startswith(_MARK) else None
    return found if is_sealed(found) else None
