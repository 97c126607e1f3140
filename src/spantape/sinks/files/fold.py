"""One record of each id, the last one, in bounded memory: of those that stand once nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from . import arrays
from .lines import Lines

_START = b'{"id":"'
_LEAST, _MOST = 1 << 12, 1 << 24


def folded(files: Sequence[Lines], starts: Sequence[int] | None = None) -> Iterator[bytes]:
    """Give the lines of files that belong together, but for those that a later one with the same id replaces."""
    starts = starts or [0] * len(files)
    last, ends = _repeated(files, starts)
    damaged = [lines.damaged for lines in files]
    numbers = count()
    for lines, start, end in zip(files, starts, ends, strict=True):
        for line, number in zip(lines.forwards(start, end), numbers, strict=False):
            if not last or last.get(identity(line), number) == number:
                yield line
    for lines, lost in zip(files, damaged, strict=True):
        lines.damaged = lost  # the second time, nothing was read behind the last whole line


def identity(line: bytes) -> bytes | None:
    """Give a record's id without reading the record, if it is ours."""
    if line.startswith(_START):
        found = line[len(_START) : line.find(b'"', len(_START))]
        if b"\\" not in found:
            return found
    record = arrays.record(line)
    return None if record is None or record.get("id") is None else str(record["id"]).encode("utf-8", "surrogatepass")


def _repeated(files: Sequence[Lines], starts: Sequence[int]) -> tuple[dict[bytes | None, int], list[int]]:
    """Give for each id that may stand more than once the number of its last line; and how far each file was read."""
    slots = bytearray(_slots(files, starts))
    mask = len(slots) - 1
    last: dict[bytes | None, int] = {}
    ends: list[int] = []
    numbers = count()
    for lines, start in zip(files, starts, strict=True):
        for line, number in zip(lines.forwards(start), numbers, strict=False):
            name = identity(line)
            slot = hash(name) & mask
            if not slots[slot]:
                slots[slot] = 1
            elif name is not None:  # the same id, or by chance another one in the same slot, which does no harm
                last[name] = number
        ends.append(lines.end)
    return last, ends


def _slots(files: Sequence[Lines], starts: Sequence[int]) -> int:
    """Give a power of two: a slot for each 64 bytes, as far as is known before a file is unpacked."""
    sizes = [
        lines.state().st_size - (0 if lines.is_packed else start) for lines, start in zip(files, starts, strict=True)
    ]
    return min(_MOST, max(_LEAST, 1 << (sum(sizes) // 64).bit_length()))
