"""spantape: a tape recorder for LLM calls, built as an OpenTelemetry instrumentation plugin.

import spantape

spantape.instrument()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .errors import PushError, QueryError, SealError, SettingError, SpantapeError

if TYPE_CHECKING:
    from .collector import push
    from .context import session
    from .file_record import get_session_llm_interactions, llm_file_record
    from .filter import Filter
    from .manual.call import call
    from .manual.finalize import finalize
    from .manual.held import fail_call, finish_call, start_call
    from .manual.stages import record_llm_interaction
    from .masking import Detector, Masking
    from .process import cleanup_old_files, flush, instrument, recordings, uninstrument

__all__ = [
    "Detector",
    "Filter",
    "Masking",
    "PushError",
    "QueryError",
    "SealError",
    "SettingError",
    "SpantapeError",
    "__version__",
    "call",
    "cleanup_old_files",
    "fail_call",
    "finalize",
    "finish_call",
    "flush",
    "get_session_llm_interactions",
    "instrument",
    "llm_file_record",
    "push",
    "record_llm_interaction",
    "recordings",
    "session",
    "start_call",
    "uninstrument",
]

# Imported when it is asked for: the command has to be quick. No module bears the name of one of these, and hides it.
_HOMES = {
    "Detector": "masking",
    "Filter": "filter",
    "Masking": "masking",
    "call": "manual.call",
    "cleanup_old_files": "process",
    "fail_call": "manual.held",
    "finalize": "manual.finalize",
    "finish_call": "manual.held",
    "flush": "process",
    "get_session_llm_interactions": "file_record",
    "instrument": "process",
    "llm_file_record": "file_record",
    "push": "collector",
    "record_llm_interaction": "manual.stages",
    "recordings": "process",
    "session": "context",
    "start_call": "manual.held",
    "uninstrument": "process",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _HOMES[name].startswith("manual."):
        import_module(".process", __name__)  # the first call that is told by hand begins a recording
    globals()[name] = found = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
