"""Spans of the real SDK on our processor, and real processes around them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import spantape
from spantape.settings import Settings
from spantape.sinks.files import FileSpanExporter, FileSpanProcessor, Recordings

DAY = "2026-11-21"
NOON = 1_795_262_400_000_000_000  # of that day, in UTC
SECOND = 1_000_000_000
PATIENCE = 120.0  # of whatever does not come: what comes may take its time on a busy machine

KEPT = dict.fromkeys(("retention_days", "date_retention_days", "error_retention_days"), 100_000)
"""Upkeep may come at any moment, and is to find nothing that is too old, however long ago the days of tests are."""

SEED_KEYS = ["id", "timestamp", "session_id", "message_id", "role_name", "step_id", "round_index", "provider", "model"]
SEED_KEYS += ["prompt", "response", "success", "error_message", "performance_metrics", "metadata"]

processes: list[subprocess.Popen[str]] = []
"""Those that a test has started."""


class Tape:
    """A TracerProvider of the test's own that records below a folder."""

    def __init__(self, base_dir: Path, *processors: SpanProcessor, **settings: Any) -> None:
        self.base_dir = base_dir
        chosen = Settings.load(base_dir=base_dir, **{"flush_interval": 0.02, **KEPT, **settings})
        self.exporter = FileSpanExporter(settings=chosen)
        self.processor = FileSpanProcessor(self.exporter, chosen)
        self.provider = provider(*(processors or (self.processor,)))
        self.tracer = self.provider.get_tracer("spantape.test")

    def start(self, session: str | None = None, prompt: str = "Hi", **more: Any) -> Span:
        return start(self.tracer, session, prompt, **more)

    def call(self, session: str | None = None, prompt: str = "Hi", *, error: str | None = None, **more: Any) -> str:
        return end(self.start(session, prompt, **more), error)

    def flush(self) -> bool:
        return self.processor.force_flush(int(PATIENCE * 1000))

    def close(self) -> None:
        self.provider.shutdown()

    @property
    def recordings(self) -> Recordings:
        return spantape.recordings(self.base_dir)

    @property
    def date_file(self) -> Path:
        return next((self.base_dir / "by_date").glob("*.json"))


def provider(*processors: SpanProcessor) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    for processor in processors:
        made.add_span_processor(processor)
    return made


def messages(*texts: str, role: str = "user") -> str:
    said = [{"role": role, "parts": [{"type": "text", "content": text}]} for text in texts]
    return json.dumps(said, ensure_ascii=False)


def start(tracer: Any, session: str | None = None, prompt: str = "Hi", at: int | None = None, **more: Any) -> Span:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": messages(prompt), **more}
    if session is not None:
        attributes["session.id"] = session
    span: Span = tracer.start_span("chat", attributes=attributes, start_time=at)
    return span


def end(span: Span, error: str | None = None) -> str:
    """End a span; gives its id as 16 hex digits, the record's `span_id`."""
    if error is not None:
        span.set_attribute("error.type", error)
        span.set_attribute("spantape.error.message", f"{error}!")
    span.end()
    return f"{span.context.span_id:016x}"


def ended(session: str | None = None, prompt: str = "Hi", *, error: str | None = None, **more: Any) -> ReadableSpan:
    """Give a span that has ended, for an exporter used alone."""
    memory = InMemorySpanExporter()
    end(start(provider(SimpleSpanProcessor(memory)).get_tracer("spantape.test"), session, prompt, **more), error)
    return memory.get_finished_spans()[0]


def until(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait for something to become true; gives it."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return found


def files(base_dir: Path) -> list[Path]:
    return sorted(path for path in base_dir.rglob("*.json") if path.is_file())


def loaded(file: Path) -> list[dict[str, Any]]:
    """Read a file as anyone does."""
    with file.open(encoding="utf-8") as opened:
        found: list[dict[str, Any]] = json.load(opened)
    assert isinstance(found, list)
    return found


def span_ids(base_dir: Path, folder: str = "by_date") -> list[str]:
    """Give the span ids of all records in the files of a folder, with those that are there twice."""
    return [record["span_id"] for file in files(base_dir / folder) for record in loaded(file)]


def python(script: str, *arguments: object, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a script in a process of its own, with this module and spantape in reach."""
    source = Path(spantape.__file__).parents[1]
    paths = os.pathsep.join([str(source), str(Path(__file__).parent)])
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    processes.append(process)
    return process


def run(script: str, *arguments: object, environment: dict[str, str] | None = None) -> list[str]:
    """Run a script to its end; gives the lines it printed."""
    process = python(script, *arguments, environment=environment)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out.splitlines()


class Nursery:
    """Forks as many processes of one script as are asked for: imports take longer than most of what they live for.

    The script calls `born()` after its imports; in each child that returns.
    """

    def __init__(self, script: str, folder: Path, *arguments: object) -> None:
        self._folder = folder
        self._parent = python(script, *arguments)

    def child(self) -> tuple[int, Path]:
        """Give a new process, and the file that it prints to, once something stands there."""
        assert self._parent.stdin
        assert self._parent.stdout
        out = self._folder / f"{uuid.uuid4()}.out"
        self._parent.stdin.write(f"{out}\n")
        self._parent.stdin.flush()
        pid = int(self._parent.stdout.readline())
        until(lambda: out.exists() and out.stat().st_size)
        return pid, out


def born() -> None:
    """Fork whenever a line comes in, and return in the child, which prints to the file that the line names."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(line.strip(), os.O_WRONLY | os.O_CREAT, 0o600), 1)
            return
        print(pid, flush=True)  # noqa: T201
    os._exit(0)


def kill(pid: int) -> float:
    """Kill a process of a nursery; gives when it was."""
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    with suppress(ProcessLookupError):
        until(lambda: os.kill(pid, 0))
    return killed


def apart(count: int) -> int:
    """Go on as several processes at once, and give the number of each; what they print is printed when all are done."""
    if not hasattr(os, "fork"):
        return _started_again(count)
    outs = [tempfile.TemporaryFile("w+") for _ in range(count)]  # noqa: SIM115 - until the end
    pids = []
    for number, out in enumerate(outs):
        pids.append(os.fork())
        if not pids[-1]:
            os.dup2(out.fileno(), 1)
            return number
    failed = [status for status in (os.waitpid(pid, 0)[1] for pid in pids) if status]
    for out in outs:
        out.seek(0)
        print(out.read(), end="")  # noqa: T201
    sys.exit(f"{len(failed)} processes failed" if failed else 0)


def _started_again(count: int) -> int:
    if "NUMBER" in os.environ:
        return int(os.environ["NUMBER"])
    made = [
        subprocess.Popen(sys.orig_argv, env={**os.environ, "NUMBER": str(number)}, stdout=subprocess.PIPE, text=True)
        for number in range(count)
    ]
    for process in made:
        print(process.communicate()[0], end="")  # noqa: T201
    sys.exit(any(process.returncode for process in made))
