"""Recordings as they are on disk, after anything that may happen to them; written without any code of ours."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

DAY = "2026-11-21"

_moments = itertools.count()


def record(name: str, at: str = f"{DAY}T12:00:00.000000+00:00", **more: Any) -> dict[str, Any]:
    return {"id": name, "timestamp": at, "session_id": "5", "success": True, "metadata": {"stage": "completed"}, **more}


def line(one: dict[str, Any]) -> bytes:
    return json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode()


def by_date(day: str = DAY) -> Path:
    return Path("by_date", f"{day}_all_interactions.json")


def by_session(session: str = "5", day: str = DAY) -> Path:
    return Path("by_session", f"session_{session}", f"{day}.json")


def write(file: Path, *records: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"[\n" + b",\n".join(map(line, records)) + b"\n]\n")
    return file


def append(file: Path, *records: dict[str, Any]) -> Path:
    """Write behind the last record, over the closing bracket."""
    if not file.exists():
        return write(file, *records)
    with file.open("r+b") as opened:
        opened.seek(-3, os.SEEK_END)
        opened.write(b"".join(b",\n" + line(one) for one in records) + b"\n]\n")
    return file


def rotate(base_dir: Path, path: Path) -> Path:
    """Move a file to the archive."""
    moment = f"20261121T12{next(_moments):010}Z"
    archived = base_dir / "archive" / f"{'_'.join(path.with_suffix('').parts[1:])}_{moment}.json"
    archived.parent.mkdir(parents=True, exist_ok=True)
    (base_dir / path).rename(archived)
    return archived


def compress(file: Path) -> Path:
    packed = file.with_suffix(".json.gz")
    packed.write_bytes(gzip.compress(file.read_bytes(), 1))
    shutil.copystat(file, packed)
    file.unlink()
    return packed


def names(records: Any) -> list[str]:
    return [one["id"] for one in records]
