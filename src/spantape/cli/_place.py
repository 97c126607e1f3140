"""Where the records are: `--dir`, else what the settings say."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..sinks.files.reader import Recordings

folder = click.option(
    "--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="Folder of the records."
)
"""The option `--dir`."""


def place(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option `--dir`, as the `Recordings` below it."""

    @functools.wraps(command)
    def run(*args: Any, folder: Path | None, **kwargs: Any) -> Any:
        from ..settings import Settings

        settings = Settings.load()
        return command(*args, recordings=Recordings(folder or settings.base_dir, settings=settings), **kwargs)

    return folder(run)
