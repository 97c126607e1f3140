"""How a stream is watched without being replaced."""

from __future__ import annotations

import copy
import sys
import time
import weakref
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import wrapt

from ..guard import guard
from ..jsontext import loads_or
from ._call import ABANDONED, CLOSED, COMPLETED, Call, body_of

_MOST_BYTES = 16 * 1024 * 1024


def watch(stream: Any, call: Call) -> None:
    """Have `call` see what the user pulls from a stream; the stream stays the object that the client made.

    Only the iterator inside is exchanged. The new one runs on a copy of the stream: so the user's object is in no
    reference cycle, and dropping it ends the span at once.
    """
    call.streams()
    call.watched = True
    inner = copy.copy(stream)
    inner._iterator = inner.__stream__()
    stream._iterator = (Watched if call.hides is None else Hiding)(inner._iterator, call)
    end_with(stream, call)


def end_with(thing: object, call: Call) -> None:
    """End the call when nobody holds `thing` any more."""
    weakref.finalize(thing, _abandon, call).atexit = False


def _abandon(call: Call) -> None:
    with guard:
        call.end(ABANDONED)


class Watched:
    """An iterator, sync or async, that lets its call see each chunk and the end."""

    __slots__ = ("_call", "_inner")

    def __init__(self, inner: Any, call: Call) -> None:
        self._inner = inner
        self._call = call

    def __iter__(self) -> Watched:
        return self

    def __aiter__(self) -> Watched:
        return self

    def __next__(self) -> Any:
        call = self._call
        # The client closes the response before its StopIteration or error gets here; that close is not the user's.
        call.pulling, going = True, False
        try:
            chunk = next(self._inner)
            going = True
        finally:
            call.pulling = False
            if not going:
                _stopped(call)
        call.chunk(chunk)
        return chunk

    async def __anext__(self) -> Any:
        call = self._call
        call.pulling, going = True, False
        try:
            chunk = await self._inner.__anext__()
            going = True
        finally:
            call.pulling = False
            if not going:
                _stopped(call)
        call.chunk(chunk)
        return chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Hiding(Watched):
    """Leaves out the chunks that the application did not ask for."""

    __slots__ = ()

    def __next__(self) -> Any:
        while _is_hidden(self._call, chunk := super().__next__()):
            pass
        return chunk

    async def __anext__(self) -> Any:
        while _is_hidden(self._call, chunk := await super().__anext__()):
            pass
        return chunk


def _is_hidden(call: Call, chunk: Any) -> bool:
    with guard:
        return call.hides is not None and call.hides(chunk)
    return False


def _stopped(call: Call) -> None:
    """End the call by what its iterator has raised."""
    with guard:
        error = sys.exc_info()[1]
        if error is None or isinstance(error, (StopIteration, StopAsyncIteration)):
            call.end(COMPLETED)
        else:
            call.fail(error)


class WatchedBytes(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """A response's byte stream that tells its call when it is closed, by whomever.

    It is the one place that sees `stream.close()`, `stream.response.close()`, a `with` block that is left and a helper
    that is left early alike. With `tee` it also keeps what the user reads (up to 16 MB), to record raw responses.
    """

    def __init__(self, wrapped: Any, call: Call, tee: Tee | None = None) -> None:
        super().__init__(wrapped)
        self._self_call = call
        self._self_tee = tee

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.__wrapped__) if self._self_tee is None else self._self_tee.sync(self.__wrapped__)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.__wrapped__.__aiter__() if self._self_tee is None else self._self_tee.asynchronous(self.__wrapped__)

    def close(self) -> None:
        """Close, then let the call know."""
        try:
            self.__wrapped__.close()
        finally:
            self._self_closed()

    async def aclose(self) -> None:
        """Close, then let the call know."""
        try:
            await self.__wrapped__.aclose()
        finally:
            self._self_closed()

    def _self_closed(self) -> None:
        if self._self_call.pulling:
            return
        with guard:
            complete = self._self_tee is not None and self._self_tee.tell()
            self._self_call.end(COMPLETED if complete else CLOSED)


class Tee:
    """Keeps the bytes that the user reads from a raw response, and makes sense of them when it is closed."""

    def __init__(self, call: Call, content_type: str, encoding: str) -> None:
        self._call = call
        self._is_stream = "event-stream" in content_type
        self._is_packed = encoding.lower() in {"gzip", "deflate"}
        self._kept: list[bytes] = []
        self._size = 0
        self._complete = False

    def sync(self, stream: Any) -> Iterator[bytes]:
        """Iterate over a byte stream."""
        for part in stream:
            self._note(part)
            yield part
        self._complete = True

    async def asynchronous(self, stream: Any) -> AsyncIterator[bytes]:
        """Iterate over an async byte stream."""
        async for part in stream:
            self._note(part)
            yield part
        self._complete = True

    def tell(self) -> bool:
        """Let the call know what was read; gives whether that was everything."""
        if self._call.watched:
            return False
        data = b"".join(self._kept)
        data = zlib.decompressobj(47).decompress(data, _MOST_BYTES) if self._is_packed and data else data
        if self._is_stream:
            _chunks(data, self._call)
        elif body := body_of(data):
            self._call.answered(body)
        return self._complete

    def _note(self, part: bytes) -> None:
        with guard:
            if self._call.arrived is None:
                self._call.arrived = time.perf_counter()
            self._size += len(part)
            if self._size <= _MOST_BYTES and not self._call.watched:
                self._kept.append(part)


def _chunks(events: bytes, call: Call) -> None:
    call.streams(live=False)
    for line in events.splitlines():
        chunk = loads_or(line[5:].strip()) if line.startswith(b"data:") else None
        if chunk is not None:
            call.chunk(chunk)
