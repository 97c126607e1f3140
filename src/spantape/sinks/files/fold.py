"""One record of each id, the last one, in bounded memory: of those that stand once nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice

from . import arrays
from .lines import Lines

_START = b'{"id":"'
_LEAST, _MOST = 1 << 12, 1 << 24


def folded(files: Sequence[Lines], starts: Sequence[int] | None = None) -> Iterator[bytes]:
    """Give the lines of files that belong together, but for those that a later one with the same id replaces."""
    starts = starts or [0] * len(files)
    last, lengths = _repeated(files, starts)
    first = [(lines.end, lines.damaged) for lines in files]
    numbers = count()
    for lines, start, length in zip(files, starts, lengths, strict=True):
        again = islice(lines.forwards(start), length)  # what has been appended since is not among what was looked at
        if last:
            yield from (line for line, n in zip(again, numbers, strict=False) if last.get(identity(line), n) == n)
        else:
            yield from again
    for lines, (end, damaged) in zip(files, first, strict=True):
        lines.end, lines.damaged = end, damaged


def identity(line: bytes) -> bytes | None:
    """Give a record's id without reading the record, if it is ours."""
    if line.startswith(_START):
        if line[43:44] == b'"':
            return line[7:43]
        found = line[7 : line.find(b'"', 7)]
        if b"\\" not in found:
            return found
    record = arrays.record(line)
    return None if record is None or record.get("id") is None else str(record["id"]).encode("utf-8", "surrogatepass")


def _repeated(files: Sequence[Lines], starts: Sequence[int]) -> tuple[dict[bytes | None, int], list[int]]:
    """Give for each id that may stand more than once the number of its last line; and how many lines each file has."""
    slots = bytearray(_slots(files, starts))
    mask = len(slots) - 1
    last: dict[bytes | None, int] = {}
    lengths: list[int] = []
    number = -1
    for lines, start in zip(files, starts, strict=True):
        before = number
        for line in lines.forwards(start):
            number += 1
            name = identity(line)
            slot = hash(name) & mask
            if slots[slot] and name is not None:
                last[name] = number  # the same id, or by chance another one in its slot, which does no harm
            slots[slot] = 1
        lengths.append(number - before)
    return last, lengths


def _slots(files: Sequence[Lines], starts: Sequence[int]) -> int:
    """Give a power of two: a slot for each 64 bytes, as far as is known before a file is unpacked."""
    sizes = [
        lines.state().st_size - (0 if lines.is_packed else start) for lines, start in zip(files, starts, strict=True)
    ]
    return min(_MOST, max(_LEAST, 1 << (sum(sizes) // 64).bit_length()))
