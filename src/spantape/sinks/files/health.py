"""What `get_health_status()` gives: whether recordings can be written, and how this process's recording is doing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from ...jsontext import Json

_LITTLE_SPACE = 100 * 1024 * 1024
_LONG = 60.0


def report(base_dir: Path, condition: Mapping[str, Json] | None) -> dict[str, Json]:
    """Give the health of a folder, with the condition of the recording if this process records to it."""
    place = next(path for path in (base_dir.absolute(), *base_dir.absolute().parents) if path.is_dir())
    space, writable = shutil.disk_usage(place).free, os.access(place, os.W_OK | os.X_OK)
    unhealthy = [*_in_the_way(base_dir), *([] if writable else [f"{place} can't be written to"])]
    degraded = [*_short_of(space), *_trouble(condition or {})]
    status = "unhealthy" if unhealthy else "degraded" if degraded else "healthy"
    return {
        "status": status,
        "problems": unhealthy + degraded,
        "disk_space_available": space,
        "write_permissions": writable,
        "recording": condition is not None,
        **(condition or {}),
    }


def _in_the_way(base_dir: Path) -> list[str]:
    return [f"{base_dir} is no folder"] if base_dir.exists() and not base_dir.is_dir() else []


def _short_of(space: int) -> list[str]:
    return [f"only {space // 1024**2} MB are left on the disk"] if space < _LITTLE_SPACE else []


def _trouble(condition: Mapping[str, Json]) -> list[str]:
    age = condition.get("oldest_unflushed_age") or 0.0
    found = [f"{condition['lost']} records were lost"] if condition.get("lost") else []
    error = condition.get("last_error")
    found += [f"the last write failed, and is tried again: {error}"] if error else []
    return found + ([f"a record has waited for {age:.0f} s to be written"] if age > _LONG else [])
