"""The keys that requests are sent with: known only to be hidden wherever an answer or an error quotes one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_MOST = 16
_LEAST_CHARS = 8
_HEADERS = frozenset({
    *("authorization", "api-key", "x-api-key", "x-goog-api-key", "proxy-authorization"),
    *("ocp-apim-subscription-key", "cf-aig-authorization", "helicone-auth", "x-portkey-api-key"),
})  # fmt: skip
_newest: tuple[str, ...] = ()


def in_use() -> tuple[str, ...]:
    """Give the newest keys of this process: a chain around a call, or a tool, may quote the key of the call."""
    return _newest


def used(*keys: str) -> tuple[str, ...]:
    """Take keys as those of a request, and give them with the others that are in use."""
    global _newest  # noqa: PLW0603 - a process has its keys
    known = _newest
    if known[: len(keys)] == keys:  # as in most processes, which have one
        return known
    _newest = known = tuple(dict.fromkeys((*keys, *known)))[:_MOST]
    return known


def used_by(error: object) -> None:
    """Take the keys of the request that an error tells of: a client may have fetched one for it."""
    headers = getattr(getattr(getattr(error, "response", None), "request", None), "headers", None)
    used(*secrets_in(headers))


def secrets_in(headers: Any) -> list[str]:
    """Give the keys in a request's headers."""
    if not headers or not isinstance(headers, Mapping):
        return []
    return [key for name, value in headers.items() if is_key(name) and (key := secret(value))]


@lru_cache(maxsize=256)
def is_key(header: str) -> bool:
    """Say whether a header holds a key."""
    return header.lower() in _HEADERS


def secret(value: object) -> str:
    """Give a key without the scheme before it; not a word like `test` or `not-needed`, which texts are full of."""
    return _secret(value) if isinstance(value, str) and len(value) >= _LEAST_CHARS else ""


@lru_cache(maxsize=_MOST)
def _secret(value: str) -> str:
    key = value.rpartition(" ")[2]
    is_word = key.replace("-", "").replace("_", "").isalpha()
    return "" if is_word or len(key) < _LEAST_CHARS else key
