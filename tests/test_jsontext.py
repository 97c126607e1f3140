"""JSON as text: what can be said is said, nothing fails, and no foreign code runs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import OrderedDict, UserDict, namedtuple
from decimal import Decimal
from typing import Any

import pytest

from spantape import jsontext

Point = namedtuple("Point", "x y")  # noqa: PYI024


class Untouchable:
    """Its text holds a secret."""

    def __repr__(self) -> str:
        raise AssertionError("our code ran its code")

    __str__ = __iter__ = __len__ = keys = __getitem__ = __repr__


@dataclasses.dataclass
class Config:
    api_key: str = "sk-secret"


class Text(str):
    __slots__ = ()


class Table(dict[str, Any]):
    pass


PLAIN = [
    None,
    True,
    False,
    0,
    -1,
    2**53,
    2**63,
    -(2**63),
    2**64 - 1,
    1.5,
    -0.0,
    1e300,
    "",
    "text",
    '中文 🎉 \u2028 \x00 " \\ /',
    [],
    {},
    [[], [{}], {"a": [1, None]}],
    {"": {"a": {"b": {"c": [True]}}}},
]


@pytest.mark.parametrize("value", PLAIN, ids=ascii)
def test_plain_json_comes_back(value: Any) -> None:
    assert jsontext.loads(jsontext.dumps(value)) == value
    assert json.loads(jsontext.dumps(value)) == value
    assert json.dumps(jsontext.mended(value)) == json.dumps(value)
    assert jsontext.text(value) == jsontext.dumps(value).decode()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ((1, 2), [1, 2]),
        (Point(1, 2), [1, 2]),
        ({1}, [1]),
        (frozenset("a"), ["a"]),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict(a=[1]), {"a": [1]}),
        (Table(a=Text("x")), {"a": "x"}),
        (Decimal("1.10"), "1.10"),
        (2**64, str(2**64)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        (math.nan, None),
        (math.inf, None),
        (b"bytes", "<bytes>"),
        (Untouchable(), "<Untouchable>"),
        (Config(), "<Config>"),
        (object, "<type>"),
        ({1: "a", 2.5: "b"}, {"1": "a", "2.5": "b"}),
    ],
    ids=lambda value: "Untouchable" if isinstance(value, Untouchable) else ascii(value),
)
def test_what_json_can_not_say_has_a_stand_in(value: Any, said: Any) -> None:
    assert jsontext.loads(jsontext.dumps(value)) == said
    assert jsontext.loads(jsontext.dumps([value, {"deep": value}])) == [said, {"deep": said}]
    assert jsontext.mended(value) == said


def test_the_slow_way_says_the_same() -> None:
    """One lone surrogate is enough to take it, for the whole value."""
    value = {"list": (1, {"a": Untouchable()}), "config": Config(), "large": 2**70, "text": "中🎉"}
    fast = jsontext.loads(jsontext.dumps(value))
    slow = jsontext.loads(jsontext.dumps({**value, "lone": "\ud800"}))
    assert slow == {**fast, "lone": "\ufffd"}


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("plain", "plain"),
        ("中🎉", "中🎉"),
        ("\ud83c\udf89", "🎉"),
        ("a\ud83c", "a\ufffd"),
        ("\udf89b", "\ufffdb"),
        ("\udf89\ud83c", "\ufffd\ufffd"),
        ("\ud83c\ud83c\udf89", "\ufffd🎉"),
        ("\x00", "\x00"),
    ],
    ids=ascii,
)
def test_broken_surrogates(text: str, whole: str) -> None:
    assert jsontext.whole(text) == whole
    assert jsontext.loads(jsontext.dumps(text)) == whole
    assert jsontext.loads(jsontext.dumps({text: [text]})) == {whole: [whole]}
    assert jsontext.whole(whole) == whole


def test_cycles_end() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    table: dict[str, Any] = {"list": cycle}
    table["self"] = table
    assert "<nested too deep>" in jsontext.text(cycle)
    assert jsontext.loads(jsontext.dumps({"a": [cycle]}))["a"]


def test_depth_ends() -> None:
    deep: Any = "bottom"
    for _ in range(2000):
        deep = [deep]
    assert "<nested too deep>" in jsontext.text(deep)
    level = "bottom"
    for _ in range(100):
        level = [level]  # type: ignore[assignment]
    assert "bottom" in jsontext.text(level)


@pytest.mark.parametrize("source", ['{"a": [1.0, "\\u4e2d"]}', "[]", '[\n  "two",\r\n  "lines"\n]', '"中"'])
@pytest.mark.parametrize("beside", ["plain", "\ud800"], ids=ascii)
def test_json_text_is_taken_over_as_it_is(source: str, beside: str) -> None:
    data = jsontext.dumps({"source": jsontext.verbatim(source), "beside": beside})
    assert json.loads(data)["source"] == json.loads(source)
    assert b"\n" not in data


def test_one_line() -> None:
    assert b"\n" not in jsontext.dumps({"a": "\n\r\u2028", "b": ["\n", {"\n": "\ud800\n"}]})


@pytest.mark.parametrize("text", ["", "{", "[1,]", '{"a": 1', "nul", "'a'", '"\\ud800"', "\ud800", "[" * 5000, "1 2"])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        jsontext.loads(text)
    assert jsontext.loads_or(text) is None
    assert jsontext.loads_or(text, {}) == {}


@pytest.mark.parametrize("value", [None, 5, ["[]"], {"a": 1}, object()])
def test_what_is_no_text(value: object) -> None:
    assert jsontext.loads_or(value) is None
    assert jsontext.loads_or(value, "default") == "default"


def test_bytes_are_read_too() -> None:
    assert jsontext.loads_or(b'{"a": [1]}') == jsontext.loads_or('{"a": [1]}') == {"a": [1]}
    assert jsontext.loads_or(b"\xff") is None
    assert jsontext.loads_or("null", "default") is None


def test_what_holds_itself_twice_ends() -> None:
    twice: list[Any] = []
    twice += [twice, twice]
    assert "nested too deep" in jsontext.text(twice)


def test_a_key_is_never_asked_what_it_says() -> None:
    class Secret:
        def __str__(self) -> str:
            return "sk-secret"

    assert "sk-secret" not in jsontext.text({Secret(): 1, "\ud800": 2})


def test_beside_a_lone_surrogate_the_rest_stays_as_it_is() -> None:
    import datetime as dt

    moment = dt.datetime(2026, 11, 21, tzinfo=dt.timezone.utc)
    found = json.loads(jsontext.text({"bad": "\ud800", "at": moment, True: None}))
    assert found == {"bad": "\ufffd", "at": "2026-11-21T00:00:00+00:00", "true": None}
