"""Prompts and responses that only who has the key can read: all else of a record stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from ... import jsontext
from ...jsontext import Json
from ...settings import Settings
from .._seal import SEALED, Keys, is_sealed, keys_of
from .arrays import Record, record

Change: TypeAlias = Callable[[Record], Record]

CONTENT = ("prompt", "response", "messages", "output_messages")

_MARK = f'":{{"{SEALED}":"'.encode()


def sealing(settings: Settings) -> Change:
    """Give what is done to a record before it is written."""
    keys = keys_of(settings)
    if keys is None:
        return _unchanged
    return lambda whole: whole | {key: _sealed(whole[key], keys) for key in CONTENT if whole.get(key) is not None}


def opening(settings: Settings) -> Change:
    """Give what is done to a record after it was read; without a key, what is sealed stays so.

    What it gives raises `SealError` when no key fits.
    """
    keys = keys_of(settings)
    if keys is None:
        return _unchanged
    return lambda whole: whole | {key: _opened(whole, key, keys) for key in CONTENT if is_sealed(whole.get(key))}


def opening_lines(settings: Settings) -> Callable[[Iterable[bytes]], Iterable[bytes]]:
    """Give the same for the lines of records; without a key it costs nothing."""
    if not settings.encryption_keys():
        return iter
    change = opening(settings)
    return lambda lines: (_opened_line(line, change) if _MARK in line else line for line in lines)


def _sealed(value: Json, keys: Keys) -> Json:
    return value if is_sealed(value) else keys.seal(value)


def _opened(whole: Record, key: str, keys: Keys) -> Json:
    return keys.open(whole[key], f"the {key} of record {whole.get('id')}")


def _opened_line(line: bytes, change: Change) -> bytes:
    found = record(line)
    return line if found is None else jsontext.dumps(change(found))


def _unchanged(whole: Record) -> Record:
    return whole
