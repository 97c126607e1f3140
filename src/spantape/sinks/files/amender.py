"""`Amender`: records as they are after amendments, which may come before the call's own record."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from ...amendment import Amendment
from ...jsontext import Json
from . import layout, lookup
from .catalog import Catalog

_MOST = 1000


class Amender:
    """Finds what is amended in the files of the call; what isn't there yet is amended when it comes.

    With `keeps_all`, what isn't there is on its way, or was written elsewhere: it has a record all the same.
    """

    def __init__(self, base_dir: Path, *, keeps_all: bool) -> None:
        self._keeps_all = keeps_all
        self._catalog = Catalog(base_dir)
        self._early: OrderedDict[str, list[Amendment]] = OrderedDict()

    def amended(self, amendment: Amendment) -> dict[str, Json] | None:
        """Give the record that takes the place of the one on disk; None for a call that may have none."""
        date = amendment.timestamp[:10]
        places = layout.session_file(amendment.session_id, date), layout.date_file(date)
        record = lookup.last(self._catalog, places, amendment.id)
        if record is not None:
            return amendment.applied(record)
        self._early.setdefault(amendment.id, []).append(amendment)
        if len(self._early) > _MOST:
            self._early.popitem(last=False)
        return amendment.alone() if self._keeps_all else None

    def record(self, record: dict[str, Json]) -> dict[str, Json]:
        """Give the record of a call that has ended, with what was said of it before."""
        for amendment in self._early.pop(record["id"], ()) if self._early else ():
            record = amendment.applied(record)
        return record
