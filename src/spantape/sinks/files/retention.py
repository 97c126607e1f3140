"""What is to go, and why: pure functions from what is on disk and the rules to the steps to take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date as Date  # noqa: N812 - `date` is the name of the parameter everywhere
from pathlib import Path
from typing import NamedTuple

from ...settings import Settings
from . import layout

DELETE, COMPRESS, STRIP = "delete", "compress", "remove content"

_DATED = re.compile(r"\.?(\d{4}-\d\d-\d\d)(?=\D)")
_ARCHIVED = re.compile(r"(?:.*_)?(\d{4}-\d\d-\d\d)(?:_all_interactions|_errors)?_\d{8}T\d+Z\.")


class Kept(NamedTuple):
    """A file with records, and what else lies beside it under its name."""

    path: Path
    """Below the base folder."""
    folder: str
    """The first part of the path: `by_session`, `by_date`, `errors`, `archive` or `traces`."""
    date: str
    """The day that its calls started on."""
    size: int


class Step(NamedTuple):
    """One thing that is done to one file."""

    path: str
    """Below the base folder."""
    action: str
    """`delete`, `compress` or `remove content`."""
    reason: str
    """Why, in words."""
    bytes: int
    """How large the file is before."""


def kept(base_dir: Path) -> list[Kept]:
    """Give all files that upkeep may touch; what has no day in its name is not ours, and stays."""
    found = [
        *_dated(base_dir, layout.BY_SESSION, "*/*", _DATED),
        *_dated(base_dir, layout.BY_DATE, "*", _DATED),
        *_dated(base_dir, layout.ERRORS, "*", _DATED),
        *_dated(base_dir, layout.ARCHIVE, "*", _ARCHIVED),
        *_dated(base_dir, layout.TRACES, "*", _DATED),
    ]
    return sorted(found, key=lambda file: (file.date, file.folder != layout.ARCHIVE, file.path))


def steps(files: Iterable[Kept], settings: Settings, today: Date) -> list[Step]:
    """Give what is to be deleted, the oldest first: what is too old, then what is too much."""
    left = list(files)
    found: list[Step] = []
    for rule in (_too_old, _too_much_archive, _too_much):
        gone = list(rule(left, settings, today))
        found += gone
        paths = {step.path for step in gone}
        left = [file for file in left if file.path.as_posix() not in paths]
    return found


def without_content(files: Iterable[Kept], settings: Settings, today: Date) -> list[Kept]:
    """Give the files whose prompts and responses are too old."""
    days = settings.content_retention_days
    first = _first_day(today, days) if days is not None else ""
    return [file for file in files if file.date < first and file.path.name.endswith((".json", ".json.gz"))]


def forgotten(base_dir: Path, files: Iterable[Kept]) -> Iterator[Step]:
    """Give what was counted of days that no file is left of."""
    days = {file.date for file in files if "_all_interactions" in file.path.name}
    for path in sorted((base_dir / layout.SUMMARIES).glob("????-??-??")):
        if path.name not in days:
            yield Step(path.relative_to(base_dir).as_posix(), DELETE, "its day is gone", path.stat().st_size)


def _dated(base_dir: Path, folder: str, pattern: str, name: re.Pattern[str]) -> Iterator[Kept]:
    for path in (base_dir / folder).glob(pattern):
        found = name.match(path.name)
        if found and path.is_file() and not path.is_symlink():
            yield Kept(path.relative_to(base_dir), folder, found[1], path.stat().st_size)


def _too_old(files: list[Kept], settings: Settings, today: Date) -> Iterator[Step]:
    days = {
        layout.BY_SESSION: settings.retention_days,
        layout.BY_DATE: settings.date_retention_days,
        layout.ERRORS: settings.error_retention_days,
        # Their lines are pushed from where the last push stopped, so content can't be taken out: the whole file goes.
        layout.TRACES: min(
            settings.date_retention_days, settings.content_retention_days or settings.date_retention_days
        ),
    }
    first = {folder: _first_day(today, count) for folder, count in days.items()}
    for file in files:
        if file.date < first.get(file.folder, ""):
            yield _gone(file, f"older than {days[file.folder]} days")


def _too_much_archive(files: list[Kept], settings: Settings, today: Date) -> Iterator[Step]:  # noqa: ARG001 - one shape
    archive = [file for file in files if file.folder == layout.ARCHIVE]
    yield from _beyond(settings.archive_max_bytes, archive, archive, "archive_max_bytes")


def _too_much(files: list[Kept], settings: Settings, today: Date) -> Iterator[Step]:
    before = [file for file in files if file.date < today.isoformat()]
    yield from _beyond(settings.max_total_bytes, files, before, "max_total_bytes")


def _beyond(most: int | None, files: list[Kept], expendable: list[Kept], setting: str) -> Iterator[Step]:
    excess = sum(file.size for file in files) - most if most is not None else 0
    for file in expendable:
        if excess <= 0:
            return
        excess -= file.size
        yield _gone(file, f"more than {setting}")


def _gone(file: Kept, reason: str) -> Step:
    return Step(file.path.as_posix(), DELETE, reason, file.size)


def _first_day(today: Date, days: int) -> str:
    """Give the first day that stays, with `today` being the last one."""
    return Date.fromordinal(max(1, today.toordinal() - days)).isoformat()
