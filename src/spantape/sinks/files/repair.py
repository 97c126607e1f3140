"""Closing the arrays that a crash has left open, without waiting for the next record."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from . import arrays, disk, layout
from .writer import FileWriter

_FOLDERS = (f"{layout.BY_SESSION}/*", layout.BY_DATE, layout.ERRORS, layout.ARCHIVE)


def repair(base_dir: Path) -> list[Path]:
    """Make each file a whole array again that is torn at its end; gives those that were, below the folder.

    Not one whole record is lost by that. What is no array at all is left as it is. Raises `OSError`.
    """
    torn: list[Path] = []
    if base_dir.is_dir():
        writer = FileWriter(base_dir)
        for file in sorted(file for folder in _FOLDERS for file in base_dir.glob(f"{folder}/*.json")):
            with writer.locked(), suppress(FileNotFoundError, IsADirectoryError):
                torn += [file.relative_to(base_dir)] if _is_repaired(file) else []
    return torn


def _is_repaired(file: Path) -> bool:
    with disk.opened(file) as opened:
        end = arrays.end_of(opened)
        if end is None or _is_whole(file, end):
            return False
        disk.overwrite(opened, end, [arrays.CLOSE if end else b"[]\n"])
        return True


def _is_whole(file: Path, end: int) -> bool:
    with file.open("rb") as opened:
        opened.seek(end)
        return b"".join(opened.read().split()) == (b"]" if end else b"[]")
