"""Recorded spans to a collector, as they are, each at most once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ...errors import PushError, SealError
from ...settings import Settings
from .._lines import alone
from . import encoding
from .marks import Marks
from .post import NotTaken, Post, Refused
from .seal import opening

LOCK = ".push.lock"


class Pushed(NamedTuple):
    """How many spans were sent, how many the receiver refused for good, and how many lines could not be read."""

    sent: int = 0
    refused: int = 0
    damaged: int = 0


class Line(NamedTuple):
    """A line of a file, and the offsets where it begins and ends."""

    name: str
    start: int
    end: int
    data: bytes


def push(folder: Path, post: Post, settings: Settings, *, force: bool) -> Pushed:
    """Send what was not sent yet; raises `PushError` where the receiver takes nothing now, and `SealError`."""
    if not folder.is_dir():
        return Pushed()
    change = encoding.said(opening(settings)) if settings.otlp_content else encoding.silent
    with alone(folder / LOCK):
        marks = Marks(folder, post.address)
        done = Pushed()
        for line in _lines(folder, (lambda _: 0) if force else marks.of):
            marks.put(line.name, line.end)  # before it is sent: who dies in between sends it never, rather than twice
            try:
                done = _sent(done, line, post, change)
            except SealError:
                marks.put(line.name, line.start)
                raise
            except NotTaken as error:
                marks.put(line.name, line.start)
                raise PushError(f"{post.address} takes no spans now ({error}); {done.sent} were sent") from error
        return done


def _sent(done: Pushed, line: Line, post: Post, change: encoding.Change) -> Pushed:
    try:
        request = encoding.request(line.data, change)
    except ValueError:
        return done._replace(damaged=done.damaged + 1)
    count = _count(request)
    try:
        refused = min(count, post(request.SerializeToString()))
    except Refused:
        refused = count
    return done._replace(sent=done.sent + count - refused, refused=done.refused + refused)


def _lines(folder: Path, start_of: Callable[[str], int]) -> Iterator[Line]:
    """Give the lines behind the marks, oldest first; one that has no end is being written."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as file:
            start = file.seek(start_of(path.name))
            for data in file:
                if not data.endswith(b"\n"):
                    break
                yield Line(path.name, start, start + len(data), data)
                start += len(data)


def _count(request: ExportTraceServiceRequest) -> int:
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
