"""Others set a `request` on openai's client classes, which covers that of the base class: OpenInference and Logfire do.

What they call in theirs, and what they put back when they leave, is what they found: ours only if we were there before.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

REQUEST = "request"
_BASES = frozenset({"SyncAPIClient", "AsyncAPIClient"})


def place(client: type) -> type | None:
    """Give the class of openai's whose `request` covers that of the base class; None when there is none.

    A subclass of the application's own is its business.
    """
    owner = next((kind for kind in client.__mro__ if REQUEST in kind.__dict__), None)
    if owner is None or owner.__name__ in _BASES:
        return None
    return owner if _is_openais(owner) else None


def clients(base: ModuleType) -> list[type[Any]]:
    """Give all client classes of openai's that exist by now."""
    found: list[type[Any]] = [base.SyncAPIClient, base.AsyncAPIClient]
    for kind in found:
        found += [each for each in kind.__subclasses__() if _is_openais(each) and each not in found]
    return found


def _is_openais(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "openai"
