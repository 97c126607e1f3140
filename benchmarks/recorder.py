"""What the file recorder costs, beside the least that writing the same bytes can cost; and what it holds in memory.

    python benchmarks/recorder.py [--rounds 7] [--write docs/performance.md] [--check]

Ratios in one run: bare and recorded rounds alternate in one process. CPU time of all threads.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from spantape.interaction import Interaction
from spantape.settings import Settings
from spantape.sinks.files import FileSpanExporter, FileSpanProcessor
from spantape.sinks.files.exporter import paths

SESSIONS, RECORDS, BYTES = 100, 3000, 3000
AT_MOST = 6.0


def spans(count: int, size: int = BYTES) -> list[ReadableSpan]:
    """Make ended spans, their sessions interleaved, with records of about `size` bytes."""
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("spantape.benchmark")
    return [one(tracer, f"session-{number % SESSIONS}", size) for number in range(count)]


def one(tracer: object, session: str, size: int) -> ReadableSpan:
    said = "The quick brown fox jumps over the lazy dog. " * (size // 45)
    text = said[: max(10, (size - 1600) // 3)]  # a prompt stands in its record twice: as a text, and in the messages
    span = tracer.start_span("chat gpt-4o-mini", attributes=attributes(session, text))  # type: ignore[attr-defined]
    span.end()
    return span  # type: ignore[no-any-return]


def attributes(session: str, text: str) -> dict[str, object]:
    asked = [{"role": "user", "parts": [{"type": "text", "content": text}]}]
    answered = [{"role": "assistant", "parts": [{"type": "text", "content": text[: len(text) // 2]}]}]
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": "chatcmpl-1234567890",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.input.messages": json.dumps(asked),
        "gen_ai.output.messages": json.dumps(answered),
        "gen_ai.usage.input_tokens": 1234,
        "gen_ai.usage.output_tokens": 234,
        "server.address": "api.openai.com",
        "server.port": 443,
        "session.id": session,
    }


def cpu() -> float:
    return time.process_time()


def bare(records: list[tuple[dict[str, object], list[str]]], base_dir: Path) -> float:
    """Give the CPU seconds of `orjson.dumps` and one `os.write` to each file, all of them open already."""
    opened: dict[str, int] = {}
    for _, names in records:
        for name in names:
            if name not in opened:
                file = base_dir / name
                file.parent.mkdir(parents=True, exist_ok=True)
                opened[name] = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    began = cpu()
    for record, names in records:
        line = orjson.dumps(record)
        for name in names:
            os.write(opened[name], line)
    took = cpu() - began
    for number in opened.values():
        os.close(number)
    return took


def recorded(ended: list[ReadableSpan], base_dir: Path, **settings: object) -> float:
    """Give the CPU seconds from the end of the calls to the end of the last write."""
    with recorder(base_dir, **settings) as processor:
        began = cpu()
        for span in ended:
            processor.on_start(span)  # type: ignore[arg-type]
            processor.on_end(span)
        assert processor.force_flush()
        return cpu() - began


@contextmanager
def recorder(base_dir: Path, **settings: object) -> Iterator[FileSpanProcessor]:
    chosen = Settings.load(base_dir=base_dir, upkeep=False, **settings)
    processor = FileSpanProcessor(FileSpanExporter(settings=chosen), chosen)
    yield processor
    processor.shutdown()
    assert processor.lost == 0


def ratios(rounds: int) -> tuple[list[float], list[float], float]:
    """Give the CPU µs of a record, bare and recorded, round by round; and how many bytes a record has."""
    ended = spans(RECORDS)
    whole = [Interaction.from_span(span) for span in ended]
    records = [(one.to_json(), [str(path) for path in paths(one)]) for one in whole]
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            gc.collect()
            took[0].append(bare(records, Path(folder, "bare")) / RECORDS * 1e6)
            gc.collect()
            took[1].append(recorded(ended, Path(folder, "recorded")) / RECORDS * 1e6)
    return *took, statistics.mean(len(orjson.dumps(record)) for record, _ in records)


if __name__ == "__main__":
    print(ratios(7))
