"""Where settings are looked for besides the keywords: the process's environment, and a `.env` file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from .guard import guard

Sources: TypeAlias = "tuple[tuple[Mapping[str, str | None], str], ...]"


def environment() -> Sources:
    """Give where variables are looked up, each with what an error adds to their names: the process's, then `.env`."""
    return ((os.environ, ""), (_dotenv(), " in .env"))


def look_up(names: Iterable[str], sources: Sources) -> tuple[str, str] | None:
    """Give the first of these variables that is set, as an error shall call it, and its value."""
    for source, where in sources:
        for name in names:
            if value := source.get(name):
                return name + where, value
    return None


def _dotenv() -> Mapping[str, str | None]:
    from dotenv import dotenv_values, find_dotenv

    try:
        return dotenv_values(find_dotenv(usecwd=True), encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # no permission, no text: it may be meant for someone else
        guard.warn_once("dotenv", "spantape can't read the .env file, and goes on without it (%s)", error)
        return {}
