"""Which files hold what: the file that is written to now, and what was moved from it to the archive."""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from . import layout
from .lines import Lines, Shelf

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_DATE_FILE = re.compile(r"(\d{4}-\d\d-\d\d)_all_interactions[_.]")
_ERROR_FILE = re.compile(r"(\d{4}-\d\d-\d\d)_errors[_.]")
_SETTLED = 2.0
_TRIES = 5


class Catalog:
    """The files below one folder; a path is that of a file as it is written, whether it is still there or archived."""

    def __init__(self, base_dir: Path) -> None:
        self.base_dir = base_dir
        self._archive: list[str] = []
        self._read_at: tuple[int, int] | None = None

    def dates(self) -> list[Path]:
        """Give the files of all days."""
        return [layout.date_file(day) for day in self._days(layout.BY_DATE, _DATE_FILE)]

    def errors(self) -> list[Path]:
        """Give the error files of all days."""
        return [layout.error_file(day) for day in self._days(layout.ERRORS, _ERROR_FILE)]

    def session(self, session_id: str | int | None) -> list[Path]:
        """Give the files of all days of a session."""
        folder = layout.session_folder(session_id)
        archived = re.compile(re.escape(folder.name) + r"_(\d{4}-\d\d-\d\d)_")
        here = {path.stem for path in self._live(str(folder)) if _DAY.fullmatch(path.stem)}
        days = here | {found[1] for name in self._archived() if (found := archived.match(name))}
        return [layout.session_file(session_id, day) for day in sorted(days)]

    def files(self, path: Path) -> list[Path]:
        """Give all that belongs to a file, as whole paths, oldest first."""
        found = [*self._archives(path), path]
        return [file for file in (self.base_dir / one for one in found) if file.exists()]

    @contextmanager
    def opened(self, path: Path) -> Iterator[list[Lines]]:
        """Give all that belongs to a file, oldest first: each record is there, also while it is being archived."""
        with ExitStack() as stack:
            yield self._opened(path, stack)

    def _archives(self, path: Path) -> list[Path]:
        """Give what was moved to the archive from a file, oldest first; what is being compressed is there once."""
        start = layout.archive_file(path, "").name.partition(".json")[0]
        names = self._archived()
        found: dict[str, Path] = {}
        for name in names[bisect_left(names, start) :]:
            if not name.startswith(start):
                break
            found.setdefault(name.partition(".json")[0], Path(layout.ARCHIVE, name))
        return list(found.values())

    def _opened(self, path: Path, stack: ExitStack) -> list[Lines]:
        found: list[Lines] = []
        for _ in range(_TRIES):
            stack.pop_all().close()
            live = self._lines(path, stack)
            shelf = Shelf()
            archived = [self._lines(archive, stack, shelf) for archive in self._archives(path)]
            found = [lines for lines in [*archived, live] if lines is not None]
            if None not in archived and self._is_still(live, path):
                break
        return found

    def _lines(self, path: Path, stack: ExitStack, shelf: Shelf | None = None) -> Lines | None:
        try:
            lines = Lines(self.base_dir, self.base_dir / path, shelf)
        except (FileNotFoundError, IsADirectoryError):
            return None
        stack.callback(lines.close)
        return lines

    def _is_still(self, lines: Lines | None, path: Path) -> bool:
        """Say whether a file has not been moved to the archive while its archives were looked for."""
        try:
            there = (self.base_dir / path).stat().st_ino
        except FileNotFoundError:
            return lines is None
        return lines is not None and lines.state().st_ino == there

    def _days(self, folder: str, name: re.Pattern[str]) -> list[str]:
        names = [*(path.name for path in self._live(folder)), *self._archived()]
        return sorted({found[1] for one in names if (found := name.match(one))})

    def _live(self, folder: str) -> Iterator[Path]:
        return (self.base_dir / folder).glob("*.json")

    def _archived(self) -> list[str]:
        """Give the names in the archive, sorted; they are read again only when the folder has changed."""
        folder = self.base_dir / layout.ARCHIVE
        try:
            state = folder.stat()
        except (FileNotFoundError, NotADirectoryError):
            return []
        if self._read_at != (state.st_mtime_ns, state.st_ino):
            self._archive = sorted(path.name for path in folder.iterdir() if path.name.endswith((".json", ".json.gz")))
            # A change just after this one may leave no later time.
            settled = time.time() - state.st_mtime > _SETTLED
            self._read_at = (state.st_mtime_ns, state.st_ino) if settled else None
        return self._archive
