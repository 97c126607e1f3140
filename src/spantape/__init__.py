"""spantape: a tape recorder for LLM calls, built as an OpenTelemetry instrumentation plugin.

import spantape

spantape.instrument()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .errors import QueryError, SealError, SettingError, SpantapeError
from .instrument import cleanup_old_files, flush, instrument, recordings, uninstrument

if TYPE_CHECKING:
    from .context import session
    from .filter import Filter
    from .masking import Detector, Masking

__all__ = [
    "Detector",
    "Filter",
    "Masking",
    "QueryError",
    "SealError",
    "SettingError",
    "SpantapeError",
    "__version__",
    "cleanup_old_files",
    "flush",
    "instrument",
    "recordings",
    "session",
    "uninstrument",
]

# What rests on OpenTelemetry is imported when it is asked for: the command reads files alone, and has to be quick.
_HOMES = {"Detector": "masking", "Filter": "filter", "Masking": "masking", "session": "context"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
