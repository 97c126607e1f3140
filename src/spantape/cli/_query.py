"""The calls that are asked for: the filters of all lists, read once into the `Filter` that Python and URLs use, too."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import click

from ..errors import QueryError
from ..filter import STATUSES, Filter, Record
from ..sinks.files.reader import Recordings
from ._output import NothingFound
from ._place import place
from ._progress import Meter, during, is_seen

_OPTIONS = {
    "since": ("--since", "TIME", "From then on: 15m, 2h, 7d (ago), today, yesterday, or an ISO date."),
    "until": ("--until", "TIME", "Before then."),
    "session": ("--session", "ID", "Of this session."),
    "user": ("--user", "ID", "Of this user."),
    "agent": ("--agent", "KEY", "Of this agent."),
    "model": ("--model", "NAME", "Of this model."),
    "provider": ("--provider", "NAME", "Of this provider."),
    "status": ("--status", "WORD", f"Ended so: {', '.join(STATUSES)}."),
    "error": ("--error", "TYPE", "With this error: its type, its code or the HTTP status."),
    "trace": ("--trace", "ID", "In this trace, by its id or how that begins."),
    "min_latency": ("--min-latency", "TIME", "That took at least so long: 500ms, 5s."),
    "min_cost": ("--min-cost", "AMOUNT", "That cost at least so much."),
    "tag": ("--tag", "KEY=VALUE", "With this in its metadata."),
    "q": ("-q", "TEXT", "In which this was said, by anyone."),
}
_ELSEWHERE = "give the folder with --dir; `spantape doctor` says whether programs would record"


@dataclass(frozen=True)
class Query:
    """Which of the recorded calls are asked for."""

    recordings: Recordings
    where: Filter

    def latest(self, count: int = 0, **more: Any) -> Iterator[Record]:
        """Give them, or so many of them, the newest first; `more` narrows the filter."""
        where = replace(self.where, **more)
        found = self._running(where)[::-1] if _runs(where) else self.recordings.iter_latest(where)
        return self._told(islice(self._asked_for(found, more), count or None), where)

    def oldest(self) -> Iterator[Record]:
        """Give them, day by day."""
        found = self._running(self.where) if _runs(self.where) else self.recordings.iter_all(self.where)
        return self._told(iter(found), self.where)

    def session(self, name: str) -> Iterator[Record]:
        """Give those of a session."""
        where = replace(self.where, session=name)
        found = self._running(where) if _runs(where) else self.recordings.iter_session(name, where=where)
        return during(self._asked_for(found, ["session"]), "reading")

    def _running(self, where: Filter) -> list[Record]:
        """Give those that run: they are in no file of a day before they end."""
        return list(filter(where.matches, self.recordings.get_running_interactions()))

    def _asked_for(self, records: Iterable[Record], narrowed: Iterable[str]) -> Iterator[Record]:
        """Give those that the options ask for, too, where the command itself asks for something of the same kind."""
        twice = any(getattr(self.where, name) is not None for name in narrowed)
        return filter(self.where.matches, records) if twice else iter(records)

    def _told(self, records: Iterator[Record], where: Filter) -> Iterator[Record]:
        if not is_seen():
            return records
        meter = Meter(self.recordings.size(where))
        self.recordings.watch(meter.lines)
        return during(records, "reading", meter.share)


def query(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a filter and of a place, as one `Query` named `calls`."""

    @functools.wraps(command)
    def run(*args: Any, recordings: Recordings, **kwargs: Any) -> Any:
        where = _read({name: kwargs.pop(f"by_{name}") for name in _OPTIONS})
        try:
            return command(*args, calls=Query(recordings, where), **kwargs)
        except NothingFound:
            if recordings.size():
                raise
            raise NothingFound(f"nothing is recorded in {recordings.base_dir.absolute()}: {_ELSEWHERE}") from None
        finally:
            if recordings.damaged:
                click.echo(f"spantape: {recordings.damaged} lines can't be read, and are left out", err=True)

    for name, (flag, metavar, about) in reversed(_OPTIONS.items()):
        run = click.option(flag, f"by_{name}", metavar=metavar, help=about)(run)
    return place(run)


def most(usual: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the option `-n`, as its `number`."""
    limit = click.IntRange(0)
    return click.option("-n", "number", type=limit, default=usual, show_default=True, help="How many; 0 is all.")


def _read(given: dict[str, str | None]) -> Filter:
    try:
        return Filter.parse(**given)
    except QueryError as error:
        raise click.UsageError(str(error)) from error


def _runs(where: Filter) -> bool:
    return where.status == "running"
