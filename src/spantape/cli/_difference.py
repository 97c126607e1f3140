"""What is different between two calls: parameters, words of each message, tokens, cost, latency."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from .. import jsontext
from ..filter import Record
from ..transcript import text_of
from . import _format as form
from ._columns import dig, figure, outcome

# A word, what is between words, or one character: Chinese and Japanese have no spaces.
_WORD = re.compile(r"[^\W\u3040-\u30ff\u3400-\u9fff]+|\s+|.", re.DOTALL)
_MOST_WORDS = 4000


class Piece(NamedTuple):
    """A part of a text: ` ` in both, `-` in the first only, `+` in the second only."""

    sign: str
    text: str


class Change(NamedTuple):
    """A label and the pieces of what it says."""

    label: str
    pieces: list[Piece]


_FIGURES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "input": ("usage.input_tokens", form.count),
    "output": ("usage.output_tokens", form.count),
    "latency": ("timing.duration_ms", form.duration),
    "first": ("timing.time_to_first_chunk_ms", form.duration),
}


def changes(one: Record, other: Record) -> Iterator[Change]:
    """Tell what is different, message by message; what is the same in both is left out."""
    for label, read in (("model", lambda record: record.get("model")), ("ended", outcome)):
        if read(one) != read(other):
            yield Change(label, _exchanged(str(read(one)), str(read(other))))
    yield from _parameters(one.get("request") or {}, other.get("request") or {})
    for name in ("messages", "output_messages"):
        yield from _messages(one.get(name) or [], other.get(name) or [])
    for label, (path, show) in _FIGURES.items():
        before, after = figure(one, path), figure(other, path)
        if before != after:
            yield Change(label, [*_exchanged(show(before), show(after)), Piece(" ", _growth(before, after))])
    yield from _cost(one, other)


def _cost(one: Record, other: Record) -> Iterator[Change]:
    (before, currency), (after, another) = map(_priced, (one, other))
    if (before, currency) != (after, another):
        growth = [Piece(" ", _growth(before, after))] if currency == another else []
        yield Change("cost", [*_exchanged(form.money(before, currency), form.money(after, another)), *growth])


def _priced(record: Record) -> tuple[Any, str]:
    return figure(record, "cost.total"), dig(record, "cost.currency") or "USD"


def words(before: str, after: str) -> list[Piece]:
    """Give the words of two texts: those of both, and those of one."""
    first, second = _WORD.findall(before), _WORD.findall(after)
    if max(len(first), len(second)) > _MOST_WORDS:  # the time grows with the square
        first, second = before.splitlines(keepends=True), after.splitlines(keepends=True)
    pieces: list[Piece] = []
    for kind, start, end, begin, stop in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(Piece(" ", "".join(first[start:end])))
        else:
            pieces += _exchanged("".join(first[start:end]), "".join(second[begin:stop]))
    return pieces


def _exchanged(before: str, after: str) -> list[Piece]:
    return [piece for piece in (Piece("-", before), Piece("+", after)) if piece.text]


def _growth(before: Any, after: Any) -> str:
    if not before or after is None:
        return ""
    return f"  {(after - before) / before:+.0%}"


def _parameters(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys([*one, *other]):
        if name != "model" and one.get(name) != other.get(name):
            yield Change(name, _exchanged(_said(one, name), _said(other, name)))


def _said(request: Mapping[str, Any], name: str) -> str:
    return jsontext.text(request[name]) if name in request else ""


def _messages(one: list[Any], other: list[Any]) -> Iterator[Change]:
    """Compare message by message where the roles go together."""
    firsts, seconds = [_told(each) for each in one], [_told(each) for each in other]
    matcher = SequenceMatcher(None, [role for role, _ in firsts], [role for role, _ in seconds], autojunk=False)
    for kind, start, end, begin, stop in matcher.get_opcodes():
        if kind == "equal":
            pairs = zip(firsts[start:end], seconds[begin:stop], strict=True)
            yield from (Change(role, words(text, now)) for (role, text), (_, now) in pairs if text != now)
        else:
            yield from (Change(role, [Piece("-", text)]) for role, text in firsts[start:end])
            yield from (Change(role, [Piece("+", text)]) for role, text in seconds[begin:stop])


def _told(message: Any) -> tuple[str, str]:
    if not isinstance(message, Mapping):
        return "", str(message)
    return str(message.get("role")), text_of(message)
