"""Keeping the folder in order: by itself, at most hourly, one process at a time; or when someone asks for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date as Date  # noqa: N812 - `date` is the name of the parameter everywhere
from pathlib import Path

from ...errors import SpantapeError
from ...guard import guard
from ...settings import Settings
from .. import _forks
from . import archive, disk, layout, retention
from .lock import hold, let_go
from .retention import Step
from .writer import FileWriter

_EVERY = 3600.0
_LOOK_EVERY = 60.0
_PATIENCE, _FORCED_PATIENCE = 10.0, 3600.0


class Upkeep:
    """Tidies up in a thread of its own, which is there only while there is something to do."""

    def __init__(self, writer: FileWriter, settings: Settings) -> None:
        self._writer, self._settings = writer, settings
        self.after_fork_in_child()
        _forks.follow(self)

    def after_fork_in_child(self) -> None:
        """Have no thread."""
        self._thread: threading.Thread | None = None
        self._next = 0.0
        self._packed = self._writer.rotations

    def look(self) -> None:
        """Start the thread if it is time, or if there is something to compress; costs nothing else."""
        if self._settings.upkeep and self._has_work() and not (self._thread and self._thread.is_alive()):
            self._thread = threading.Thread(target=self._run, name="spantape-upkeep", daemon=True)
            self._thread.start()

    def _has_work(self) -> bool:
        if self._packed != self._writer.rotations:
            return True
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + _LOOK_EVERY
        return is_due(self._writer.base_dir)

    def _run(self) -> None:
        # What fails today is for the next time: the disk may be full, or another process at it.
        with guard, suppress(OSError), alone(self._writer):
            if is_due(self._writer.base_dir):
                (self._writer.base_dir / layout.upkeep_file()).touch()
                tidy(self._writer, self._settings)
            while self._packed != self._writer.rotations:
                self._packed = self._writer.rotations
                _do(self._writer, _compressions(retention.kept(self._writer.base_dir)))


def cleanup(base_dir: Path, settings: Settings, *, dry_run: bool = False, force: bool = False) -> list[Step]:
    """Tidy up now; gives what was done, or with `dry_run` what would be.

    Raises:
        SpantapeError: Another process is tidying up; `force` waits for it.
    """
    writer = FileWriter(base_dir, settings)
    if dry_run or not base_dir.is_dir():
        return plan(base_dir, settings)
    try:
        with alone(writer, _FORCED_PATIENCE if force else _PATIENCE):
            return tidy(writer, settings)
    except TimeoutError:
        raise SpantapeError(f"another process is tidying up {base_dir}: try later, or wait with force=True") from None


def plan(base_dir: Path, settings: Settings) -> list[Step]:
    """Give what there is to do at this moment."""
    today = Date.today()
    files = retention.kept(base_dir)
    gone = retention.steps(files, settings, today)
    paths = {step.path for step in gone}
    left = [file for file in files if file.path.as_posix() not in paths]
    expired = [
        Step(file.path.as_posix(), retention.STRIP, f"older than {settings.content_retention_days} days", file.size)
        for file in retention.without_content(left, settings, today)
        if archive.has_content(base_dir / file.path)
    ]
    return [*gone, *retention.forgotten(base_dir, left), *expired, *_compressions(left)]


def tidy(writer: FileWriter, settings: Settings) -> list[Step]:
    """Do it; gives what could be done."""
    done = _do(writer, plan(writer.base_dir, settings))
    _remove_empty_folders(writer)
    return done


def is_due(base_dir: Path) -> bool:
    """Say whether the last upkeep, by whatever process, was an hour ago; a clock that went back counts as that."""
    with suppress(OSError):
        file = base_dir / layout.upkeep_file()
        return not 0 <= time.time() - file.stat().st_mtime < _EVERY
    return True


@contextmanager
def alone(writer: FileWriter, timeout: float = 0.0) -> Iterator[None]:
    """Keep other processes from tidying up; raises `TimeoutError` while one does."""
    path = writer.base_dir / layout.upkeep_file()
    with writer.locked():
        if not path.exists():
            disk.create(path)
            os.utime(path, (0, 0))  # never tidied yet
    lock = hold(path, timeout)
    try:
        yield
    finally:
        let_go(lock)


def _compressions(files: list[retention.Kept]) -> list[Step]:
    plain = [file for file in files if file.folder == layout.ARCHIVE and file.path.suffix == ".json"]
    return [Step(file.path.as_posix(), retention.COMPRESS, "archived", file.size) for file in plain]


def _do(writer: FileWriter, steps: list[Step]) -> list[Step]:
    done = []
    for step in steps:
        with suppress(FileNotFoundError), _told(step):
            if _ACTIONS[step.action](writer, writer.base_dir / step.path):
                done.append(step)
    return done


@contextmanager
def _told(step: Step) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        guard.warn_once(f"upkeep {step.action}", "spantape can't %s %s (%s)", step.action, step.path, error)


def _delete(writer: FileWriter, file: Path) -> bool:
    with writer.locked():
        file.unlink()
    return True


def _compress(_: FileWriter, file: Path) -> bool:
    archive.compress(file)
    return True


_ACTIONS: dict[str, Callable[[FileWriter, Path], bool]] = {
    retention.DELETE: _delete,
    retention.COMPRESS: _compress,
    retention.STRIP: archive.remove_content,
}


def _remove_empty_folders(writer: FileWriter) -> None:
    for folder in (writer.base_dir / layout.BY_SESSION).glob("*/"):
        with suppress(OSError), writer.locked():  # it has files
            folder.rmdir()
