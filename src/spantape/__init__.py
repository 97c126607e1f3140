"""spantape: a tape recorder for LLM calls, built as an OpenTelemetry instrumentation plugin.

import spantape

spantape.instrument()
"""

from __future__ import annotations

from ._version import __version__
from .context import session
from .errors import QueryError, SettingError, SpantapeError
from .instrument import cleanup_old_files, flush, instrument, recordings, uninstrument

__all__ = [
    "QueryError",
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
