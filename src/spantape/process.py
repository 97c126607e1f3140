"""`instrument()` and `uninstrument()`, and what there is to ask of the one recording of this process."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from .guard import guard, logger
from .manual.desk import Desk, opens_by
from .recording import Recording

if TYPE_CHECKING:
    from pathlib import Path

    from .settings import Settings
    from .sinks.files import Recordings

_lock = threading.RLock()
_active: Recording | None = None
_stopped = False
"""Whether what is told by hand is not to begin a recording any more."""


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

    from .sinks.files import Recordings

    place = _folder() if base_dir is None else Path(base_dir)
    return Recordings(place, lambda: _condition(place), settings_at_hand())


def settings_at_hand() -> Settings:
    """Give the settings of the recording that is on, else those of the environment."""
    from .settings import Settings

    recording = _active
    return recording.settings if recording is not None else Settings.load()


def _folder() -> Path:
    recording = _active
    return recording.base_dir if recording is not None else settings_at_hand().base_dir


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
    from .sinks.files.upkeep import cleanup

    return [step._asdict() for step in cleanup(_folder(), settings_at_hand(), dry_run=dry_run, force=force)]


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
    from . import context
    from .pricing import PriceBook

    global _active, _stopped
    PriceBook.of(settings)  # what is wrong with a price table is told before anything is undone
    uninstrument()
    guard.forget()
    context.begin_anew()
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
