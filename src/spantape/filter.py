"""`Filter`: which interactions are asked for; the same for Python, the command line and URLs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias

from . import jsontext, moments
from .errors import QueryError
from .jsontext import Json

Record: TypeAlias = dict[str, Json]
Test: TypeAlias = Callable[[Record], bool]
Clue: TypeAlias = Callable[[bytes], bool]

STATUSES = ("ok", "error", "success", "failed", "timeout", "cancelled", "interrupted", "running")


@dataclass(frozen=True)
class Filter:
    """What an interaction has to be like; what is left out does not matter. `Filter.parse` makes one from strings."""

    status: str | None = None
    """`ok`, `error` (of any kind), `success`, `failed`, `timeout`, `cancelled`, `interrupted` or `running`."""
    model: str | None = None
    """The model that was asked for, or the one that answered."""
    provider: str | None = None
    operation: str | None = None
    user: str | None = None
    session: str | None = None
    agent: str | None = None
    since: datetime | None = None
    """When it began, at the earliest."""
    until: datetime | None = None
    """Before when it began."""
    text: str | None = None
    """What was said in it, by anyone, upper or lower case."""
    trace: str | None = None
    """The trace id, or how it begins."""
    min_latency: float | None = None
    """In seconds."""
    min_cost: float | None = None
    """In the currency that it was priced in."""
    min_tokens: int | None = None
    error_type: str | None = None
    """The exception's type, the provider's own name for it, its code, or the HTTP status."""
    tags: tuple[tuple[str, str], ...] = ()
    """What has to be in `metadata`."""

    @classmethod
    def parse(cls, **given: str | None) -> Filter:
        """Make a filter from strings, as a command line and a URL have them: `since="2h"`, `min_latency="5s"`.

        Takes the names of the fields, and `op`, `error`, `q` and `tag` (`key=value`, separated by commas).

        Raises:
            QueryError: A name is unknown or a value can't be understood; it says what is accepted.
        """
        values: dict[str, Any] = {}
        for name, text in given.items():
            field = _ALIASES.get(name, name)
            if field not in cls.__dataclass_fields__:
                raise QueryError(f"{name} is nothing to filter by; there are {', '.join(cls.__dataclass_fields__)}")
            if text is not None and text != "":
                values[field] = _READ.get(field, str)(text)
        return cls(**values)

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value, kinds = getattr(self, name), _KINDS.get(name, (str, int))
            if value is not None and not isinstance(value, kinds):
                raise QueryError(f"{name} is {value!r}, no {kinds[0].__name__}: Filter.parse({name}=…) reads strings")
            if isinstance(value, int) and str in kinds:  # an id or a name, as a record has it as text, too
                object.__setattr__(self, name, str(value))
        _ = self._tests  # says at once what can't be understood

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, name) for name in self.__dataclass_fields__)

    def may_match(self, line: bytes) -> bool:
        """Say whether a record may match, from its line of JSON, which is much quicker than reading it."""
        return all(clue(line) for clue in self._clues)

    def matches(self, record: Record) -> bool:
        """Say whether a record is one of those that are asked for."""
        return all(test(record) for test in self._tests)

    def read(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """Give those of the records that are asked for, from their lines of JSON."""
        clues, tests = self._clues, self._tests
        for line in lines:  # plain loops: a generator for each of a million lines takes as long as reading them
            for clue in clues:
                if not clue(line):
                    break
            else:
                record = jsontext.loads_or(line.rstrip(b",\n"))
                for test in tests:
                    if not (record and test(record)):
                        break
                else:
                    if isinstance(record, dict):
                        yield record

    @cached_property
    def _tests(self) -> tuple[Test, ...]:
        return tuple(make(value) for name, make in _TESTS.items() if (value := getattr(self, name)) not in {None, ()})

    @cached_property
    def _clues(self) -> tuple[Clue, ...]:
        exact = [self.model, self.provider, self.operation, self.user, self.session, self.agent, self.trace]
        exact += [self.error_type, *(part for tag in self.tags for part in tag)]
        found = [_clue(value, exactly=True) for value in exact if value]
        return tuple(clue for clue in [*found, _clue(self.text or "", exactly=False)] if clue is not None)


def status(record: Record) -> str:
    """Give how a call went: `success`, `failed`, `timeout`, `cancelled`, `interrupted` or `running`."""
    metadata = record.get("metadata")
    if isinstance(metadata, dict) and metadata.get("stage") == "interrupted":
        return "interrupted"
    said = record.get("status")
    return str(said) if said else _OUTCOMES.get(record.get("success"), "running")


def latency_ms(record: Record) -> float | None:
    """Give how long a call took; None when that is not known."""
    return _number(record, _LATENCY)


def began(record: Record) -> datetime | None:
    """Give when a call began; None when that is not known."""
    return moments.read(record.get("timestamp"))


def _has_status(wanted: str) -> Test:
    if wanted not in STATUSES:
        raise QueryError(f"status is {wanted!r}: give one of {', '.join(STATUSES)}")
    meant = _MEANT.get(wanted, {wanted})
    return lambda record: status(record) in meant


def _is(*places: tuple[str, ...]) -> Callable[[str], Test]:
    return lambda wanted: lambda record: any(_text(_at(record, *place)) == wanted for place in places)


def _begins(wanted: str) -> Test:
    return lambda record: _text(record.get("trace_id")).startswith(wanted)


def _since(moment: datetime) -> Test:
    first = moments.aware(moment)
    return lambda record: (start := began(record)) is not None and start >= first


def _until(moment: datetime) -> Test:
    first = moments.aware(moment)
    return lambda record: (start := began(record)) is not None and start < first


def _at_least(get: Callable[[Record], float | None]) -> Callable[[float], Test]:
    return lambda least: lambda record: (found := get(record)) is not None and found >= least


def _has_tags(tags: tuple[tuple[str, str], ...]) -> Test:
    return lambda record: all(
        (found := _at(record, "metadata", key)) is not None and _text(found) == value for key, value in tags
    )


def _says(text: str) -> Test:
    wanted = text.lower()
    return lambda record: any(wanted in said.lower() for key in _SAID for said in texts(record.get(key)))


def texts(value: Json) -> Iterator[str]:
    """Give all that was said in a message, or in a part of one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item) if key not in _NOT_SAID else ()
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def _seconds_taken(record: Record) -> float | None:
    found = latency_ms(record)
    return None if found is None else found / 1000


