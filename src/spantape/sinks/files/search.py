"""Finding one call by its id, or how that begins, without an index: ids are looked at in lines that are not read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

from ...errors import QueryError
from ...filter import Filter
from . import arrays
from .arrays import Record
from .catalog import Catalog
from .fold import identity

_MOST = 4 * 1024**3
_WHOLE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RECENT = re.compile(r"(last|err)(?:~(\d{1,9}))?")
_RECENTLY = {"last": Filter(), "err": Filter(status="error")}


def find(catalog: Catalog, name: str, latest: Callable[[Filter], Iterator[Record]]) -> Record | None:
    """Give the call that is meant by `last`, `err`, `last~2`, an id, or how one begins; None when there is none."""
    if recent := _RECENT.fullmatch(name):
        return next(islice(latest(_RECENTLY[recent[1]]), int(recent[2] or 0), None), None)
    if not name:
        raise QueryError("an empty id: give one, or how it begins, or `last`, `err`, `last~2` for two before the last")
    return _with_id(catalog, name)


def _with_id(catalog: Catalog, start: str) -> Record | None:
    sought = start.encode("utf-8", "surrogatepass")
    found: dict[bytes, bytes] = {}
    for name, line in _newest_first(catalog, start):
        if name.startswith(sought):
            found.setdefault(name, line)
            if name == sought and _WHOLE.fullmatch(start):
                break
            if len(found) > 1:
                raise QueryError(f"more than one id begins with {start!r}: {_listed(found)}; give more of it")
    return arrays.record(next(iter(found.values()))) if found else None


def _newest_first(catalog: Catalog, start: str) -> Iterator[tuple[bytes, bytes]]:
    left = _MOST
    for path in reversed(catalog.dates()):
        with catalog.opened(path) as files:
            for line in (line for lines in reversed(files) for line in lines.backwards()):
                left -= len(line)
                if left < 0:
                    raise QueryError(
                        f"no id in the newest {_MOST >> 30} GB begins with {start!r}: look by date instead"
                    )
                name = identity(line)
                if name is not None:
                    yield name, line


def _listed(found: dict[bytes, bytes]) -> str:
    return ", ".join(name.decode("utf-8", "replace") for name in found)
