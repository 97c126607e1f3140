"""Finding one call by its id, or how that begins, without an index: ids are looked at in lines that are not read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ...errors import QueryError
from ...filter import Filter
from . import arrays, layout
from .arrays import Record
from .catalog import Catalog
from .fold import identity

_MOST = 4 * 1024**3
_WHOLE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RECENT = re.compile(r"(last|err)(?:~(\d{1,9}))?")
_RECENTLY = {"last": Filter(), "err": Filter(status="error")}


def find(
    catalog: Catalog,
    name: str,
    latest: Callable[[Filter], Iterator[Record]],
    running: Callable[[], Sequence[Record]],
) -> Record | None:
    """Give the call that is meant by `last`, `err`, `last~2`, an id, or how one begins; None when there is none."""
    if not isinstance(name, str) or not name:
        said = "an empty id" if name == "" else f"{name!r} is no id"
        raise QueryError(f"{said}: give one, or how it begins, or `last`, `err`, `last~2` for two before the last")
    if recent := _RECENT.fullmatch(name):
        return next(islice(latest(_RECENTLY[recent[1]]), int(recent[2] or 0), None), None)
    return _with_id(catalog, name, running())


def _with_id(catalog: Catalog, start: str, running: Sequence[Record]) -> Record | None:
    """Look among the calls that run and that have ended; one may have ended since it was seen to run."""
    sought = start.encode("utf-8", "surrogatepass")
    live = {name: one for one in running if (name := str(one.get("id")).encode()).startswith(sought)}
    runs = live.get(sought)
    days = [layout.date_file(str(runs.get("timestamp"))[:10])] if runs is not None else catalog.dates()
    found: dict[bytes, bytes] = {}
    for name, line in _newest_first(catalog, days, start):
        if name.startswith(sought):
            found.setdefault(name, line)
            if name == sought and _WHOLE.fullmatch(start):
                break
            _refuse_several(start, found.keys() | live.keys())
    _refuse_several(start, found.keys() | live.keys())
    return arrays.record(next(iter(found.values()))) if found else next(iter(live.values()), None)


def _newest_first(catalog: Catalog, days: Sequence[Path], start: str) -> Iterator[tuple[bytes, bytes]]:
    left = _MOST
    for path in reversed(days):
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


def _refuse_several(start: str, names: Collection[bytes]) -> None:
    if len(names) > 1:
        listed = ", ".join(name.decode("utf-8", "replace") for name in sorted(names))
        raise QueryError(f"more than one id begins with {start!r}: {listed}; give more of it")