def _cost(record: Record) -> float | None:
    return _number(record, _COST)


def _tokens(record: Record) -> float | None:
    return _number(record, _TOKENS)


def _number(record: Record, places: tuple[tuple[str, str], ...]) -> float | None:
    for outer, inner in places:
        part = record.get(outer)
        value = part.get(inner) if isinstance(part, dict) else None
        if type(value) in _NUMBERS:  # no bool
            return value
    return None


def _at(record: Record, *path: str) -> Json:
    value: Json = record
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Json) -> str:
    """Give a value as JSON has it, but a text without quotes."""
    if isinstance(value, str):
        return value
    return "" if value is None else jsontext.text(value)


def _clue(value: str, *, exactly: bool) -> Clue | None:
    """Give a test for what any JSON of a record with `value` in it has to contain; None when there is none.

    It looks for the longest part that every writer of JSON leaves as it is, or writes with `\\u`.
    """
    parts = [part for part in _SIMPLE.findall(value) if exactly or part.isascii() or part.lower() == part.upper()]
    part = max(parts, key=len, default="")
    if not part:
        return None
    sought = part.encode("utf-8", "surrogatepass")
    if not part.isascii():
        return lambda line: sought in line or _ESCAPE in line
    if exactly or part.lower() == part.upper():
        return lambda line: sought in line
    lower = sought.lower()
    return lambda line: lower in line.lower()


def _real(text: str) -> float:
    with suppress(ValueError):
        if math.isfinite(float(text)):
            return float(text)
    raise QueryError(f"{text!r} is no number")


def _tags(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(key and equal for key, equal, _ in pairs):
        raise QueryError(f"{text!r} is no tag: give key=value, and several separated by commas")
    return tuple((key.strip(), value.strip()) for key, _, value in pairs)


_SIMPLE = re.compile(r"[A-Za-z0-9_ .:-]+|[^\x00-\x7f]+")
_ESCAPE = b"\\u"
_SAID = ("prompt", "response", "error_message", "messages", "output_messages")
_NOT_SAID = frozenset({"role", "type", "id"})
_LATENCY = (("timing", "duration_ms"), ("performance_metrics", "response_time_ms"))
_COST, _TOKENS = (("cost", "total"),), (("usage", "total_tokens"),)
_NUMBERS = frozenset({int, float})
_OUTCOMES: dict[Json, str] = {True: "success", False: "failed"}
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("since", "until"), (datetime,)),
    **dict.fromkeys(("min_latency", "min_cost", "min_tokens"), (float, int)),
    "tags": (tuple,),
}
_MEANT = {"ok": {"success"}, "error": {"failed", "timeout", "cancelled", "interrupted"}}
_ALIASES = {"op": "operation", "error": "error_type", "q": "text", "tag": "tags"}
_READ: dict[str, Callable[[str], Any]] = {
    "since": moments.beginning,
    "until": moments.end,
    "min_latency": moments.seconds,
    "min_cost": _real,
    "min_tokens": lambda text: int(_real(text)),
    "tags": _tags,
}
_TESTS: dict[str, Callable[[Any], Test]] = {  # the quick ones first
    "status": _has_status,
    "model": _is(("model",), ("metadata", "model_used")),
    "provider": _is(("provider",)),
    "operation": _is(("operation",)),
    "user": _is(("user_id",)),
    "session": _is(("session_id",)),
    "agent": _is(("agent_key",)),
    "trace": _begins,
    "error_type": _is(("error", "type"), ("error", "provider_type"), ("error", "code"), ("error", "status_code")),
    "min_latency": _at_least(_seconds_taken),
    "min_cost": _at_least(_cost),
    "min_tokens": _at_least(_tokens),
    "tags": _has_tags,
    "since": _since,
    "until": _until,
    "text": _says,
}
