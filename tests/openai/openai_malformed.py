"""What no provider should send: valid answers with something broken in them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from openai_wire import EVENTS, JSON, Headers, event, streamed, whole

KEYS = ("usage", "choices", "index", "type", "content", "role", "id", "name", "text", "output", "delta", "arguments")
NUMBERS = [0, -1, 2**31, 2**63, -(2**63) - 1, 2**64, 10**40, 10**400, 0.5, -0.0, 1e300, float("nan"), float("inf")]
TEXTS = ["", "x", "\ud800", "a\udfffb", "\ud83d\ude00", "\0", "assistant", "tool", "function", "{", "data:;base64,x"]
texts = st.sampled_from(TEXTS) | st.text(max_size=5)
leaves = st.none() | st.booleans() | st.sampled_from(NUMBERS) | texts


def _nested(depth: int) -> Any:
    inside: Any = "deep"
    for level in range(depth):
        inside = [inside] if level % 2 else {"content": inside}
    return inside


SMALL = st.sampled_from([[], {}, ["x"], {"a": 1}, [None], [[]], {"0": {}}])  # in place of a text or a number
odd = st.one_of(
    leaves,
    SMALL,
    st.builds(_nested, st.sampled_from([20, 40, 70, 300])),
    st.lists(leaves | SMALL, max_size=3),
    st.dictionaries(st.sampled_from(KEYS) | texts, leaves | SMALL, max_size=3),
)
_DELETE = object()
edits = st.lists(st.tuples(st.integers(0, 200), odd | st.just(_DELETE)), min_size=1, max_size=5)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from _paths(item, (*path, key))


def broken(valid: Any, changes: Sequence[tuple[int, Any]]) -> Any:
    """Put odd values in the places that the numbers choose, or take out what is there."""
    root = {"": copy.deepcopy(valid)}
    for number, value in changes:
        paths = [path for path in _paths(root) if path and len(path) < 20]
        if paths:
            *around, key = paths[number % len(paths)]
            place: Any = root
            for step in around:
                place = place[step]
            if value is _DELETE:
                del place[key]
            else:
                place[key] = copy.deepcopy(value)
    return root.get("")


_TIMES = st.sampled_from([b"9" * 19, b"9" * 30, b"9" * 5000, b"12", b"-1", b"1e3", b"", "٣".encode(), b"\xff"])
_IDS = st.sampled_from([b"", b"req", b"\xff\xfe", "你".encode()])
_NAMES = st.sampled_from([b"x-request-id", b"apim-request-id", b"openai-organization", b"x-\xff"])
extra_headers = st.lists(st.tuples(st.just(b"openai-processing-ms"), _TIMES) | st.tuples(_NAMES, _IDS), max_size=2)
_TYPES = [b"text/plain", b"application/json; charset=x", b"text/event-stream; charset=\xff", b""]


@st.composite
def headers(draw: st.DrawFn, usual: Headers) -> Headers:
    """Give headers: mostly the usual ones, or without content type, or with odd things in them."""
    if draw(st.booleans()):
        return usual
    kept = [pair for pair in usual if draw(st.booleans())]
    odd_type = [(b"content-type", draw(st.sampled_from(_TYPES)))] if draw(st.booleans()) else []
    return [*kept, *odd_type, *draw(extra_headers)]


@dataclass(frozen=True)
class Answer:
    """What comes back, to be sent as often as it is asked for."""

    parts: Sequence[bytes]
    headers: Headers
    status: int = 200
    streams: bool = False
    cut: bool = False

    def __call__(self, request: object = None) -> Any:
        if self.streams:
            return streamed(self.parts, self.headers, cut=self.cut)
        return whole(b"".join(self.parts), self.headers, self.status)


@st.composite
def wholes(draw: st.DrawFn, valid: Any) -> Answer:
    """Give answers in one piece."""
    data = whole(broken(valid, draw(edits))).content
    if draw(st.integers(0, 9)) == 0:
        data = draw(st.sampled_from([b"", b"null", b"[]", b"\xff", b"<html>", data[: len(data) // 2], data + b"x"]))
    status = draw(st.sampled_from([*[200] * 12, 201, 400, 429, 500]))
    return Answer([data], draw(headers(JSON)), status)


_GARBAGE = [
    *(b"data: {\n\n", b"data:\n\n", b"data: null\n\n", b"data: []\n\n", b"data: 1\n\n", b'data: "x"\n\n', b"data\n\n"),
    *(b"\xff\xfe\n\n", b": ping\n\n", b"event: error\n", b"retry: x\n\n", b"id: \0\n\n", b"\r\n\r\r", b"data: NaN\n\n"),
    *(b"data: [DONE]\n\n", b"data: [DONE] x\n\n", b'data: {"error": "x"}\n\n', b'data: {"error": {"code": []}}\n\n'),
    *(b'event: error\ndata: {"error": {"message": null}}\n\n', b'data: {"error": {"message": "\\ud800"}}\n\n'),
]


@st.composite
def streams(draw: st.DrawFn, valid: Sequence[Any]) -> Answer:
    """Give answers in chunks: some broken, some lost, some twice, garbage between them, torn anywhere."""
    sent: list[bytes] = []
    for chunk in valid:
        fate = draw(st.integers(0, 9))
        if fate == 0:
            sent.append(draw(st.sampled_from(_GARBAGE)))
        elif fate == 1:
            sent += [event(chunk), event(chunk)]
        if fate > 3:
            sent.append(event(chunk))
        elif fate != 2:
            sent.append(event(broken(chunk, draw(edits))))
    sent += [b"data: [DONE]\n\n"] if draw(st.booleans()) else []
    data = b"".join(sent)
    if draw(st.integers(0, 4)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    places = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=6))})
    parts = [data[start:end] for start, end in zip(places, places[1:], strict=False)]
    return Answer(parts, draw(headers(EVENTS)), streams=True, cut=draw(st.integers(0, 4)) == 0)
