"""`Marks`: up to where each file was sent to a place, written down before it is sent."""

from __future__ import annotations

import os
from pathlib import Path

from ... import jsontext

FILE = ".pushed.json"


class Marks:
    """The offsets behind the last lines that were sent to one address."""

    def __init__(self, folder: Path, address: str) -> None:
        self._path, self._address = folder / FILE, address
        self._all = _read(self._path)
        self._all[address] = {name: end for name, end in self._mine().items() if (folder / name).exists()}

    def of(self, name: str) -> int:
        """Give how much of a file was sent."""
        offset = self._mine().get(name)
        return offset if isinstance(offset, int) else 0

    def put(self, name: str, offset: int) -> None:
        """Say how much of a file was sent, for every process that comes after; raises `OSError`."""
        self._all[self._address] = {**self._mine(), name: offset}
        fresh = self._path.with_suffix(".tmp")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(jsontext.dumps(self._all))
        fresh.replace(self._path)

    def _mine(self) -> dict[str, object]:
        mine = self._all.get(self._address)
        return mine if isinstance(mine, dict) else {}


def _read(path: Path) -> dict[str, object]:
    found = jsontext.loads_or(path.read_bytes()) if path.exists() else None
    return found if isinstance(found, dict) else {}
