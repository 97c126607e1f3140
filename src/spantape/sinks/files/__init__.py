"""Records as readable JSON files: by session, by date, errors, live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .exporter import FileSpanExporter
    from .processor import FileSpanProcessor
    from .reader import Recordings

__all__ = ["FileSpanExporter", "FileSpanProcessor", "Recordings"]

_HOMES = {"FileSpanExporter": "exporter", "FileSpanProcessor": "processor", "Recordings": "reader"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
