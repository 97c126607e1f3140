"""What was said, in spans on the disk: encrypted when it is in the records, and opened again when it is sent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from ... import jsontext
from ...errors import SealError
from ...jsontext import Json
from ...settings import Settings
from .._keys import fernet

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

Change: TypeAlias = Callable[[Json], Json]
"""Gives another value of an attribute, in OTLP's JSON."""

_SEALED = "encrypted"
_MARK = f'{{"{_SEALED}":"'


def sealing(settings: Settings) -> Change:
    """Give what is done to what was said before it is written: it becomes a text, as that of a record."""
    keys = fernet(settings)
    if keys is None:
        return _unchanged
    return lambda value: {"stringValue": jsontext.text({_SEALED: keys.encrypt(jsontext.dumps(value)).decode()})}


def opening(settings: Settings) -> Change:
    """Give what is done to it before it is sent; what it gives raises `SealError` when no key fits."""
    keys = fernet(settings)
    return lambda value: _opened(token, keys) if (token := _token(value)) is not None else value


def _opened(token: str, keys: MultiFernet | None) -> Json:
    with suppress(ImportError):
        from cryptography.fernet import InvalidToken

        with suppress(InvalidToken):
            if keys is not None:
                return jsontext.loads(keys.decrypt(token))
    raise SealError(
        "no key of encryption_key opens what was said in these spans: add the one that they were written with, behind "
        "a comma; what is left is for the next push"
    )


def _token(value: Json) -> str | None:
    text = value.get("stringValue") if isinstance(value, dict) else None
    found = jsontext.loads_or(text.encode()) if isinstance(text, str) and text.startswith(_MARK) else None
    return found.get(_SEALED) if isinstance(found, dict) else None


def _unchanged(value: Json) -> Json:
    return value
