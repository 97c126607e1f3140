"""Rewriting whole files, while others may write to them: compressed, or without prompts and responses."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ... import jsontext
from . import arrays, disk, layout
from .arrays import Record
from .seal import CONTENT
from .writer import FileWriter

EXPIRED = "content_expired"
"""Stands in the metadata of a record whose content was removed."""

_LEVEL = 6


def compress(file: Path) -> None:
    """Put `<name>.json.gz` in the place of `<name>.json`; cut short at any moment, it can be done again."""
    packed, fresh = layout.packed(file), file.with_suffix(".tmp")
    if not packed.exists():  # else someone died just before the last line
        with file.open("rb") as source, _writing(fresh, packed=True) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        shutil.copystat(file, fresh)
        fresh.replace(packed)
    file.unlink()


def has_content(file: Path) -> bool:
    """Say whether prompts and responses are still to be removed; it looks at the first and at the last record."""
    with _reading(file) as lines:
        first = next(_of_records(lines), b"")
    # Nobody appends to what is compressed.
    last = first if _is_packed(file) else next(_of_records(arrays.lines_backwards(file)), b"")
    return bool(first) and not (_is_bare(first) and _is_bare(last))


def remove_content(writer: FileWriter, file: Path) -> bool:
    """Remove prompts and responses from all records of a file; False when someone wrote to it meanwhile."""
    before, fresh = _stamp(file), file.with_name(f"{file.name}.tmp")
    with _writing(fresh, packed=_is_packed(file)) as target:
        separator = arrays.OPEN
        for record in _records(file):
            target.write(separator + jsontext.dumps(_bare(record)))
            separator = arrays.SEPARATOR
        target.write(arrays.CLOSE if separator == arrays.SEPARATOR else b"[]\n")
    with writer.locked():
        unchanged = _stamp(file) == before
        if unchanged:
            fresh.replace(file)
    fresh.unlink(missing_ok=True)
    return unchanged


def _records(file: Path) -> Iterator[Record]:
    """Give a file's records; only one that is not a record a line is read whole."""
    with _reading(file) as lines:
        is_ours = all(arrays.record(line) is not None for line in _of_records(lines))
    with _reading(file) as lines:
        if not is_ours:
            yield from arrays.records(lines.read())[0]
            return
        for line in _of_records(lines):
            yield arrays.record(line) or {}


def _bare(record: Record) -> Record:
    metadata = record.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    return record | {key: None for key in CONTENT if key in record} | {"metadata": {**known, EXPIRED: True}}


def _is_bare(line: bytes) -> bool:
    metadata = (arrays.record(line) or {}).get("metadata")
    return isinstance(metadata, dict) and metadata.get(EXPIRED) is True


def _of_records(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line for line in lines if not arrays.is_frame(line))


def _is_packed(file: Path) -> bool:
    return file.suffix == ".gz"


def _reading(file: Path) -> IO[bytes]:
    return gzip.open(file) if _is_packed(file) else file.open("rb")  # type: ignore[return-value]


@contextmanager
def _writing(file: Path, *, packed: bool) -> Iterator[IO[bytes]]:
    """Write a new file, which is on the disk when this is over: it is to take another one's place."""
    disk.create(file)
    with file.open("r+b") as target:
        if packed:
            with gzip.GzipFile("", "wb", _LEVEL, target) as packing:
                yield packing  # type: ignore[misc]
        else:
            yield target
        target.flush()
        os.fsync(target.fileno())


def _stamp(file: Path) -> tuple[int, int, int]:
    state = file.stat()
    return state.st_ino, state.st_mtime_ns, state.st_size
