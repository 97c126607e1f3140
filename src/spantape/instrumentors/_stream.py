"""How a stream is watched without being replaced."""

from __future__ import annotations

import copy
import sys
import weakref
from collections.abc import AsyncIterator, Iterator
from functools import partial
from itertools import filterfalse, islice
from typing import Any

import wrapt

from ..guard import guard
from ._body import body_of, events, is_events, is_text, may_be_object, sized
from ._call import ABANDONED, CLOSED, COMPLETED, Call
from ._chunks import Chunks
from ._packed import MOST_BYTES, Unpack, as_it_is


def watch(stream: Any, call: Call) -> None:
    """Have `call` see what the user pulls from a stream; the stream stays the object that the client made.

    Only the iterator inside is exchanged. The new one runs on a copy of the stream: so the user's object is in no
    reference cycle, and dropping it ends the span at once.
    """
    chunks = call.streams()
    call.watched = True
    inner = copy.copy(stream)
    inner._iterator = inner.__stream__()
    watched = _asynchronous if hasattr(inner._iterator, "__anext__") else _sync
    stream._iterator = watched(inner._iterator, call, chunks)
    end_with(stream, call)


def end_with(thing: object, call: Call) -> None:
    """End the call when nobody holds `thing` any more."""
    weakref.finalize(thing, _abandon, call).atexit = False


def _abandon(call: Call) -> None:
    with guard:
        call.end(ABANDONED)


def _sync(inner: Iterator[Any], call: Call, chunks: Chunks) -> Iterator[Any]:
    watched = _watched(inner, call, chunks)
    call.puller = weakref.ref(watched)
    return watched if call.hides is None else filterfalse(partial(_is_hidden, call), watched)


def _watched(inner: Iterator[Any], call: Call, chunks: Chunks) -> Iterator[Any]:
    """Let the call see each chunk and the end: a generator, as the client's own, that sleeps while most chunks pass."""
    ended = False
    try:
        yield from filterfalse(chunks.take, islice(inner, chunks.timed))
        passing = filterfalse(chunks.held.append, inner)  # which gives all: `append` returns None
        for chunk in passing:
            yield chunk
            yield from islice(passing, chunks.most - 1)
            chunks.full()
        ended = True
    finally:
        error = sys.exc_info()[1]
        if not ended and not isinstance(error, GeneratorExit):  # else it is this one that is closed
            _stopped(call)
    with guard:
        call.end(COMPLETED)


def _asynchronous(inner: AsyncIterator[Any], call: Call, chunks: Chunks) -> Watched:
    return (Watched if call.hides is None else Hiding)(inner, call, chunks)


class Watched:
    """The same for an async iterator: no generator, as asyncio would have to close one that is dropped."""

    __slots__ = ("_call", "_chunks", "_inner")

    def __init__(self, inner: AsyncIterator[Any], call: Call, chunks: Chunks) -> None:
        self._inner = inner
        self._call = call
        self._chunks = chunks

    def __aiter__(self) -> Watched:
        return self

    async def __anext__(self) -> Any:
        call = self._call
        call.pulling = True
        try:
            chunk = await self._inner.__anext__()
            call.pulling = False
        finally:
            if call.pulling:
                _stopped(call)
        self._chunks.take(chunk)
        return chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Hiding(Watched):
    """Leaves out the chunks that the application did not ask for."""

    __slots__ = ()

    async def __anext__(self) -> Any:
        while _is_hidden(self._call, chunk := await super().__anext__()):
            pass
        return chunk


def _is_hidden(call: Call, chunk: Any) -> bool:
    with guard:
        return call.hides is not None and call.hides(chunk)
    return False


def _is_pulled(call: Call) -> bool:
    """Say whether the next chunk is being asked for: it is the client that closes meanwhile, before its last word."""
    watched = call.puller()
    return call.pulling or (watched is not None and watched.gi_running)


def _stopped(call: Call) -> None:
    """End the call by what its iterator raises at this moment."""
    call.pulling = False
    with guard:
        error = sys.exc_info()[1]
        if error is None or isinstance(error, StopAsyncIteration):
            call.end(COMPLETED)
        else:
            call.fail(error)


class WatchedBytes(wrapt.ObjectProxy):  # type: ignore[misc,type-arg,unused-ignore]
    """A response's byte stream that tells its call when it is closed, by whomever.

    It is the one place that sees `stream.close()`, `stream.response.close()`, a `with` block that is left and a helper
    that is left early alike. With `tee` it also looks at what the user reads, to record raw responses.
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
        with guard:
            if _is_pulled(self._self_call):
                return
            complete = self._self_tee is not None and self._self_tee.tell()
            self._self_call.end(COMPLETED if complete else CLOSED)


class Tee:
    """Looks at the bytes that the user reads from a raw response, and lets the call know what they say."""

    def __init__(self, call: Call, content_type: str, unpack: Unpack) -> None:
        self._call = call
        self._reader = _Events(call, unpack) if is_events(content_type) else _Whole(call, content_type, unpack)
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
        self._reader.tell(self._complete)
        return self._complete

    def _note(self, part: bytes) -> None:
        with guard:
            if not self._call.watched:
                self._reader.take(part)


class _Events:
    """Lets the call have each event when its line ends, and holds no more than a line, which may be an image's."""

    def __init__(self, call: Call, unpack: Unpack) -> None:
        self._call, self._unpacked = call, unpack
        self._line: list[bytes] = []
        self._size = 0

    def take(self, part: bytes) -> None:
        self._begin()
        ended, newline, begun = self._unpacked(part).rpartition(b"\n")
        if newline:
            self._pass_on(ended)
        self._size += len(begun)
        if self._size <= MOST_BYTES:
            self._line.append(begun)

    def tell(self, complete: bool) -> None:  # noqa: ARG002 - what was read of a stream counts, complete or not
        self._begin()
        self._pass_on(b"")

    def _begin(self) -> None:
        if self._call.chunks is None:
            self._call.streams(live=False)  # parts that hold several events say nothing of when each came

    def _pass_on(self, ended: bytes) -> None:
        lines, self._line, self._size = b"".join([*self._line, ended]), [], 0
        for chunk in events(lines):
            self._call.chunk(chunk)


class _Whole:
    """Keeps a body that is text (up to 16 MB) until its end; of a picture or a sound it only counts the bytes."""

    def __init__(self, call: Call, content_type: str, unpack: Unpack) -> None:
        self._call, self._content_type, self._unpack = call, content_type, unpack
        self._is_packed = unpack is not as_it_is
        self._kept: list[bytes] = []
        self._size = 0
        self._keeps = is_text(content_type)

    def take(self, part: bytes) -> None:
        if not self._size and not self._is_packed:
            self._keeps = self._keeps or may_be_object(part)
        self._size += len(part)
        if self._keeps and self._size <= MOST_BYTES:
            self._kept.append(part)

    def tell(self, complete: bool) -> None:
        body = None
        if self._keeps and self._size <= MOST_BYTES:
            body = body_of(self._unpack(b"".join(self._kept)), self._content_type)
        elif complete and not self._is_packed:
            body = sized(self._content_type, self._size)
        if body:
            self._call.answered(body)
