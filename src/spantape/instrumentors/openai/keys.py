"""The API keys that a request of the client is sent with."""

from __future__ import annotations

from typing import Any

from .._keys import secret, secrets_in, used

_PLACES = ("api_key", "_azure_ad_token")


def keys_of(client: Any, headers: Any) -> tuple[str, ...]:
    """Give the keys of a client and of a request's own headers, and the others in use."""
    sent = secrets_in(headers) + secrets_in(getattr(client, "_custom_headers", None))
    return used(*sent, *(key for place in _PLACES if (key := secret(getattr(client, place, "")))))


def keys_of_websocket(websocket: Any) -> tuple[str, ...]:
    """Give the keys that a connection was opened with."""
    return used(*secrets_in(getattr(getattr(websocket, "request", None), "headers", None)))
