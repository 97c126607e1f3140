"""The form of a file: a JSON array with one record a line. Where it ends, and what of it can be read."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TypeAlias

from ... import jsontext
from ...jsontext import Json

Record: TypeAlias = dict[str, Json]
Line: TypeAlias = "bytes | memoryview"

OPEN, SEPARATOR, CLOSE = b"[\n", b",\n", b"\n]\n"

_BLANK = b" \t\r\n\0"  # after a power failure a file may end in zeros
_FRAME = _BLANK + b"[],"
_TAIL = 64
_BLOCK = 256 * 1024


def closed(before: bytes, lines: Iterable[Line]) -> list[Line]:
    """Give lines as the end of an array, in pieces, behind what separates them from what is there."""
    pieces = [piece for line in lines for piece in (SEPARATOR, line)]
    return [before, *pieces[1:], CLOSE]


def end_of(file: int) -> int | None:
    """Give the offset after the last whole record of an open file: 0 if it holds none, None if it is no array."""
    size = os.lseek(file, 0, os.SEEK_END)
    start = max(0, size - _TAIL)
    body = _read(file, start, size).rstrip()
    # A record has no line break inside, so a bracket at the start of a line is the array's own.
    if body.endswith(b"}\n]") and _read(file, 0, min(size, _TAIL)).lstrip().startswith(b"["):
        return start + len(body) - len(b"\n]")
    return end_in(_read(file, 0, size))


def end_in(data: bytes) -> int | None:
    """Give the same for the content of a file, whoever wrote it."""
    body = data.rstrip(_BLANK)
    found = _array(body)
    if found is None:
        return _torn_end(body)
    return len(body[:-1].rstrip()) if found else 0


def records(data: bytes) -> tuple[list[Record], int]:
    """Give the records in the content of a file, and how much there is in it that can't be read."""
    found = _array(data.rstrip(_BLANK))
    if found is None:
        return _rest(data)
    whole = [item for item in found if isinstance(item, dict)]
    return whole, len(found) - len(whole)


def record(line: bytes) -> Record | None:
    """Read one line."""
    found = jsontext.loads_or(line.strip(_BLANK).rstrip(b","))
    return found if isinstance(found, dict) else None


def is_frame(line: bytes) -> bool:
    """Say whether a line has nothing but the array's own marks."""
    return not line.strip(_FRAME)


def is_closed(tail: bytes) -> bool:
    """Say whether a file that ends so is a whole array, as far as that can be seen."""
    return tail.rstrip(_BLANK).endswith(b"]")


def lines_backwards(file: Path) -> Iterator[bytes]:
    """Give a file's lines, the last one first, reading no more than is asked for."""
    with file.open("rb") as data:
        yield from backwards(data, data.seek(0, os.SEEK_END), b"")


def backwards(file: IO[bytes], position: int, rest: bytes) -> Iterator[bytes]:
    """Give the lines of `rest` and of what stands before `position`, the last one first, each with its line break."""
    first, *lines = _split(rest)
    yield from reversed(lines)
    while position > 0:
        step = min(max(_BLOCK, len(first)), position)
        position -= step
        file.seek(position)
        before = _split(file.read(step))
        if before[-1].endswith(b"\n"):
            before.append(first)
        else:
            before[-1] += first
        first, *lines = before
        yield from reversed(lines)
    yield first


def _split(data: bytes) -> list[bytes]:
    """Give the lines in a quarter of the time that `bytes.split` takes."""
    return io.BytesIO(data).readlines() or [b""]


def _array(data: bytes) -> list[Json] | None:
    found = jsontext.loads_or(data)
    if found is None:
        try:
            found = json.loads(data.decode())  # takes NaN and lone surrogates, which others may write
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, list) else None


def _torn_end(body: bytes) -> int | None:
    """Give what is whole of a file whose last write was cut short: it ends in a part of a line."""
    if body in {b"", b"["}:
        return 0
    if not body.startswith(b"["):
        return None
    start = body.rfind(b"\n") + 1
    last = body[start : body.rfind(b"}") + 1]  # without the rest of a bracket that was being overwritten
    if _is_ours(last):
        return start + len(last)
    before = body[:start].rstrip(_BLANK + b",")
    if before == b"[":
        return 0
    return len(before) if _is_ours(before[before.rfind(b"\n") + 1 :]) else None


def _is_ours(line: bytes) -> bool:
    return "id" in (record(line) or ())


def _rest(data: bytes) -> tuple[list[Record], int]:
    end = end_in(data)
    whole = _array(data[:end] + CLOSE) if end else None
    if end and whole is not None:
        return [item for item in whole if isinstance(item, dict)], int(not is_frame(data[end:]))
    lines = [line for line in data.split(b"\n") if not is_frame(line)]
    found = [one for one in map(record, lines) if one is not None]
    return found, len(lines) - len(found)


def _read(file: int, start: int, end: int) -> bytes:
    os.lseek(file, start, os.SEEK_SET)
    found = os.read(file, end - start)
    while len(found) < end - start and (part := os.read(file, end - start - len(found))):  # 2 GB at a time, at most
        found += part
    return found
