"""Which calls run in which process: how those are found again whose process died.

Each process that has calls running keeps a list of them in `real_time/processes/`, beside a file that it has locked.
The operating system gives that lock back when the process dies, however it dies; who then gets it settles the list.
All of it happens under the folder's lock.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from ... import jsontext
from . import arrays, disk, layout
from .arrays import Record
from .catalog import Catalog
from .fold import identity
from .lock import hold, let_go
from .writer import FileWriter

INTERRUPTED = "interrupted"

_LOCK, _CALLS = ".lock", ".calls"
_WAIT = 2.0


class Presence:
    """This process's own list; it is there while calls run."""

    def __init__(self, writer: FileWriter) -> None:
        self._writer = writer
        self.forget()

    def forget(self) -> None:
        """Start anew, in a forked child: the list is the parent's."""
        self._lock: IO[bytes] | None = None
        self.calls = layout.processes_folder() / f"{os.getpid()}-{uuid.uuid4().hex[:8]}{_CALLS}"
        """The path of the list."""

    def tell(self, lines: Sequence[bytes]) -> None:
        """Say which calls run now."""
        if lines:
            self._arrive()
            self._writer.replace(self.calls, lines)
        elif self._lock is not None:
            self._leave(self._lock)

    def _arrive(self) -> None:
        path = self._writer.base_dir / self.calls.with_suffix(_LOCK)
        if self._lock is not None and not path.exists():  # somebody has deleted the folder
            let_go(self._lock)
            self._lock = None
        if self._lock is None:
            disk.folder(path.parent, self._writer.base_dir)
            disk.create(path)
            self._lock = hold(path)

    def _leave(self, lock: IO[bytes]) -> None:
        path = self._writer.base_dir / self.calls
        path.unlink(missing_ok=True)
        let_go(lock)  # first: Windows deletes no open file
        path.with_suffix(_LOCK).unlink(missing_ok=True)
        self._lock = None


def lists(base_dir: Path) -> list[Path]:
    """Give the lists of all processes."""
    return sorted((base_dir / layout.processes_folder()).glob(f"*{_CALLS}"))


def settle(base_dir: Path) -> int:
    """Record the calls as interrupted whose process died; gives how many those were.

    Costs next to nothing when there are none. What can't be written now is found the next time.
    """
    found = 0
    with suppress(OSError):
        if any((base_dir / layout.processes_folder()).iterdir()):
            writer = FileWriter(base_dir)
            with writer.locked(_WAIT):
                found = settle_within(writer)
    return found


def settle_within(writer: FileWriter) -> int:
    """Do the same inside `writer.locked()`; raises `OSError`."""
    settled: dict[str, Record] = {}
    for path in sorted((writer.base_dir / layout.processes_folder()).glob(f"*{_LOCK}")):
        try:
            lock = hold(path)
        except OSError:  # its process lives
            continue
        try:
            calls = path.with_suffix(_CALLS)
            settled |= {record["id"]: record for record in _written(writer, list(_read(calls)), calls)}
            calls.unlink(missing_ok=True)
            calls.with_suffix(".tmp").unlink(missing_ok=True)  # it died while it wrote the list
        finally:
            let_go(lock)
        path.unlink(missing_ok=True)
    if settled:
        _show(writer, settled)
    return len(settled)


def _read(calls: Path) -> Iterator[Record]:
    with suppress(FileNotFoundError):
        for record in arrays.records(calls.read_bytes())[0]:
            if isinstance(record.get("id"), str) and "timestamp" in record:
                yield interrupted(record)


def interrupted(record: Record) -> Record:
    """Give the record of a running call as it is when its process is gone."""
    metadata = record.get("metadata") or {}
    message = f"process {metadata.get('pid')} ended while the call ran"
    return record | {
        "success": False,
        "error_message": message,
        "error": {"type": INTERRUPTED, "message": message},
        "status": INTERRUPTED,
        "metadata": {**metadata, "stage": INTERRUPTED},
    }


def _written(writer: FileWriter, records: Sequence[Record], calls: Path) -> Iterator[Record]:
    """Write records where they are not yet, and give them; not those of calls that had ended by then.

    Each file is looked through once, however many there are: everybody who records waits for this.
    """
    places = {record["id"]: _places(record) for record in records}
    wanted: dict[Path, set[bytes]] = {}
    for key, paths in places.items():
        for path in paths:
            wanted.setdefault(path, set()).add(key.encode())
    catalog = Catalog(writer.base_dir)
    stages = {path: _stages_in(catalog, path, keys, calls) for path, keys in wanted.items()}
    missing: dict[Path, list[bytes]] = {}
    for record in records:
        key, first = record["id"].encode(), places[record["id"]][0]
        if stages[first].get(key, INTERRUPTED) == INTERRUPTED:
            for path in places[record["id"]]:
                if key not in stages[path]:
                    missing.setdefault(path, []).append(jsontext.dumps(record))
            yield record
    for path, lines in missing.items():
        writer.append(path, lines)


def _places(record: Record) -> tuple[Path, ...]:
    return layout.files(record.get("session_id"), str(record["timestamp"])[:10], True)


def _stages_in(catalog: Catalog, path: Path, ids: set[bytes], calls: Path) -> dict[bytes, str]:
    """Give the stages of records in a file, and in what has been archived of it since the list was written."""
    since, live = calls.stat().st_mtime - 60, catalog.base_dir / path
    found: dict[bytes, str] = {}
    with catalog.opened(path) as files:
        new = (lines for lines in reversed(files) if lines.path == live or lines.state().st_mtime >= since)
        for line in (line for lines in new for line in lines.backwards()):
            name = identity(line)
            if name in ids and name not in found:
                found[name] = str(((arrays.record(line) or {}).get("metadata") or {}).get("stage", ""))
    return found


def _show(writer: FileWriter, settled: dict[str, Record]) -> None:
    """Say in `latest.json`, too, that these calls don't run any more."""
    with suppress(FileNotFoundError):
        shown = arrays.records((writer.base_dir / layout.latest_file()).read_bytes())[0]
        lines = [jsontext.dumps(settled.get(str(record.get("id")), record)) for record in shown]
        writer.replace(layout.latest_file(), lines)
