"""Parameters of a request that are secret, as their names say, whatever they look like."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..jsontext import Json

_SHOWN = "***"
_SECRET = re.compile(
    "(?:api|access|subscription|account|secret)[_-]?key$|secret$|passw(?:or)?d$"
    "|(?:access|auth|bearer|api|session)[_-]?token$|^token$",
    re.IGNORECASE,
)
_HOLDERS = frozenset({"authentication", "authorization", "credentials", "headers"})
"""Names of parameters that are a key or a password, or hold some: a gateway is sent its own in the body."""


def without_secrets(value: Json, *, hidden: bool = False) -> Json:
    """Give parameters without the texts under names that say that they are secret."""
    if isinstance(value, str):
        return _SHOWN if hidden else value
    if isinstance(value, (list, tuple)):
        return [without_secrets(item, hidden=hidden) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {key: without_secrets(item, hidden=hidden or _is_secret(str(key), item)) for key, item in value.items()}


def _is_secret(name: str, value: Json) -> bool:
    return name.lower() in _HOLDERS or (isinstance(value, str) and _SECRET.search(name) is not None)
