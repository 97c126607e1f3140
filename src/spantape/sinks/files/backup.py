"""A copy of everything that was recorded, of one moment, while recording goes on."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, NamedTuple

from ...errors import SpantapeError
from . import arrays, layout
from .catalog import Catalog
from .lock import locked

_WAIT = 10.0
_TRIES = 10
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


class _Moment(NamedTuple):
    """What there was at the moment of the copy."""

    marks: dict[Path, _Mark]
    """The files that grow."""
    others: list[Path]


def backup(base_dir: Path, target: Path) -> Backup:
    """Copy what was recorded below `base_dir` into a new folder, which is there whole or not at all.

    Recording has to wait only while the ends of the files are looked up; files are copied up to there. What is moved to
    the archive meanwhile is copied from there, to where it was.

    Raises:
        SpantapeError: There is nothing to copy, or something at `target`, or it lies in what is to be copied.
        OSError: Something can't be read or written.
    """
    _refuse(base_dir, target)
    fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        fresh.mkdir(mode=0o700, parents=True)
        moment = _moment(base_dir)
        copied = [*_growing(base_dir, fresh, moment), *_others(base_dir, fresh, moment)]
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


def _moment(base_dir: Path) -> _Moment:
    with ExitStack() as stack:
        if (base_dir / layout.lock_file()).exists():
            with suppress(PermissionError):  # a copy that nobody can write to
                stack.enter_context(locked(base_dir / layout.lock_file(), _WAIT))
        for _ in range(_TRIES):
            files = _files(base_dir)
            marks = {path: _mark(base_dir / path) for path in files if path.parts[0] in _GROWING}
            if None not in marks.values():
                break
        known = {path: mark for path, mark in marks.items() if mark is not None}
        return _Moment(known, [path for path in files if path.parts[0] not in _GROWING])


def _growing(base_dir: Path, fresh: Path, moment: _Moment) -> Iterator[int]:
    catalog, archived = Catalog(base_dir), {_stem(path) for path in moment.others}
    for path, mark in moment.marks.items():
        with suppress(FileNotFoundError):
            source, end = _source(catalog, path, mark, archived)
            with source:
                with _private(fresh, path) as copy:
                    _copy_array(source, copy, end)
                yield _finished(source, fresh / path)


def _source(catalog: Catalog, path: Path, mark: _Mark, archived: set[str]) -> tuple[IO[bytes], int | None]:
    """Open a file wherever it is now, and say how far it is to be copied; raises `FileNotFoundError`."""
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):  # it is being moved, or compressed
            moved = _moved(catalog, path, archived)
            source = _opened(moved or catalog.base_dir / path)
            if moved is not None:
                return source, mark.end
            if _moved(catalog, path, archived) is None:
                same = os.fstat(source.fileno()).st_ino == mark.file  # else prompts and responses were removed from it
                return source, mark.end if same else arrays.end_of(source.fileno())
            source.close()  # it was moved just before
    raise FileNotFoundError(path)


def _moved(catalog: Catalog, path: Path, archived: set[str]) -> Path | None:
    """Give where a file is in the archive that was not there at the moment of the copy."""
    found = (file for file in catalog.files(path) if file.parent.name == layout.ARCHIVE)
    return next((file for file in found if _stem(file) not in archived), None)


def _others(base_dir: Path, fresh: Path, moment: _Moment) -> Iterator[int]:
    """Copy what is not appended to."""
    for path in moment.others:
        with suppress(FileNotFoundError):
            now, source = _packed_or_not(base_dir, path)
            with source:
                if (fresh / now).exists():  # both were there
                    continue
                with _private(fresh, now) as copy:
                    shutil.copyfileobj(source, copy, _CHUNK)
                if path.parts[0] == layout.TRACES and path.suffix == ".jsonl":
                    _end_with_a_line(fresh / path)
                yield _finished(source, fresh / now)


def _packed_or_not(base_dir: Path, path: Path) -> tuple[Path, IO[bytes]]:
    """Open a file that may have been compressed meanwhile, and say where; raises `FileNotFoundError`."""
    with suppress(FileNotFoundError):
        return path, (base_dir / path).open("rb")
    packed = layout.packed(path)
    return packed, (base_dir / packed).open("rb")


def _mark(path: Path) -> _Mark | None:
    """Look up how far a file goes; none if it is gone, because where nobody can lock it may be moved at any moment."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        return _Mark(os.fstat(file.fileno()).st_ino, arrays.end_of(file.fileno()))
    return None


def _files(base_dir: Path) -> list[Path]:
    """Give all files that hold records, as paths below the folder; ours for the moment, and what runs, are none."""
    found: list[Path] = []
    for folder, folders, names in os.walk(base_dir, onerror=_unless_gone):
        folders.sort(key=lambda name: name == layout.ARCHIVE)  # where that is seen, too, which moves just now
        found += [path for name in names if _may_hold(path := Path(folder, name))]
    return sorted(path for one in found if not _is_passing(path := one.relative_to(base_dir)))


def _may_hold(path: Path) -> bool:
    """Say whether it is a file, or was one when its folder was listed: it has another name now, and is looked for."""
    with suppress(FileNotFoundError):
        return stat.S_ISREG(path.stat().st_mode)
    return True


def _stem(archived: Path) -> str:
    return archived.name.partition(".json")[0]


def _opened(file: Path) -> IO[bytes]:
    return gzip.open(file) if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]


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
