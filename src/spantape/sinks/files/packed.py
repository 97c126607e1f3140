"""Reading a compressed file of which the end may be missing."""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import suppress
from pathlib import Path

_TORN = (EOFError, gzip.BadGzipFile, zlib.error)


class Unpacked(io.RawIOBase):
    """What is in a .gz file, as far as it can be read; offsets are those of what is in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = gzip.GzipFile(path)
        self.is_torn = False

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes, though it takes as long as reading up to there."""
        return True

    def fileno(self) -> int:
        """Give the number of the compressed file."""
        return self._file.fileno()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read some; less than that if the rest is torn."""
        with suppress(*_TORN):
            found = b"" if self.is_torn else self._file.read1(len(buffer))
            buffer[: len(found)] = found
            return len(found)
        self.is_torn = True
        return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset."""
        self.is_torn = False
        with suppress(*_TORN):
            return self._file.seek(offset, whence)
        self.is_torn = True
        return offset

    def tell(self) -> int:
        """Give the offset of what comes next."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
