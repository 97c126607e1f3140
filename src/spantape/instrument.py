"""`instrument()` and `uninstrument()`: the only place where the parts meet."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .guard import guard, logger
from .manual.desk import Desk, opens_by

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.sdk.trace import SpanProcessor

    from .instrumentors._tape import Tape
    from .settings import Settings
    from .sinks.files import FileSpanExporter, Recordings
    from .sinks.files.processor import Condition

_BY_HAND = "spantape.manual"

_lock = threading.RLock()
_active: Recording | None = None
_stopped = False
"""Whether what is told by hand is not to begin a recording any more."""

_LAST_WAIT = 2.0


def instrument(**settings: Any) -> None:
    """Record every LLM call of this process from now on; once is enough, a second call changes nothing.

    Takes the settings listed in `docs/settings.md`; what is not given comes from the environment, then from `.env`.

    Raises:
        SettingError: A setting is unknown or has a value that can't be used.
    """
    from .settings import Settings

    chosen = Settings.load(**settings)
    with _lock:
        if is_off(chosen):
            logger.info("spantape is switched off: nothing is recorded")
        elif _is_free_for(chosen):
            _record(chosen)


def uninstrument() -> None:
    """Stop recording, write what is buffered, and give every library back the objects it had."""
    global _active, _stopped  # noqa: PLW0603 - there is one recording per process
    with _lock:
        recording, _active = _active, None
        if recording is not None:
            _stopped = True
            recording.stop()


def flush(timeout: float = 10.0) -> bool:
    """Write and send all calls that have ended; False when that took longer than `timeout` seconds or failed."""
    from . import completion

    recording, end = _active, time.monotonic() + timeout
    hooked = completion.flush(timeout)
    left = max(0.001, end - time.monotonic())
    if recording is not None:
        return recording.flush(left) and hooked
    from opentelemetry import trace

    forced = getattr(trace.get_tracer_provider(), "force_flush", None)
    return bool(forced(int(left * 1000))) and hooked if forced else hooked


def flush_files(timeout: float = 10.0) -> None:
    """Write all calls that have ended to the files, whatever becomes of what is sent."""
    recording = _active
    if recording is not None:
        recording.flush_files(timeout)


def recordings(base_dir: str | Path | None = None) -> Recordings:
    """Give what was recorded below a folder, by default the one that this process records to."""
    from pathlib import Path

    from .settings import Settings
    from .sinks.files import Recordings

    recording = _active
    settings = recording.settings if recording is not None else Settings.load()
    if base_dir is None:
        base_dir = recording.base_dir if recording is not None else settings.base_dir
    place = Path(base_dir)
    return Recordings(place, lambda: _condition(place), settings)


def _condition(base_dir: Path) -> dict[str, Any] | None:
    """Tell how this process's recording to a folder is doing; None when it doesn't record to it."""
    recording = _active
    writes = recording is not None and recording.settings.files and recording.base_dir == base_dir.absolute()
    return recording.condition()._asdict() if recording is not None and writes else None


def cleanup_old_files(dry_run: bool = False, force: bool = False) -> list[dict[str, Any]]:
    """Delete what is older or more than the settings allow, and compress what was archived; upkeep does it by itself.

    Gives what was done, or with `dry_run` what would be: `path`, `action`, `reason` and `bytes` of each file. `force`
    waits for another process that is at it.

    Raises:
        SpantapeError: Another process is at it.
    """
    from .settings import Settings
    from .sinks.files.upkeep import cleanup

    recording = _active
    settings = recording.settings if recording is not None else Settings.load()
    base_dir = recording.base_dir if recording is not None else settings.base_dir
    return [step._asdict() for step in cleanup(base_dir, settings, dry_run=dry_run, force=force)]


def join_environment() -> None:
    """Record as `instrument()` does, in a run of `opentelemetry-instrument` with `spantape` in `OTEL_TRACES_EXPORTER`.

    The SDK makes the exporter from the environment, but an exporter alone sees neither running calls nor those that a
    sampler leaves out. When the application calls `instrument()` with other settings, these hold.
    """
    from .instrumentors.openai import OpenAIInstrumentor
    from .settings import Settings

    exporters = [name.strip() for name in os.environ.get("OTEL_TRACES_EXPORTER", "").split(",")]
    settings = Settings.load()
    with _lock:
        wanted = "spantape" in exporters and not is_off(settings) and _is_free_for(settings)
        # Not instrumented: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS names us.
        if wanted and OpenAIInstrumentor().is_instrumented_by_opentelemetry:
            _record(settings, of_environment=True)


def join_run() -> None:
    """Record as `instrument()` does, in a program that `spantape run` has started.

    When the program calls `instrument()` itself, with other settings, these hold.
    """
    from .settings import Settings

    with guard, _lock:
        settings = Settings.load()
        if not is_off(settings) and _is_free_for(settings):
            _record(settings, of_environment=True)


def writes_files() -> bool:
    """Say whether `instrument()` is recording to files."""
    recording = _active
    return recording is not None and recording.settings.files


def is_off(settings: Settings) -> bool:
    """Say whether spantape is switched off, by its own setting or with all of OpenTelemetry."""
    return not settings.enabled or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _is_free_for(settings: Settings) -> bool:
    return _active is None or _active.gives_way_to(settings)


def _record(settings: Settings, *, of_environment: bool = False, by_hand: bool = False) -> None:
    from .pricing import PriceBook

    global _active, _stopped
    PriceBook.of(settings)  # what is wrong with a price table is told before anything is undone
    uninstrument()
    guard.forget()
    recording = Recording(settings, of_environment=of_environment, by_hand=by_hand)
    recording.start()
    _active, _stopped = recording, False


def _desk() -> Desk | None:
    """Give where calls are told by hand; the first one begins a recording, of such calls only, by the environment."""
    global _stopped  # noqa: PLW0603
    if _active is None and not _stopped:
        from .settings import Settings

        with _lock:
            settings = Settings.load()
            _stopped = is_off(settings)
            if _active is None and not _stopped:
                _record(settings, by_hand=True)
    recording = _active
    return recording.desk() if recording is not None else None


opens_by(_desk)


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
        from .instrumentors._call import end_in_flight
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
        return self._files.condition()

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
        from .instrumentors._call import end_in_flight

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
