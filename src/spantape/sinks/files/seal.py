"""Prompts and responses that only who has the key can read: all else of a record stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ... import jsontext
from ...errors import SealError, SettingError
from ...jsontext import Json
from ...settings import Settings
from .arrays import Record

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

Change: TypeAlias = Callable[[Record], Record]

CONTENT = ("prompt", "response", "messages", "output_messages")

_SEALED = "encrypted"
MARK = b'":{"encrypted":"'
"""Stands in the line of a record that is sealed."""


def sealing(settings: Settings) -> Change:
    """Give what is done to a record before it is written."""
    if not settings.encryption_keys():
        return _unchanged
    fernet = _fernet(settings.encryption_keys())
    return lambda record: record | {key: _sealed(record[key], fernet) for key in CONTENT if record.get(key) is not None}


def opening(settings: Settings) -> Change:
    """Give what is done to a record after it was read; without a key, what is sealed stays so.

    What it gives raises `SealError` when no key fits.
    """
    if not settings.encryption_keys():
        return _unchanged
    fernet = _fernet(settings.encryption_keys())
    return lambda record: record | {key: _opened(record, key, fernet) for key in CONTENT if is_sealed(record.get(key))}


def is_sealed(value: Json) -> bool:
    """Say whether a prompt or response is encrypted."""
    return isinstance(value, dict) and list(value) == [_SEALED] and isinstance(value[_SEALED], str)


def _sealed(value: Json, fernet: MultiFernet) -> Json:
    return value if is_sealed(value) else {_SEALED: fernet.encrypt(jsontext.dumps(value)).decode()}


def _opened(record: Record, key: str, fernet: MultiFernet) -> Json:
    from cryptography.fernet import InvalidToken

    try:
        return jsontext.loads(fernet.decrypt(record[key][_SEALED].encode()))
    except InvalidToken:
        raise SealError(
            f"no key of encryption_key opens the {key} of record {record.get('id')}: add the one that it was written "
            "with, behind a comma; nothing was changed"
        ) from None


def _fernet(keys: Sequence[str]) -> MultiFernet:
    try:
        from cryptography.fernet import Fernet, MultiFernet
    except ImportError:
        raise SettingError(
            "encryption_key needs the cryptography package: pip install 'spantape[encryption]'"
        ) from None
    return MultiFernet([Fernet(key.encode()) for key in keys])


def _unchanged(record: Record) -> Record:
    return record
