"""What `spantape doctor` looks at: each check says what it found, and what to do where that is not good."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ..settings import Settings
from . import _format as form
from ._progress import bar

GOOD, POOR, BAD = "ok", "look", "bad"
SELF_TEST = "self-test"
_LIBRARIES = {"openai": (1, 3), "langchain-core": (0, 1), "langchain": (0, 1), "opentelemetry-sdk": (1, 1)}
_LANGSMITH = ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2")
_REPORT = "correct what is said above; if all else is ok, please report it with this output"
_NEIGHBOURS = ("openai", "langchain", "llama", "litellm")
_WAIT, _PATIENCE = 2.0, 120
_SKEW = 5.0
_LITTLE = 1_000_000_000


class Finding(NamedTuple):
    """How good something is, what was looked at, what was found, and what to do about it."""

    state: str
    about: str
    found: str
    advice: str = ""


def findings(settings: Settings) -> Iterator[Finding]:
    """Look at the environment, in the order in which a call goes through it."""
    for check in _CHECKS:
        yield from check(settings)


def _versions(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    yield Finding(GOOD, "python", f"{platform.python_version()} on {platform.system()}")
    for name, (least, most) in _LIBRARIES.items():
        version = _version(name)
        if version is None:
            continue
        fits = least <= int(version.partition(".")[0]) <= most
        advice = "" if fits else f"spantape is tested with {name} {least} to {most}: update spantape"
        yield Finding(GOOD if fits else POOR, name, version, advice)
    if _version("openai") is None and _version("langchain-core") is None:
        yield Finding(
            BAD,
            "clients",
            "neither openai nor langchain-core is installed here",
            "install one, or look in the application's environment",
        )


def _switches(settings: Settings) -> Iterator[Finding]:
    if not settings.enabled:
        yield Finding(
            BAD, "enabled", "no: nothing is recorded", "unset SPANTAPE_ENABLED, LLM_RECORDS_ENABLED, LLM_LOG_ENABLE"
        )
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield Finding(BAD, "OTEL_SDK_DISABLED", "all of OpenTelemetry is off", "unset OTEL_SDK_DISABLED")
    if not settings.files:
        yield Finding(POOR, "files", "off: only OTLP gets the calls", "unset SPANTAPE_FILES")
    if not settings.capture_content.on_span:
        yield Finding(POOR, "content", "off: records have no prompts and responses", "unset SPANTAPE_CAPTURE_CONTENT")


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.base_dir.absolute()
    try:
        there = _nearest(folder)
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        yield Finding(
            BAD,
            "folder",
            f"{folder} can't be written: {error.strerror}",
            "give another with SPANTAPE_BASE_DIR, or the right to write",
        )
        return
    yield Finding(GOOD, "folder", f"{folder}" + ("" if there == folder else " (made with the first call)"))
    free = shutil.disk_usage(there).free
    few = free < _LITTLE
    yield Finding(
        POOR if few else GOOD, "disk", f"{form.size(free)} free", "make room, or see `spantape clean`" if few else ""
    )


def _records(settings: Settings) -> Iterator[Finding]:
    """Put right what dead processes have left behind."""
    from ..sinks.files.presence import settle
    from ..sinks.files.repair import repair

    folder = settings.base_dir.absolute()
    try:
        with bar("repairing"):
            settled, repaired = settle(folder), repair(folder)
    except OSError as error:
        yield Finding(
            BAD, "records", f"{folder} can't be repaired: {error}", "stop what holds it, or get the right to write"
        )
        return
    if settled:
        told = f"{settled} calls were interrupted: their processes died"
        yield Finding(POOR, "records", told, "see `spantape ls --status interrupted`")
    if repaired:
        told = f"{len(repaired)} files were torn by a crash; they are whole again"
        yield Finding(POOR, "records", told, "only what was being written is lost: see why the process died")
    if not (settled or repaired):
        yield Finding(GOOD, "records", "no file is torn, no call was interrupted since the last look")


def _clock(settings: Settings) -> Iterator[Finding]:
    """Compare the file system's clock with ours: on a network file system they may differ."""
    earliest = time.time()
    with contextlib.suppress(OSError), tempfile.NamedTemporaryFile(dir=_nearest(settings.base_dir.absolute())) as file:
        made = Path(file.name).stat().st_mtime
        skew = made - min(max(made, earliest), time.time())  # nobody knows how long it took to make the file
        if abs(skew) > _SKEW:
            yield Finding(POOR, "clock", f"the file system's clock is {skew:+.0f} s off", "set the clocks by NTP")
        else:
            yield Finding(GOOD, "clock", f"{time.strftime('%Y-%m-%d %H:%M:%S %z')}, as on the disk")


