"""What no application should pass to a client: values of odd types, used-up iterators, objects that fail at a touch."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from openai_malformed import broken, leaves, odd, texts
from openai_ways import Answer

PART = {"type": "text", "text": "hi"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
VALID: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [PART, {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "done"},
    ],
    "temperature": 0.5,
    "stop": ["a"],
    "n": 1,
    "seed": 1,
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "response_format": {"type": "json_object"},
    "metadata": {"a": "b"},
    "modalities": ["text"],
    "service_tier": "auto",
    "stream": False,
    "extra_body": {"top_k": 3, "thinking": {"type": "enabled"}},
    "extra_headers": {"x-mine": "1"},
    "extra_query": {"a": "b"},
}


@dataclass(frozen=True)
class Fresh:
    """A value that is made anew for every call, since some can be used only once."""

    make: Callable[[], Any]

    def __repr__(self) -> str:
        return f"Fresh({getattr(self.make, '__name__', '?')})"


def fresh(value: Any) -> Any:
    """Give a value with everything in it made."""
    if isinstance(value, Fresh):
        return value.make()
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    return [fresh(item) for item in value] if isinstance(value, list) else value


# --- odd, but nothing fails when they are looked at


class Color(enum.Enum):
    RED = "red"


def generator() -> Iterator[Any]:
    yield {"role": "user", "content": "once"}


def mapped() -> Any:
    return map(str, [1, 2])


def generator_inside() -> Any:
    return {"role": "user", "content": (part for part in [PART])}


def around_itself() -> Any:
    value: list[Any] = []
    value.append({"role": "user", "content": value})
    return value


ODD: list[Callable[[], Any]] = [
    *(generator, mapped, generator_inside, around_itself, object, Answer, lambda: Answer(text="hi"), lambda: Answer),
    *(lambda: b"bytes", lambda: bytearray(b"x"), lambda: {1, 2}, lambda: ({"role": "user", "content": "x"},)),
    *(lambda: dt.date(2025, 1, 1), lambda: decimal.Decimal("0.1"), lambda: uuid.UUID(int=0), lambda: Color.RED),
    *(lambda: {1: 2, None: 3, 2.5: 4}, lambda: {("a",): 1}, lambda: memoryview(b"x"), lambda: 1j, lambda: range(3)),
    *(lambda: 10**400, lambda: float("nan"), lambda: "\ud800", lambda: {"\ud800": "\udfff"}, lambda: 10**30),
]

# --- hostile: a look at them fails


class Refusing:
    """Fails whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no attribute")

    def __iter__(self) -> Any:
        raise RuntimeError("no iterator")

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __len__(self) -> int:
        raise RuntimeError("no length")


class Nobody:
    @property
    def __class__(self) -> Any:
        raise RuntimeError("no class")


class NoItems(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")

    get = __iter__ = keys = values = __getitem__ = items  # type: ignore[assignment]


class NoElements(list[Any]):
    def __iter__(self) -> Any:
        raise RuntimeError("no elements")

    __len__ = __getitem__ = __iter__  # type: ignore[assignment]


class NoText(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __eq__ = __len__ = encode = isascii = __iter__ = __str__  # type: ignore[assignment]
    __hash__ = str.__hash__


class NoNumber(float):
    def __float__(self) -> float:
        raise RuntimeError("no number")

    __floordiv__ = __eq__ = __int__ = __lt__ = __repr__ = __float__  # type: ignore[assignment]
    __hash__ = float.__hash__


class NoMapping(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no item")

    def __iter__(self) -> Iterator[str]:
        return iter(["role", "content"])

    def __len__(self) -> int:
        return 2


class Alive(dict[str, Any]):
    """Another answer at every look: it is looked at by the client alone, or the application sees a difference."""

    def __iter__(self) -> Iterator[str]:
        self["role"] = "assistant" if self.get("role") == "user" else "user"
        return super().__iter__()


HOSTILE: list[Callable[[], Any]] = [
    *(Refusing, Nobody, lambda: NoItems(role="user", content="x"), lambda: NoElements([1]), lambda: NoText("x")),
    *(lambda: NoNumber(1.5), NoMapping, lambda: {"role": Refusing(), "content": Refusing()}, lambda: [Refusing()]),
    lambda: {NoText("role"): "user"},
]


def calls(values: list[Callable[[], Any]]) -> st.SearchStrategy[Any]:
    """Give the arguments of calls, some of them replaced by odd JSON or by such values."""
    made = st.sampled_from([Fresh(make) for make in values])
    inside = st.dictionaries(texts, made | leaves, max_size=2) | st.lists(made | leaves, max_size=2)
    edits = st.lists(st.tuples(st.integers(0, 200), made | inside | odd), min_size=1, max_size=3)
    return edits.map(lambda changes: broken(VALID, changes)).filter(lambda call: isinstance(call, dict))
