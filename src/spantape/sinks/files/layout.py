"""Where a record goes: pure functions from what is known of a call to a path under the base folder.

by_session/session_<id>/<date>.json     by_date/<date>_all_interactions.json     errors/<date>_errors.json
real_time/latest.json                   archive/<name>_<timestamp>.json.gz (.json until it is compressed)
real_time/processes/<pid>-<random>.calls   what runs in that process, as long as it has .lock locked
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from datetime import date as Date  # noqa: N812 - `date` is the name of the parameter everywhere
from functools import lru_cache
from pathlib import Path

from ...errors import QueryError

BY_SESSION, BY_DATE, ERRORS, REAL_TIME, ARCHIVE = "by_session", "by_date", "errors", "real_time", "archive"
TRACES = "traces"
"""Whole spans, which another sink writes; they are kept in order, counted and copied with the rest."""
SUMMARIES = ".summaries"

_PLAIN = re.compile(r"[\w.-]{1,80}")
_UNSAFE = re.compile(r"[^\w.-]+")


def session_folder(session_id: str | int | None) -> Path:
    """Give a session's folder: one safe path segment, whatever the id is.

    Where file names ignore case, ids that differ only in it share a folder; readers look at the id in the record.
    """
    if session_id is None or session_id == "":
        return Path(BY_SESSION, "no_session")
    return Path(BY_SESSION, f"session_{_segment(str(session_id))}")


def session_file(session_id: str | int | None, date: str) -> Path:
    """Give the file of a session's calls of one day."""
    return session_folder(session_id) / f"{date}.json"


@lru_cache(maxsize=8)
def date_file(date: str) -> Path:
    """Give the file of all calls of one day."""
    return Path(BY_DATE, f"{date}_all_interactions.json")


def error_file(date: str) -> Path:
    """Give the file of the failed calls of one day."""
    return Path(ERRORS, f"{date}_errors.json")


def latest_file() -> Path:
    """Give the file of what runs now and what finished last."""
    return Path(REAL_TIME, "latest.json")


@lru_cache(maxsize=1024, typed=True)
def files(session_id: str | int | None, date: str, failed: bool) -> tuple[Path, ...]:
    """Give the files that an ended call belongs in."""
    found = session_file(session_id, date), date_file(date)
    return (*found, error_file(date)) if failed else found


def processes_folder() -> Path:
    """Give the folder where each process says which calls it runs."""
    return Path(REAL_TIME, "processes")


def upkeep_file() -> Path:
    """Give the file that stands for the right to tidy up; its time is that of the last tidying."""
    return Path(".upkeep")


def lock_file() -> Path:
    """Give the file that stands for the right to write to any of the others."""
    return Path(".lock")


def archive_file(file: Path, timestamp: str) -> Path:
    """Give the archive's name for a file that has grown too large; the session's folder is part of it."""
    parts = file.with_suffix("").parts
    return Path(ARCHIVE, f"{'_'.join(parts[1:])}_{timestamp}.json.gz")


def packed(archived: Path) -> Path:
    """Give the name of a file of the archive when it is compressed."""
    return archived.with_suffix(".json.gz")


def day(value: str) -> str:
    """Check a date given by a user; raises `QueryError` unless it is YYYY-MM-DD."""
    with suppress(ValueError, TypeError):
        if Date.fromisoformat(value).isoformat() == value:
            return value
    raise QueryError(f"{value!r} is no date: give it as YYYY-MM-DD, like 2026-11-21")


def _segment(session_id: str) -> str:
    if _PLAIN.fullmatch(session_id) and not session_id.endswith(".") and len(session_id.encode()) <= 200:
        return session_id
    digest = hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    readable = _UNSAFE.sub("_", session_id).strip("._")[:40]
    return f"{readable}~{digest}"  # no id that is used as it is has a `~`
