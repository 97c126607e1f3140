"""`CompletionHook`: applications that stay with the official GenAI instrumentations record to our files."""

from __future__ import annotations

import atexit
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .guard import guard

if TYPE_CHECKING:
    from .instrumentors._official import Completion, Teller
    from .settings import Settings
    from .sinks.files import FileSpanProcessor

_RECORDED = ("openai", "langchain")
"""Libraries, by the beginning of their names, whose calls `instrument()` sees itself."""

_lock = threading.Lock()
_files: dict[Path, FileSpanProcessor] = {}
"""One for each folder: every official instrumentation makes a hook of its own."""


class CompletionHook:
    """Writes a record of each call that an official GenAI instrumentation has told.

    `OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK=spantape` selects it; `OpenAIInstrumentor().instrument(completion_hook=
    CompletionHook(base_dir=…))` does so in code. Takes the settings of `instrument()`. Calls that a running
    `instrument()` records are left to it.

    Raises:
        SettingError: A setting is unknown or has a value that can't be used.
    """

    def __init__(self, **settings: Any) -> None:
        from .process import is_off
        from .settings import Settings

        chosen = Settings.load(**settings)
        wanted = chosen.files and not is_off(chosen)
        self._files = _files_of(chosen) if wanted else None
        self._teller = _teller(chosen) if wanted else None

    def on_completion(self, **handed: Any) -> None:
        """Take a call that is about to end."""
        with guard:
            if self._files is not None and self._teller is not None:
                from .instrumentors._official import Completion

                completion = Completion.of(handed)
                span = None if _is_recorded(completion) else self._teller.span(completion)
                if span is not None:
                    self._files.on_end(span)


def flush(timeout: float) -> bool:
    """Write what the hooks were given; False when that took longer than `timeout` seconds or failed."""
    if not _files:
        return True
    with guard:
        from .provider import flush_all

        return flush_all(list(_files.values()), int(timeout * 1000))
    return False


def _is_recorded(completion: Completion) -> bool:
    from .process import writes_files

    package = completion.package()
    return writes_files() and (not package or package.startswith(_RECORDED))


def _files_of(settings: Settings) -> FileSpanProcessor:
    from .sinks.files import FileSpanExporter, FileSpanProcessor

    folder = settings.base_dir.absolute()
    with _lock:
        if folder not in _files:
            _files[folder] = FileSpanProcessor(FileSpanExporter(folder, settings), settings)
            atexit.register(_files[folder].shutdown)
        return _files[folder]


def _teller(settings: Settings) -> Teller:
    from .content import ContentPolicy
    from .instrumentors._official import Teller
    from .instrumentors._scope import closing
    from .instrumentors.openai.provider import provider_of
    from .pricing import PriceBook

    policy = ContentPolicy.of(settings, capture=settings.capture_content.on_span)
    closed, closes = replace(policy, capture=False), closing(settings.without_content_of)
    prices = PriceBook.of(settings)
    prices.warm()
    return Teller(lambda known: (closed if closes(known) else policy).keep, prices.attributes, provider_of)
