"""A bar for what takes longer than a second, on stderr, and only in a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import click

from ._format import harmless

Item = TypeVar("Item")

_PATIENCE, _EVERY = 1.0, 0.1


def _unknown() -> float | None:
    return None


class Bar:
    """A line that a thread draws, so that the work itself needs not care; `share` says how much of it is done."""

    def __init__(self, about: str, share: Callable[[], float | None]) -> None:
        self._about = about
        self._share = share
        self._over = threading.Event()
        self._drawing = threading.Lock()
        self._erase: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._draw, daemon=True)
        self._thread.start()

    @contextmanager
    def room(self) -> Iterator[None]:
        """Be erased while something else is written; the bar comes again below that."""
        with self._drawing:
            self._erase()
            yield

    def end(self) -> None:
        """Erase it for good."""
        self._over.set()
        self._thread.join()

    def _draw(self) -> None:
        if self._over.wait(_PATIENCE):
            return
        from rich.console import Console
        from rich.progress import Progress

        progress = Progress(
            *Progress.get_default_columns(),
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        task = progress.add_task(self._about, total=None)
        self._erase = progress.stop
        while not self._over.wait(_EVERY):
            share = self._share()
            progress.update(task, completed=share or 0.0, total=None if share is None else 1.0)
            with self._drawing:
                progress.start()
                progress.refresh()
        progress.stop()


_bar: Bar | None = None


def is_seen() -> bool:
    """Say whether there is somebody to see a bar."""
    return sys.stderr.isatty()


@contextmanager
def bar(about: str, share: Callable[[], float | None] = _unknown) -> Iterator[None]:
    """Show a bar for as long as something takes; one inside of another is not shown."""
    global _bar  # noqa: PLW0603 - there is one terminal
    if _bar is not None or not is_seen():
        yield
        return
    _bar = Bar(about, share)
    try:
        yield
    finally:
        _bar.end()
        _bar = None


def during(items: Iterable[Item], about: str, share: Callable[[], float | None] = _unknown) -> Iterator[Item]:
    """Pass items on, with a bar for as long as they come."""
    with bar(about, share):
        yield from items


def room() -> AbstractContextManager[None]:
    """Make room for what is written while there may be a bar."""
    return nullcontext() if _bar is None else _bar.room()


def say(text: str) -> None:
    """Print a line while there may be a bar."""
    with room():
        click.echo(text)


def say_data(text: str) -> None:
    """Print what was recorded: to a program as it is, to a person without what steers the terminal."""
    with room():
        click.echo(harmless(text) if sys.stdout.isatty() else text, color=True)


class Meter:
    """How much of something has passed by."""

    def __init__(self, total: int) -> None:
        self._left = self._total = max(1, total)

    def lines(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Give lines on."""
        for line in lines:
            self._left -= len(line)
            yield line

    def share(self) -> float:
        """Give how much it was, of 1."""
        return 1 - max(0, self._left) / self._total
