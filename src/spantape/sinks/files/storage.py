"""How many files there are of each kind, and how large they are."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from ... import jsontext
from . import layout
from .summaries import keep

Storage: TypeAlias = dict[str, dict[str, int]]

NAME = "storage"

_KINDS = (layout.BY_SESSION, layout.BY_DATE, layout.ERRORS, layout.REAL_TIME, layout.ARCHIVE, layout.TRACES)
_LONG = 0.05
_FOR = 200


def info(base_dir: Path) -> Storage:
    """Give number and size of the files of each kind.

    It takes long with many sessions: then the answer holds, for other processes too, for 200 times as long as it took.
    """
    known = _known(base_dir / layout.SUMMARIES / NAME)
    if known is not None:
        return known
    now, began = time.time(), time.perf_counter()
    found = {kind: _sum(base_dir / kind) for kind in _KINDS}
    took = time.perf_counter() - began
    if took > _LONG:
        keep(base_dir / layout.SUMMARIES, NAME, jsontext.dumps({"from": now, "to": now + took * _FOR, "info": found}))
    return found


def _known(file: Path) -> Storage | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = jsontext.loads(file.read_bytes())
        if kept["from"] <= time.time() < kept["to"]:  # clocks go backwards, too
            found: Storage = kept["info"]
            return found
    return None


def _sum(folder: Path) -> dict[str, int]:
    sizes = list(_sizes(str(folder)))
    return {"count": len(sizes), "size": sum(sizes)}


def _sizes(folder: str) -> Iterator[int]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".json", ".json.gz", ".jsonl")):
                with suppress(FileNotFoundError):  # it may be moved to the archive at this moment
                    yield entry.stat().st_size
            elif entry.is_dir(follow_symlinks=False):
                yield from _sizes(entry.path)
