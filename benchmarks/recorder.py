"""What the file recorder costs, beside the least that writing the same bytes can cost; and what it holds in memory.

    python benchmarks/recorder.py [--rounds 11] [--write docs/performance.md] [--check]

Ratios in one run: bare and recorded rounds alternate in one process. CPU time of all threads.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson
import page
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from page import Target

from spantape.record import record_of
from spantape.settings import Settings
from spantape.sinks.files import FileSpanExporter, FileSpanProcessor, Recordings
from spantape.sinks.files.exporter import Ended, paths

SESSIONS, RECORDS, BYTES = 100, 3000, 3000
SLOW = 0.0015  # seconds a record


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


def bare(records: list[tuple[dict[str, object], list[str]]], base_dir: Path) -> float:
    """Give the CPU seconds of `orjson.dumps` and one `os.write` to each file, all of them open already."""
    opened: dict[str, int] = {}
    for _, names in records:
        for name in names:
            if name not in opened:
                file = base_dir / name
                file.parent.mkdir(parents=True, exist_ok=True)
                opened[name] = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    began = time.process_time()
    for record, names in records:
        line = orjson.dumps(record)
        for name in names:
            os.write(opened[name], line)
    took = time.process_time() - began
    for number in opened.values():
        os.close(number)
    return took


def recorded(ended: list[ReadableSpan], base_dir: Path, **settings: object) -> float:
    """Give the CPU seconds from the end of the calls to the end of the last write."""
    with recorder(base_dir, **settings) as processor:
        began = time.process_time()
        for span in ended:
            processor.on_start(span)  # type: ignore[arg-type]
            processor.on_end(span)
        assert processor.force_flush()
        return time.process_time() - began


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
    records = [(record, [str(path) for path in paths(record)]) for record in map(record_of, ended)]
    took: tuple[list[float], list[float]] = ([], [])
    # Nothing is deleted between rounds: for seconds after, ext4 takes several times as long to make a file.
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            gc.collect()
            took[0].append(bare(records, Path(folder, f"bare-{number}")) / RECORDS * 1e6)
            gc.collect()
            took[1].append(recorded(ended, Path(folder, f"recorded-{number}")) / RECORDS * 1e6)
    return *took, statistics.mean(len(orjson.dumps(record)) for record, _ in records)


class Overload(NamedTuple):
    """What came of it."""

    megabytes: float
    waited: int
    lost: int
    written: int


def overload(count: int) -> Overload:
    """Record as fast as a thread can, while a record takes ten times as long to write as it does."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = Settings.load(base_dir=folder, upkeep=False)
        exporter = FileSpanExporter(settings=chosen)
        write = exporter.write

        def slowly(calls: Sequence[Ended], timeout: float = 10.0) -> bool:
            time.sleep(SLOW * len(calls))
            return write(calls, timeout)

        exporter.write = slowly  # type: ignore[method-assign]
        processor = FileSpanProcessor(exporter, chosen)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        tracer, before = provider.get_tracer("spantape.benchmark"), peak()
        for number in range(count):
            one(tracer, f"session-{number % SESSIONS}", BYTES)
        condition = processor.condition()
        provider.shutdown()
        written = sum(1 for _ in Recordings(Path(folder)).iter_all())
        return Overload((peak() - before) / (1 << 20), condition.backpressure_count, processor.lost, written)


def peak() -> int:
    """Give the most memory there ever was, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measured(rounds: int, records: int) -> tuple[list[Target], str]:
    """Give the targets, and what stands below them."""
    flood = overload(records)
    least, took, size = ratios(rounds)
    ratio = statistics.median(mine / theirs for mine, theirs in zip(took, least, strict=True))
    lost = flood.lost + records - flood.written
    targets = [
        Target("CPU of a record, against the bare write", ratio, 6.0),
        Target(f"Memory gained while writing is ten times as slow, {records} records", flood.megabytes, 64, "MB"),
        Target(f"Records lost by that ({flood.waited} calls wrote themselves)", lost, 0, ""),
    ]
    bare, ours = statistics.median(least), statistics.median(took)
    note = (
        f"A record of {size:.0f} bytes, {SESSIONS} sessions interleaved: {bare:.1f} µs for `orjson.dumps` and an "
        f"`os.write` to each of its two files, which stay open; {ours:.1f} µs for spantape, from the end of the span "
        f"to the end of the last write. Medians of {rounds} rounds; {page.MACHINE}."
    )
    return targets, note


def main() -> int:
    parser = page.options(__doc__, rounds=11)
    parser.add_argument("--records", type=int, default=10_000, help="of the overload")
    asked = parser.parse_args()
    return page.tell("recorder", asked, *measured(asked.rounds, asked.records))


if __name__ == "__main__":
    sys.exit(main())
