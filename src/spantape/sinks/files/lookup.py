"""Looking for the newest record of a call, by its id or its response's, in files and archives from the end on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ... import jsontext
from . import arrays
from .arrays import Record
from .catalog import Catalog

_MOST = 4 * 1024**3


def newest(base_dir: Path, key: str) -> Record | None:
    """Give the record that was written last, looking through the days from the newest on, through 4 GB at most."""
    catalog = Catalog(base_dir)
    return last(catalog, reversed(catalog.dates()), key)


def last(catalog: Catalog, paths: Iterable[Path], key: str) -> Record | None:
    """Give the last record in the first file that has one."""
    needle, left = jsontext.dumps(key), _MOST
    for path in paths:
        with catalog.opened(path) as files:
            for line in (line for lines in reversed(files) for line in lines.backwards()):
                left -= len(line)
                record = arrays.record(line) if needle in line else None
                if record is not None and key in (record.get("id"), record.get("response_id")):
                    return record
                if left < 0:
                    return None
    return None
