"""Prompts and responses that only who has the key can read: all else of a record stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from ... import jsontext
from ...errors import SealError
from ...jsontext import Json
from ...settings import Settings
from .._keys import fernet
from .arrays import Record, record

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

Change: TypeAlias = Callable[[Record], Record]

CONTENT = ("prompt", "response", "messages", "output_messages")

_SEALED = "encrypted"
_MARK = b'":{"encrypted":"'


def sealing(settings: Settings) -> Change:
    """Give what is done to a record before it is written."""
    keys = fernet(settings)
    if keys is None:
        return _unchanged
    return lambda whole: whole | {key: _sealed(whole[key], keys) for key in CONTENT if whole.get(key) is not None}


def opening(settings: Settings) -> Change:
    """Give what is done to a record after it was read; without a key, what is sealed stays so.

    What it gives raises `SealError` when no key fits.
    """
    keys = fernet(settings)
    if keys is None:
        return _unchanged
    return lambda whole: whole | {key: _opened(whole, key, keys) for key in CONTENT if is_sealed(whole.get(key))}


def opening_lines(settings: Settings) -> Callable[[Iterable[bytes]], Iterable[bytes]]:
    """Give the same for the lines of records; without a key it costs nothing."""
    if not settings.encryption_keys():
        return iter
    change = opening(settings)
    return lambda lines: (_opened_line(line, change) if _MARK in line else line for line in lines)


def is_sealed(value: Json) -> bool:
    """Say whether a prompt or response is encrypted."""
    return isinstance(value, dict) and list(value) == [_SEALED] and isinstance(value[_SEALED], str)


def _sealed(value: Json, keys: MultiFernet) -> Json:
    return value if is_sealed(value) else {_SEALED: keys.encrypt(jsontext.dumps(value)).decode()}


def _opened(whole: Record, key: str, keys: MultiFernet) -> Json:
    from cryptography.fernet import InvalidToken

    try:
        return jsontext.loads(keys.decrypt(whole[key][_SEALED].encode()))
    except InvalidToken:
        raise SealError(
            f"no key of encryption_key opens the {key} of record {whole.get('id')}: add the one that it was written "
            "with, behind a comma; nothing was changed"
        ) from None


def _opened_line(line: bytes, change: Change) -> bytes:
    found = record(line)
    return line if found is None else jsontext.dumps(change(found))


def _unchanged(whole: Record) -> Record:
    return whole
