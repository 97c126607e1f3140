"""spantape: a tape recorder for LLM calls, built as an OpenTelemetry instrumentation plugin.

import spantape

spantape.instrument()
"""

from __future__ import annotations

from ._version import __version__
from .context import session
from .errors import QueryError, SettingError, SpantapeError
from .filter import Filter
from .instrument import flush, instrument, recordings, uninstrument

__all__ = [
    "Filter",
    "QueryError",
    "SettingError",
    "SpantapeError",
    "__version__",
    "flush",
    "instrument",
    "recordings",
    "session",
    "uninstrument",
]
