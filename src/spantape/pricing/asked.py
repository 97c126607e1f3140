"""`Asked`: whose price is asked for."""

from __future__ import annotations

from typing import NamedTuple


class Asked(NamedTuple):
    """A model at a provider and a server, in a tier of service, at a moment (epoch seconds)."""

    provider: str
    server: str
    model: str
    tier: str | None
    at: float
