"""Looking for one record by its id, or by its response's, without reading more than is needed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ... import jsontext
from . import arrays, layout
from .arrays import Record


def newest(base_dir: Path, key: str) -> Record | None:
    """Give the record that was written last for an id, looking through the days from the newest on."""
    return last(sorted((base_dir / layout.BY_DATE).glob("*.json"), reverse=True), key)


def last(files: Iterable[Path], key: str) -> Record | None:
    """Give the last record with an id in the first file that has one."""
    for file in files:
        with suppress(FileNotFoundError):
            found = _last(file, key)
            if found is not None:
                return found
    return None


def _last(file: Path, key: str) -> Record | None:
    needle = jsontext.dumps(key)
    for line in arrays.lines_backwards(file):
        record = arrays.record(line) if needle in line else None
        if record is not None and key in (record.get("id"), record.get("response_id")):
            return record
    return None
