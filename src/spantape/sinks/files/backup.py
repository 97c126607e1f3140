"""A copy of everything that was recorded, of one moment, while recording goes on."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, NamedTuple

from ...errors import SpantapeError
from . import arrays, layout
from .lock import locked

_WAIT = 10.0
_CHUNK = 1024 * 1024
_GROWING = (layout.BY_SESSION, layout.BY_DATE, layout.ERRORS)


class Backup(NamedTuple):
    """What was copied."""

    path: Path
    files: int
    bytes: int


class _Mark(NamedTuple):
    """How far a file went at the moment of the copy; what follows came later."""

    file: int
    end: int | None


def backup(base_dir: Path, target: Path) -> Backup:
    """Copy what was recorded below `base_dir` into a new folder, which is there whole or not at all.

    Recording has to wait only while the ends of the files are looked up; files are copied up to there. What is moved to
    the archive meanwhile is copied from there.

    Raises:
        SpantapeError: There is nothing to copy, or something at `target`, or it lies in what is to be copied.
        OSError: Something can't be read or written.
    """
    _refuse(base_dir, target)
    fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        fresh.mkdir(mode=0o700, parents=True)
        copied = [*_growing(base_dir, fresh), *_others(base_dir, fresh)]
        if target.exists():  # an empty folder
            target.rmdir()
        fresh.replace(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Backup(target, len(copied), sum(copied))


def _refuse(base_dir: Path, target: Path) -> None:
    if not base_dir.is_dir():
        raise SpantapeError(f"there is nothing recorded in {base_dir}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise SpantapeError(f"{target} is there already: give a new folder, or an empty one")
    if target.resolve().is_relative_to(base_dir.resolve()):
        raise SpantapeError(f"{target} lies in the folder that is to be copied: give one outside {base_dir}")


def _growing(base_dir: Path, fresh: Path) -> Iterator[int]:
    for path, mark in _marks(base_dir).items():
        with suppress(FileNotFoundError), (base_dir / path).open("rb") as source:
            same = os.fstat(source.fileno()).st_ino == mark.file
            with _private(fresh, path) as copy:
                _copy_array(source, copy, mark.end if same else arrays.end_of(source.fileno()))
            yield _finished(source, fresh / path)


def _others(base_dir: Path, fresh: Path) -> Iterator[int]:
    """Copy what is not appended to, and what was archived while the rest was copied."""
    done: set[Path] = set()
    while left := [path for path in _files(base_dir) if path.parts[0] not in _GROWING and path not in done]:
        done.update(left)
        for path in left:
            with suppress(FileNotFoundError), (base_dir / path).open("rb") as source:
                with _private(fresh, path) as copy:
                    shutil.copyfileobj(source, copy, _CHUNK)
                if path.parts[0] == layout.TRACES and path.suffix == ".jsonl":
                    _end_with_a_line(fresh / path)
                yield _finished(source, fresh / path)


def _marks(base_dir: Path) -> dict[Path, _Mark]:
    with ExitStack() as stack:
        if (base_dir / layout.lock_file()).exists():
            with suppress(PermissionError):  # a copy that nobody can write to
                stack.enter_context(locked(base_dir / layout.lock_file(), _WAIT))
        growing = [path for path in _files(base_dir) if path.parts[0] in _GROWING]
        return {path: mark for path in growing if (mark := _mark(base_dir / path))}


def _mark(path: Path) -> _Mark | None:
    """Look up how far a file goes; none if it is gone, because where nobody can lock it may be moved at any moment."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        return _Mark(os.fstat(file.fileno()).st_ino, arrays.end_of(file.fileno()))
    return None


def _files(base_dir: Path) -> list[Path]:
    """Give all files that hold records, as paths below the folder; ours for the moment, and what runs, are none."""
    walked = os.walk(base_dir, onerror=_unless_gone)
    found = (path for folder, _, names in walked for name in names if (path := Path(folder, name)).is_file())
    return sorted(path for one in found if not _is_passing(path := one.relative_to(base_dir)))


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _is_passing(path: Path) -> bool:
    return path.parts[0].startswith(".") or path.suffix in {".tmp", ".lock"} or path.parts[0] == layout.REAL_TIME


def _copy_array(source: IO[bytes], copy: IO[bytes], end: int | None) -> None:
    source.seek(0)
    if end is None:  # no array: someone may make something of it
        shutil.copyfileobj(source, copy, _CHUNK)
        return
    left = end
    while chunk := source.read(min(left, _CHUNK)):
        left -= len(chunk)
        copy.write(chunk)
    copy.write(arrays.CLOSE if end else b"[]\n")


def _end_with_a_line(copy: Path) -> None:
    """Take away a line that was being written while it was copied."""
    torn = next(arrays.lines_backwards(copy), b"")
    os.truncate(copy, copy.stat().st_size - len(torn))


def _finished(source: IO[bytes], copy: Path) -> int:
    """Give a copy the time of its original, by which upkeep judges; gives its size."""
    state = os.fstat(source.fileno())
    os.utime(copy, ns=(state.st_atime_ns, state.st_mtime_ns))
    return copy.stat().st_size


def _private(fresh: Path, path: Path) -> IO[bytes]:
    for folder in reversed(path.parents):
        (fresh / folder).mkdir(mode=0o700, exist_ok=True)
    (fresh / path).touch(mode=0o600, exist_ok=False)
    return (fresh / path).open("wb")