def _nearest(folder: Path) -> Path:
    """Give the folder, or the one above it that is there; raises `OSError` where that can't be told."""
    for place in (folder, *folder.parents):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            place.stat()
            return place
    raise FileNotFoundError(errno.ENOENT, "no such drive", str(folder))


def _endpoint(settings: Settings) -> Iterator[Finding]:
    from ..sinks import otlp

    target = otlp.endpoint(settings)
    if target is None:
        yield Finding(GOOD, "otlp", "not asked for")
        return
    parts = urlsplit(target if "://" in target else f"//{target}")
    usual = 443 if parts.scheme == "https" else 4317 if otlp.protocol(settings) == "grpc" else 80
    try:
        socket.create_connection((parts.hostname or "localhost", parts.port or usual), _WAIT).close()
    except (OSError, ValueError) as error:
        yield Finding(
            BAD,
            "otlp",
            f"{otlp.about(settings)} does not answer: {error}",
            "start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT",
        )
    else:
        yield Finding(GOOD, "otlp", f"{otlp.about(settings)} answers")


def _neighbours(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    others = sorted(
        f"{each.dist.name if each.dist else each.name}"
        for each in metadata.entry_points(group="opentelemetry_instrumentor")
        if any(word in each.name for word in _NEIGHBOURS) and not each.value.startswith("spantape.")
    )
    if others:
        yield Finding(GOOD, "beside", f"{', '.join(others)} installed, too: a call is still one record of ours")
    if any(os.environ.get(name, "").lower() == "true" for name in _LANGSMITH):
        told = "LangChain sends prompts and responses to LangSmith, too"
        yield Finding(POOR, "beside", told, f"unset {' and '.join(_LANGSMITH)} if that is not wanted")


def self_test() -> Iterator[Finding]:
    """Make a call with each client library, in a process of its own, and look for its record."""
    from ._self_test import CALLS

    libraries = list(filter(_version, CALLS))
    with bar("calling"), ThreadPoolExecutor() as pool:
        every = list(pool.map(_called, libraries))
    for library, done in zip(libraries, every, strict=True):
        if done.returncode == 0:
            yield Finding(GOOD, SELF_TEST, done.stdout.strip())
            continue
        told = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        yield Finding(BAD, SELF_TEST, f"a call of {library} was not recorded: {told}", _REPORT)


def _called(library: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spantape.cli._self_test", library]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        here = {"SPANTAPE_BASE_DIR": folder, "SPANTAPE_FILES": "true", "SPANTAPE_SAMPLE_RATE": "1"}
        given = {**os.environ, **here, "OTEL_TRACES_EXPORTER": "none"}
        try:
            return subprocess.run(  # noqa: S603 - a module of ours
                command, env=given, capture_output=True, text=True, check=False, timeout=_PATIENCE
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, "", f"there was no answer in {_PATIENCE} s")


def _version(name: str) -> str | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return None


_CHECKS: Iterable[Callable[[Settings], Iterator[Finding]]] = (
    _versions,
    _switches,
    _folder,
    _records,
    _clock,
    _endpoint,
    _neighbours,
)
