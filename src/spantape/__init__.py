"""spantape: a tape recorder for LLM calls, built as an OpenTelemetry instrumentation plugin.

import spantape

spantape.instrument()
"""

from __future__ import annotations

from ._version import __version__
from .context import session
from .errors import QueryError, SettingError, SpantapeError
from .instrument import flush, instrument, recordings, uninstrument
from .masking import Detector, Masking

__all__ = [
    "Detector",
    "Masking",
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
