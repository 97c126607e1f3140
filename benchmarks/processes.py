"""The processes that are measured: a worker for each contender, and short ones that only import."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from suites import SUITES

HERE = Path(__file__).parent
# Whatever the shell says about recording and exporting is not to decide what is measured.
PEERS = ("LOGFIRE_", "TRACELOOP_", "OPENINFERENCE_")
FOREIGN = ("OTEL_", "SPANTAPE_", "LLM_", "OPENAI_", "LANGCHAIN_", "LANGSMITH_", *PEERS)
SDK = "import opentelemetry.sdk.trace"


def python_of(environments: Path | None, name: str) -> Path:
    """Give the interpreter of an environment; without a folder of environments, the one that runs now."""
    if environments is None:
        return Path(sys.executable)
    return environments.absolute() / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def surroundings() -> dict[str, str]:
    """Give the environment variables of a worker: content is captured everywhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}


class Worker:
    """A process of one contender, in an empty folder of its own."""

    under: Sequence[str] = ()
    """The command that it runs under."""

    def __init__(self, suite: str, name: str, python: Path, chunks: int, **variables: str) -> None:
        self.name = name
        self._suite = SUITES[suite]
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [*self.under, str(python), str(HERE / "worker.py"), suite, name, str(chunks)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=self._folder.name,
            env={**surroundings(), **variables},
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, do: str, **about: Any) -> dict[str, Any]:
        """Send one command, and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **about}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name}: the worker ended; what it wrote is above")
        found: dict[str, Any] = json.loads(answer)
        return found

    def doubt(self) -> str:
        """Tell what is wrong when the contender does not do what it is measured for, else nothing."""
        whole = [] if self._suite.contenders[self.name].idle else ["span", "prompt", "answer"]
        found, wanted = self.ask("check"), {**dict.fromkeys(self._suite.cases, whole), "bare": []}
        return (
            "" if found == wanted else f"{self.name} exported {found}, but should {wanted}: its figures mean nothing."
        )


def import_milliseconds(python: Path, rounds: int) -> list[float]:
    """Give what `import spantape` adds to importing the OTel SDK: CPU time, a difference a round."""
    with tempfile.TemporaryDirectory() as folder:

        def once(imports: str) -> float:
            program = f"{imports}\nimport time\nprint(time.process_time())"
            command = [str(python), "-c", program]
            done = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, text=True, cwd=folder, env=surroundings()
            )
            return float(done.stdout) * 1e3

        both = f"{SDK}\nimport spantape"
        once(both)  # the byte code is written now
        return [-once(SDK) + once(both) for _ in range(rounds)]


def spread(values: list[float]) -> tuple[float, float, float]:
    """Give the median and the quartiles beside it."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high
