"""The prices that spantape brings along, for models at which genai-prices is wrong or has nothing: `overlay.json`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .pricefile import load
from .rows import read
from .table import Table


@cache
def overlay() -> Table:
    """Give the bundled table, whose rows name their source and the day on which it said so."""
    return Table(read(load(Path(__file__).with_name("overlay.json")), "spantape"))
