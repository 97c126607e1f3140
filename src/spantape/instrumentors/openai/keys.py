"""The API key that a request is sent with: known only to be hidden wherever an answer or an error quotes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LEAST_CHARS = 8
_HEADERS = ("authorization", "api-key")


def key_of(client: Any, headers: Any) -> str:
    """Give the key of a client's request, or of the request's own headers; empty when it is none."""
    own = _in_headers(headers) if headers and isinstance(headers, Mapping) else ""
    return own or _if_secret(getattr(client, "api_key", ""))


def key_of_websocket(websocket: Any) -> str:
    """Give the key that a connection was opened with."""
    headers = getattr(getattr(websocket, "request", None), "headers", None)
    return _in_headers(headers) if headers is not None else ""


def _in_headers(headers: Any) -> str:
    found = (value for name, value in headers.items() if str(name).lower() in _HEADERS)
    return next((key for value in found if (key := _if_secret(value))), "")


def _if_secret(value: object) -> str:
    """Give a key without the scheme before it; not a word like `test` or `not-needed`, which texts are full of."""
    if not isinstance(value, str) or len(value) < _LEAST_CHARS:
        return ""
    key = value.rpartition(" ")[2]
    is_word = key.replace("-", "").replace("_", "").isalpha()
    return "" if is_word or len(key) < _LEAST_CHARS else key
