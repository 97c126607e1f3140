"""What a call cost: usage × price, never over the network."""

from __future__ import annotations

from .book import PriceBook

__all__ = ["PriceBook"]
