"""What reading recordings costs, beside the least that reading the same lines can cost.

    python benchmarks/reading.py [--rounds 7] [--write docs/performance.md] [--check]

Ratios in one run: bare and ours alternate in one process, CPU time of all threads. Makes 3 GB of files and
removes them.
"""

from __future__ import annotations

import datetime as dt
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import orjson
import page
from page import Target

import spantape
from spantape import Filter
from spantape.interaction import Interaction

BYTES = 3000
SESSION, SCANNED, COUNTED = 10_000, 100_000, 1_000_000
DAYS, SESSIONS_A_DAY = 30, 1000


def records(count: int, size: int, seed: int = 1) -> Iterator[bytes]:
    """Make lines as the recorder writes them, of about `size` bytes."""
    chance = random.Random(seed)
    text = ("选择一款产品, please. The quick brown fox jumps over the lazy dog. " * (size // 60))[
        : max(1, (size - 1900) // 4)
    ]
    said = [{"role": "user", "parts": [{"type": "text", "content": text}]}]
    one = Interaction(
        id="",
        timestamp="2026-11-21T12:00:00.000000+00:00",
        provider="openai",
        prompt=text,
        response=text,
        performance_metrics={"response_time_ms": 1000, "prompt_length": len(text), "response_length": len(text)},
        metadata={"stage": "completed", "model_used": "gpt-4o-mini-2024-07-18"},
        trace_id="0" * 32,
        span_id="0" * 16,
        operation="chat",
        request={"model": "gpt-4o-mini", "temperature": 0.3},
        messages=said,
        output_messages=said,
        finish_reasons=["stop"],
        server={"address": "api.openai.com", "port": 443},
    ).to_json()
    for _ in range(count):
        yield orjson.dumps({**one, **varied(chance)})


def varied(chance: random.Random) -> dict[str, object]:
    tokens = chance.randrange(1000)
    failed = chance.random() < 0.03
    return {
        "id": str(uuid.UUID(int=chance.getrandbits(128))),
        "session_id": f"session-{chance.randrange(SESSIONS_A_DAY)}",
        "model": f"gpt-{chance.randrange(5)}",
        "user_id": f"user-{chance.randrange(200)}",
        "success": not failed,
        "status": "failed" if failed else "success",
        "usage": {"input_tokens": 1000, "output_tokens": tokens, "total_tokens": 1000 + tokens},
        "cost": {"total": round(chance.random() / 100, 8), "currency": "USD"},
        "timing": {"duration_ms": round(chance.lognormvariate(7, 1), 3)},
    }


def write(file: Path, lines: Iterable[bytes]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb", buffering=1 << 20) as opened:
        for number, line in enumerate(lines):
            opened.write((b",\n" if number else b"[\n") + line)
        opened.write(b"\n]\n")
    return file


def bare(file: Path) -> int:
    """Read each line, and nothing else."""
    number = 0
    with file.open("rb", buffering=1 << 20) as opened:
        for line in opened:
            if line[:1] == b"{":
                orjson.loads(line.rstrip(b",\n"))
                number += 1
    return number


def took(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def count(found: Iterable[object]) -> int:
    return sum(1 for _ in found)


def ratio(rounds: int, ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    return statistics.median(took(ours) / took(theirs) for _ in range(rounds))


def session(folder: Path, rounds: int) -> Target:
    lines = (line.replace(b'"session_id":"session-', b'"session_id":"5","_":"') for line in records(SESSION, BYTES))
    file = write(folder / "by_session" / "session_5" / "2026-11-21.json", lines)
    recordings = spantape.recordings(folder)
    assert count(recordings.iter_session("5")) == bare(file) == SESSION
    measured = ratio(rounds, lambda: count(recordings.iter_session("5")), lambda: bare(file))
    return Target(f"A session of {SESSION:,} records, against a bare loop over its lines", measured, 1.5, "×")


def scans(folder: Path, rounds: int) -> Iterator[Target]:
    file = write(folder / "by_date" / "2026-11-21_all_interactions.json", records(SCANNED, BYTES))
    recordings = spantape.recordings(folder)
    wanted = {
        "status=error": Filter(status="error"),
        "min_latency=5": Filter(min_latency=5.0),
        "user=user-7": Filter(user="user-7"),
        "q=FOX JUMPED": Filter(text="FOX JUMPED"),
        "q=介入": Filter(text="介入"),
    }
    for says, where in wanted.items():
        measured = ratio(rounds, lambda where=where: count(recordings.iter_all(where)), lambda: bare(file))
        yield Target(f"A scan of {SCANNED:,} records for `{says}`, against the bare loop", measured, 1 / 0.6, "×")


def latest(folder: Path, rounds: int) -> Target:
    """Compare a folder with 1 MB and one with 1 GB, each in one file."""
    small, large = (spantape.recordings(folder / name) for name in ("small", "large"))
    for recordings, size in ((small, 1 << 20), (large, 1 << 30)):
        file = recordings.base_dir / "by_date" / "2026-11-21_all_interactions.json"
        write(file, records(size // BYTES, BYTES))
        assert len(recordings.get_latest_interactions(50)) == 50
    measured = ratio(rounds * 10, large.get_latest_interactions, small.get_latest_interactions)
    return Target("The latest 50 of 1 GB, against those of 1 MB", measured, 1.5, "×")


def counted(folder: Path, rounds: int) -> list[Target]:
    """Count a million calls of 30 days, with 30,000 files of sessions beside them."""
    for day in range(DAYS):
        date = (dt.date(2026, 10, 23) + dt.timedelta(day)).isoformat()
        write(folder / "by_date" / f"{date}_all_interactions.json", records(COUNTED // DAYS + 1, 0, seed=day))
        for number in range(SESSIONS_A_DAY):
            write(folder / "by_session" / f"session_{number}" / f"{date}.json", [b"{}"])
    began = time.process_time()
    found = spantape.recordings(folder).get_statistics()
    cold = time.process_time() - began
    assert found["total_interactions"] >= COUNTED
    recordings = spantape.recordings(folder)
    fresh = statistics.median(took(lambda: spantape.recordings(folder).get_statistics()) for _ in range(rounds))
    again = statistics.median(took(recordings.get_statistics) for _ in range(rounds + 1))
    return [
        Target(f"Statistics of {COUNTED:,} calls, summaries there, in a new process", fresh, 0.1, "s"),
        Target(f"Statistics of {COUNTED:,} calls, asked again", again, 0.1, "s"),
        Target(f"Statistics of {COUNTED:,} calls, for the first time", cold, 30, "s"),
    ]


def measured(rounds: int) -> list[Target]:
    found: list[Target] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate((session, scans, latest, counted)):
            made = part(Path(folder, str(number)), rounds)
            found += [made] if isinstance(made, Target) else made
    return found


def main() -> int:
    asked = page.options(__doc__, rounds=7).parse_args()
    found = measured(asked.rounds)
    size = statistics.mean(map(len, records(10, BYTES))) / 1000
    note = f"CPU time, medians of {asked.rounds} rounds; records of {size:.1f} KB; {page.MACHINE}."
    return page.tell("reading", asked, found, note)


if __name__ == "__main__":
    sys.exit(main())
