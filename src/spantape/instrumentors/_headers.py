"""Of the headers of a request and of its response, those that the settings name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from .. import semconv
from ..content import Attributes
from ._keys import is_key

_NEVER = frozenset({"cookie", "set-cookie"})
_SUSPECT = re.compile("auth|cookie|key|password|secret|token(?!s)")
"""What a name with a `*` does not stand for: a key is in a record only where somebody has named its header."""


def keeping(names: Collection[str]) -> Callable[[Any], Attributes]:
    """Give what reads the headers that are to be kept from a response of the client's HTTP library."""
    if not names:
        return _nothing

    @lru_cache(maxsize=256)
    def is_kept(name: str) -> bool:
        if name in _NEVER or is_key(name):
            return False
        return name in names or (not _SUSPECT.search(name) and any(fnmatchcase(name, one) for one in names))

    def read(response: Any) -> Attributes:
        sent = getattr(getattr(response, "request", None), "headers", None)
        return {
            prefix + name: [value]
            for prefix, headers in (
                (semconv.REQUEST_HEADER, sent),
                (semconv.RESPONSE_HEADER, getattr(response, "headers", None)),
            )
            for name, value in _texts(headers)
            if is_kept(name)
        }

    return read


def _nothing(response: Any) -> Attributes:  # noqa: ARG001 - as of a setting that names some
    return {}


def _texts(headers: Any) -> Iterator[tuple[str, str]]:
    if isinstance(headers, Mapping):
        for name, value in headers.items():
            if isinstance(name, str) and isinstance(value, str):
                yield name.lower(), value
