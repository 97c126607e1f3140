"""`Recording`: the only place where the parts meet."""

from __future__ import annotations

import atexit
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .guard import guard, logger
from .manual.desk import Desk

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

    from .instrumentors._tape import Tape
    from .settings import Settings
    from .sinks.files import FileSpanExporter
    from .sinks.files.processor import Condition

_BY_HAND = "spantape.manual"
_LAST_WAIT = 2.0


class Recording:
    """All parts, put together for one choice of settings."""

    def __init__(self, settings: Settings, *, of_environment: bool = False, by_hand: bool = False) -> None:
        from .provider import Tracing
        from .sinks import jsonl, otlp, traces
        from .sinks._endings import Endings
        from .sinks.files import FileSpanExporter, FileSpanProcessor

        self.settings = settings
        self._of_environment, self._by_hand = of_environment, by_hand
        self._desk: Desk | None = None
        self._exporter = FileSpanExporter(settings.base_dir, settings)
        self._files = FileSpanProcessor(self._exporter, settings)
        self._silent: list[FileSpanExporter] = []
        self._lines = list(filter(None, (jsonl.processor(settings), traces.processor(settings, self.base_dir))))
        self._otlp = otlp.processor(settings)
        everything = settings.files or settings.jsonl or settings.log_calls
        self._endings = Endings(lambda: self.flush(_LAST_WAIT), self._at_exit)
        self._tracing = Tracing(settings.tracer_provider, self._processors_for, everything=everything)

    @property
    def base_dir(self) -> Path:
        """The folder that is recorded to, wherever the process has gone since."""
        return self._exporter.writer.base_dir

    def gives_way_to(self, settings: Settings) -> bool:
        """Say whether `instrument()` begins anew: this was begun without it, with other settings or for less."""
        return self._by_hand or (self._of_environment and self.settings != settings)

    def start(self) -> None:
        """Instrument the client libraries that are installed, unless calls are only told by hand."""
        from .instrumentors import langchain, openai

        if self.settings.global_provider:
            self._be_global()
        with guard:
            self._tracing.look()
        if not self._by_hand:
            self._instrument(openai.OpenAIInstrumentor(), openai.SCOPE)
            steps = self.settings.langchain_spans == "all"
            self._instrument(langchain.LangChainInstrumentor(), langchain.SCOPE, steps=steps)
        self._endings.watch(sigterm=self.settings.flush_on_sigterm)
        if logger.isEnabledFor(logging.INFO):  # to look up the versions takes as long as a call
            logger.info("%s", self._about())

    def _instrument(self, instrumentor: Any, scope: str, **how: Any) -> None:
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()  # alone it knows no files: from now on the calls are ours
        instrumentor.instrument(tape=self._tape(scope), skip_dep_check=True, **how)

    def _tape(self, scope: str) -> Tape:
        from .instrumentors._tape import Tape

        return Tape.of(self.settings, scope, self._tracing.starter(scope), self._tracing.leaves_out)

    def desk(self) -> Desk:
        """Give where calls are told by hand."""
        if self._desk is None:
            from .manual.found import finder

            self._desk = Desk(
                self._tape(_BY_HAND),
                finder(self.base_dir),
                keeps_all=self.settings.files and self.settings.sample_rate >= 1,
            )
        return self._desk

    def stop(self) -> None:
        """Undo `start`."""
        from .instrumentors._in_flight import end_in_flight
        from .instrumentors.langchain import LangChainInstrumentor
        from .instrumentors.openai import OpenAIInstrumentor
        from .provider import leave_all

        atexit.unregister(self._at_exit)
        self._endings.leave()
        if not self._by_hand:
            LangChainInstrumentor().uninstrument()
            OpenAIInstrumentor().uninstrument()
        end_in_flight()
        leave_all()
        for exporter in self._silent:
            exporter.quiet = False
        self._shut_down()

    def flush(self, timeout: float) -> bool:
        """Write and send all calls that have ended."""
        from .provider import flush_all

        with guard:
            return flush_all(self._all(), int(timeout * 1000))
        return False

    def flush_files(self, timeout: float) -> None:
        """Write all calls that have ended."""
        from .provider import flush_all

        with guard:
            flush_all([self._files, *self._lines], int(timeout * 1000))

    def condition(self) -> Condition:
        """Tell how the recording to files is doing."""
        files = self._files.condition()
        return files._replace(lost=files.lost + sum(lines.lost for lines in self._lines))

    def _processors_for(self, provider: Any) -> Sequence[SpanProcessor]:
        from .provider import processors_of
        from .sinks import otlp

        # What was registered last runs first: our open calls have to end before this provider is shut down at exit.
        atexit.unregister(self._at_exit)
        atexit.register(self._at_exit)
        theirs = processors_of(provider)
        chosen: list[SpanProcessor] = []
        if self.settings.files:
            self._silence(theirs)
            chosen.append(self._files)
        chosen += self._lines
        otlp.tell_who_sends_content(theirs, self.settings)
        if self._otlp is not None and not otlp.is_sent_by(theirs, self.settings):
            chosen.append(self._otlp)
        return chosen

    def _silence(self, processors: Sequence[Any]) -> None:
        """Write instead of an exporter that writes the same files, as the SDK makes one from the environment."""
        from .sinks.files import FileSpanExporter

        for processor in processors:
            exporter = getattr(processor, "span_exporter", None)
            if isinstance(exporter, FileSpanExporter) and exporter.writer.base_dir == self.base_dir:
                processor.force_flush()
                self._silent.append(exporter)
                exporter.quiet = True

    def _be_global(self) -> None:
        from opentelemetry import trace

        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self._tracing.private)

    def _all(self) -> list[SpanProcessor]:
        return [self._files, *self._lines, *([self._otlp] if self._otlp is not None else [])]

    def _at_exit(self) -> None:
        from .instrumentors._in_flight import end_in_flight

        end_in_flight()
        self._shut_down()

    def _shut_down(self) -> None:
        for processor in self._all():
            with guard:
                processor.shutdown()

    def _about(self) -> str:
        from ._version import __version__
        from .sinks import otlp

        files = str(self.base_dir) if self.settings.files else "no files"
        target = otlp.about(self.settings) if self._otlp else "nowhere"
        return f"spantape {__version__} records {_libraries()} to {files}; sends spans to {target}"


def _libraries() -> str:
    from importlib import metadata

    found = []
    for name in ("openai", "langchain-core"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return " and ".join(found) or "nothing (neither openai nor langchain-core is installed)"
