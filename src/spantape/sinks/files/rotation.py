"""Moving a file that has grown too large to `archive/`, so that the next record begins a new one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from . import arrays, disk, layout


def rotate(base_dir: Path, path: Path) -> bool:
    """Move a file (given below `base_dir`) to the archive, as a whole array; to be called under the folder's lock.

    False when there is nothing in it. It is compressed later, by upkeep: nobody who records has to wait for that.
    """
    with disk.opened(base_dir / path) as file:
        end = arrays.end_of(file)
        if not end:
            return False  # nothing in it, or no array: the append that follows knows what to do
        disk.overwrite(file, end, [arrays.CLOSE])
    disk.folder(base_dir / layout.ARCHIVE, base_dir)
    (base_dir / path).rename(next(_free_names(base_dir, path)))
    return True


def _free_names(base_dir: Path, path: Path) -> Iterator[Path]:
    """Give names that nobody has: clocks go backwards, and no archive may be replaced."""
    while True:
        packed = base_dir / layout.archive_file(path, f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S%f}Z")
        plain = packed.with_suffix("")
        if not packed.exists() and not plain.exists():
            yield plain
