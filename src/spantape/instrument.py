"""`instrument()` and `uninstrument()`: the only place where the parts meet."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .guard import guard, logger

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

    from .settings import Settings
    from .sinks.files import Recordings

_lock = threading.RLock()
_active: Recording | None = None


def instrument(**settings: Any) -> None:
    """Record every LLM call of this process from now on; once is enough, a second call changes nothing.

    Takes the settings listed in `docs/settings.md`; what is not given comes from the environment, then from `.env`.

    Raises:
        SettingError: A setting is unknown or has a value that can't be used.
    """
    from .settings import Settings

    global _active  # noqa: PLW0603 - there is one recording per process
    chosen = Settings.load(**settings)
    with _lock:
        if not chosen.enabled:
            logger.info("spantape is switched off: nothing is recorded")
        elif _active is None:
            guard.forget()
            _active = Recording(chosen)
            _active.start()


def uninstrument() -> None:
    """Stop recording, write what is buffered, and give every library back the objects it had."""
    global _active
    with _lock:
        recording, _active = _active, None
        if recording is not None:
            recording.stop()


def flush(timeout: float = 10.0) -> bool:
    """Write and send all calls that have ended; False when that took longer than `timeout` seconds or failed."""
    recording = _active
    if recording is not None:
        return recording.flush(timeout)
    from opentelemetry import trace

    forced = getattr(trace.get_tracer_provider(), "force_flush", None)
    return bool(forced(int(timeout * 1000))) if forced else True


def recordings(base_dir: str | Path | None = None) -> Recordings:
    """Give what was recorded below a folder, by default the one that this process records to."""
    from .settings import Settings
    from .sinks.files import Recordings

    if base_dir is None:
        base_dir = _active.settings.base_dir if _active is not None else Settings.load().base_dir
    return Recordings(Path(base_dir))


def join_environment() -> None:
    """Add the live stage to a run of `opentelemetry-instrument` that has `spantape` in `OTEL_TRACES_EXPORTER`.

    The SDK makes the exporter from the environment, but an exporter sees only ended spans.
    """
    exporters = [name.strip() for name in os.environ.get("OTEL_TRACES_EXPORTER", "").split(",")]
    if "spantape" not in exporters or _active is not None:
        return
    from opentelemetry import trace

    from .provider import join
    from .settings import Settings
    from .sinks.files import FileSpanExporter, FileSpanProcessor

    settings = Settings.load()
    live = FileSpanProcessor(FileSpanExporter(settings.base_dir), settings, live_only=True)
    join(trace.get_tracer_provider(), [live])
    atexit.register(live.force_flush)


class Recording:
    """All parts, put together for one choice of settings."""

    def __init__(self, settings: Settings) -> None:
        from .provider import Tracing
        from .sinks.files import FileSpanExporter, FileSpanProcessor

        self.settings = settings
        self._exporter = FileSpanExporter(settings.base_dir)
        self._files = FileSpanProcessor(self._exporter, settings)
        self._otlp = _otlp(settings)
        self._tracing = Tracing(settings.tracer_provider, self._processors_for)

    def start(self) -> None:
        """Instrument the client libraries that are installed."""
        from .instrumentors.openai import SCOPE, OpenAIInstrumentor

        if self.settings.global_provider:
            self._be_global()
        self._tracing.look()
        instrumentor = OpenAIInstrumentor()
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()  # alone it knows no files: from now on the calls are ours
        instrumentor.instrument(tape=self._tape(SCOPE), skip_dep_check=True)
        atexit.register(self._at_exit)
        logger.info("%s", self._about())

    def stop(self) -> None:
        """Undo `start`."""
        from .instrumentors._call import end_in_flight
        from .instrumentors.openai import OpenAIInstrumentor
        from .provider import leave_all

        atexit.unregister(self._at_exit)
        OpenAIInstrumentor().uninstrument()
        end_in_flight()
        leave_all()
        for processor in self._all():
            with guard:
                processor.shutdown()

    def flush(self, timeout: float) -> bool:
        """Write and send all calls that have ended."""
        done = True
        for processor in self._all():
            with guard:
                done = processor.force_flush(int(timeout * 1000)) and done
        return done

    def _tape(self, scope: str) -> Any:
        from .content import ContentPolicy
        from .instrumentors._call import Tape
        from .pricing import PriceBook

        settings = self.settings
        policy = ContentPolicy(settings.capture_content, settings.max_content_chars, settings.content_filter)
        prices = PriceBook(enabled=settings.cost)
        prices.warm()
        return Tape(self._tracing.starter(scope), policy.keep, prices.attributes)

    def _processors_for(self, provider: Any) -> Sequence[SpanProcessor]:
        from .provider import exporters_of

        exporters = exporters_of(provider)
        chosen: list[SpanProcessor] = []
        if self.settings.files:
            chosen.append(self._files_beside(exporters))
        if self._otlp is not None and not self._is_sent_already(exporters):
            chosen.append(self._otlp)
        return chosen

    def _files_beside(self, exporters: Sequence[object]) -> SpanProcessor:
        """Give the live stage only, where the SDK has made our exporter from the environment."""
        from .sinks.files import FileSpanExporter, FileSpanProcessor

        if any(isinstance(exporter, FileSpanExporter) for exporter in exporters):
            return FileSpanProcessor(self._exporter, self.settings, live_only=True)
        return self._files

    def _is_sent_already(self, exporters: Sequence[object]) -> bool:
        from .sinks.otlp import host_and_port

        theirs = [one for one in exporters if type(one).__module__.startswith("opentelemetry.exporter.otlp")]
        if self.settings.otlp_endpoint is None:
            return bool(theirs)
        ours = host_and_port(self.settings.otlp_endpoint)
        return any(host_and_port(str(getattr(one, "_endpoint", ""))) == ours for one in theirs)

    def _be_global(self) -> None:
        from opentelemetry import trace

        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self._tracing.private)

    def _all(self) -> list[SpanProcessor]:
        return [self._files] + ([self._otlp] if self._otlp is not None else [])

    def _at_exit(self) -> None:
        from .instrumentors._call import end_in_flight

        end_in_flight()
        for processor in self._all():
            with guard:
                processor.shutdown()

    def _about(self) -> str:
        from ._version import __version__
        from .sinks import otlp

        files = str(self._exporter.writer.base_dir) if self.settings.files else "no files"
        target = f"{otlp.endpoint(self.settings)} ({otlp.protocol(self.settings)})" if self._otlp else "nowhere"
        return f"spantape {__version__} records {_libraries()} to {files}; sends spans to {target}"


def _otlp(settings: Settings) -> SpanProcessor | None:
    from .sinks import otlp

    if otlp.endpoint(settings) is None:
        return None
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(otlp.exporter(settings))


def _libraries() -> str:
    from importlib import metadata

    try:
        return f"openai {metadata.version('openai')}"
    except metadata.PackageNotFoundError:
        return "nothing (openai is not installed)"
