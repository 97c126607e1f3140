"""The names of the recording service that spantape grew from, for programs which use them."""

from __future__ import annotations

from typing import Any

from .process import cleanup_old_files, flush_files, recordings


class FileRecord:
    """What this process records to files: has every method of `recordings()`, and writes what is buffered first."""

    cleanup_old_files = staticmethod(cleanup_old_files)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        flush_files()
        return getattr(recordings(), name)


llm_file_record = FileRecord()


def get_session_llm_interactions(session_id: str | int | None) -> list[dict[str, Any]]:
    """Give a session's calls, oldest first, with those that are not written yet."""
    flush_files()
    return recordings().get_session_interactions(session_id)
