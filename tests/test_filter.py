"""`Filter`: made from strings as people write them, and the same answer with and without a look at the raw line."""

from __future__ import annotations

import json
import pickle
import sys
import time
from dataclasses import fields
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spantape import Filter, QueryError, moments
from spantape.filter import STATUSES

NOW = datetime(2026, 11, 21, 15, 30, tzinfo=timezone(timedelta(hours=8)))

RECORD: dict[str, Any] = {
    "id": "a",
    "timestamp": "2026-11-21T12:00:00.000000+08:00",
    "session_id": "5",
    "provider": "openai",
    "model": "gpt-4.1",
    "prompt": '选择一款产品 "Choose"\nStraße',
    "response": "Certainly!",
    "success": True,
    "error_message": None,
    "metadata": {"stage": "completed", "model_used": "gpt-4.1-2026", "task": "ask", "try": 2, "cached": True},
    "trace_id": "7ab1" + "0" * 28,
    "operation": "chat",
    "user_id": "ann",
    "agent_key": "helper",
    "output_messages": [{"role": "assistant", "parts": [{"type": "tool_call", "arguments": {"city": "Köln"}}]}],
    "usage": {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120},
    "cost": {"total": 0.02, "currency": "USD"},
    "timing": {"duration_ms": 1500.0},
    "status": "success",
}
FAILED = RECORD | {
    "success": False,
    "status": "failed",
    "error": {"type": "openai.RateLimitError", "code": "rate_limit", "status_code": 429, "provider_type": "tokens"},
    "error_message": "Slow down",
}

YES = [
    {"status": "ok"},
    {"status": "success"},
    {"model": "gpt-4.1"},
    {"model": "gpt-4.1-2026"},
    {"provider": "openai"},
    {"op": "chat"},
    {"user": "ann"},
    {"session": "5"},
    {"agent": "helper"},
    {"trace": "7ab1"},
    {"since": "2026-11-21T04:00:00Z"},
    {"until": "2026-11-21T04:00:01Z"},
    {"since": "2026-11-20", "until": "2026-11-22"},
    {"min_latency": "1.5s"},
    {"min_latency": "1500ms"},
    {"min_cost": "0.02"},
    {"min_tokens": "120"},
    {"tag": "task=ask"},
    {"tag": "task=ask, try=2"},
    {"tag": "cached=true"},
    {"q": "产品"},
    {"q": "choose"},
    {"q": '"CHOOSE"'},
    {"q": "STRASSE".replace("SS", "ß")},
    {"q": "köln"},
    {"q": '产品 "choose"'},
    {"text": "certainly"},
    {},
    {"model": None, "q": ""},
]
NO = [
    {"status": "error"},
    {"status": "running"},
    {"model": "gpt-4"},
    {"user": "Ann"},
    {"session": "55"},
    {"trace": "ab1"},
    {"since": "2026-11-21T04:00:01Z"},
    {"until": "2026-11-21T04:00:00Z"},
    {"min_latency": "2"},
    {"min_cost": "0.021"},
    {"min_tokens": "121"},
    {"tag": "task=answer"},
    {"tag": "none="},
    {"tag": "task="},
    {"error": "429"},
    {"q": "介入"},
    {"q": "assistant"},
    {"q": "gpt"},
]


def matches(wanted: Filter, record: dict[str, Any]) -> bool:
    """Ask in every way there is; all give the same."""
    direct = wanted.matches(record)
    for form in ({}, {"ensure_ascii": False}, {"ensure_ascii": False, "separators": (",", ":")}):
        line = json.dumps(record, **form).encode()
        assert wanted.may_match(line) or not direct
        assert list(wanted.read([line + b",\n"])) == ([record] if direct else [])
    return direct


@pytest.mark.parametrize("given", YES, ids=str)
def test_yes(given: dict[str, str]) -> None:
    assert matches(Filter.parse(**given), RECORD)


@pytest.mark.parametrize("given", NO, ids=str)
def test_no(given: dict[str, str]) -> None:
    assert not matches(Filter.parse(**given), RECORD)


@pytest.mark.parametrize("error", ["openai.RateLimitError", "429", "rate_limit", "tokens"])
def test_what_failed(error: str) -> None:
    assert matches(Filter.parse(error=error, status="error", q="slow"), FAILED)


@pytest.mark.parametrize("status", STATUSES)
def test_statuses(status: str) -> None:
    records = {
        "success": RECORD,
        "failed": FAILED,
        "timeout": FAILED | {"status": "timeout"},
        "cancelled": FAILED | {"status": "cancelled"},
        "interrupted": FAILED | {"metadata": {"stage": "interrupted"}},
        "running": RECORD | {"success": None, "status": None, "metadata": {"stage": "started"}},
    }
    meant = {"ok": {"success"}, "error": {"failed", "timeout", "cancelled", "interrupted"}}.get(status, {status})
    found = {name for name, record in records.items() if matches(Filter(status=status), record)}
    assert found == meant


def test_records_of_seed_000() -> None:
    theirs = {"id": "a", "timestamp": "2026-11-21T12:00:00.1", "session_id": 5, "prompt": "产品", "success": False}
    theirs |= {"performance_metrics": {"response_time_ms": 28909}}
    assert matches(Filter.parse(session="5", status="error", q="产品", min_latency="28s", since="2026-11-20"), theirs)
    assert not matches(Filter(min_cost=0.0), theirs)
    assert not matches(Filter(min_tokens=0), theirs)


def test_records_that_say_little() -> None:
    for name in (option.name for option in fields(Filter)):
        wanted = Filter(
            **{name: {"tags": (("a", "b"),), "since": NOW, "until": NOW}.get(name, 1 if "min" in name else "ok")}
        )
        if name != "status":
            assert not matches(wanted, {})
            assert not matches(wanted, dict.fromkeys(RECORD))
            assert not matches(wanted, {key: [1] for key in RECORD})
    assert list(Filter().read([b"[1]", b"3", b"garbage", b"", b"{}\n"])) == [{}]


def test_as_a_value() -> None:
    wanted = Filter.parse(model="gpt-4.1", tag="a=b", since="2h")
    assert matches(pickle.loads(pickle.dumps(wanted)), RECORD) == matches(wanted, RECORD)
    assert pickle.loads(pickle.dumps(wanted)) == wanted
    assert hash(wanted) == hash(pickle.loads(pickle.dumps(wanted)))
    assert Filter() == Filter.parse() != wanted


@given(st.text(), st.text(), st.text())
def test_a_text_is_found_wherever_it_stands(before: str, sought: str, after: str) -> None:
    record = {"prompt": before + sought + after}
    written = json.loads(json.dumps(record).encode().decode())
    if sought.lower() in record["prompt"].lower():  # some letters are lowered by what stands beside them
        assert Filter(text=sought).matches(written)
        if sought.isascii() or sought.lower() == sought.upper():
            assert matches(Filter(text=sought), written)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"status": "great"}, "status is 'great': give one of ok, error"),
        ({"since": "whenever"}, "'whenever' is no time that can be understood: give a time like 15m"),
        ({"until": "2026-13-01"}, "2026-13-01"),
        ({"since": "99999999999w"}, "is no time"),
        ({"min_latency": "long"}, "no length of time: give seconds"),
        ({"min_cost": "much"}, "'much' is no number"),
        ({"min_tokens": "inf"}, "'inf' is no number"),
        ({"tag": "x"}, "'x' is no tag: give key=value"),
        ({"colour": "red"}, "colour is nothing to filter by; there are status, model"),
    ],
)
def test_what_can_not_be_understood(given: dict[str, str], complaint: str) -> None:
    with pytest.raises(QueryError, match=complaint):
        Filter.parse(**given)


@pytest.mark.parametrize(
    "given", [{"since": "2h"}, {"until": date(2026, 11, 21)}, {"min_latency": "5"}, {"tags": "a=b"}, {"model": ["a"]}]
)
def test_a_value_of_another_kind(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(QueryError, match=f"^{name} is .* Filter.parse\\({name}=…\\) reads strings"):
        Filter(**given)


def test_numbers_for_names() -> None:
    record = {"session_id": "5", "user_id": 7, "prompt": "call 911", "trace_id": "12ab"}
    assert matches(Filter(session=5, user=7, text=911, trace=12), record)  # type: ignore[arg-type]
    assert not matches(Filter(session=6), record)  # type: ignore[arg-type]


@pytest.fixture
def shanghai(monkeypatch: pytest.MonkeyPatch) -> Any:
    if sys.platform == "win32":
        pytest.skip("the time zone can't be set there")
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("shanghai")
@pytest.mark.parametrize(
    ("text", "beginning", "end"),
    [
        ("15m", "2026-11-21T15:15:00+08:00", None),
        ("2h", "2026-11-21T13:30:00+08:00", None),
        ("1.5d", "2026-11-20T03:30:00+08:00", None),
        ("1w", "2026-11-14T15:30:00+08:00", None),
        ("today", "2026-11-21T00:00:00+08:00", "2026-11-22T00:00:00+08:00"),
        ("yesterday", "2026-11-20T00:00:00+08:00", "2026-11-21T00:00:00+08:00"),
        ("2026-11-01", "2026-11-01T00:00:00+08:00", "2026-11-02T00:00:00+08:00"),
        ("2026-11-01T12:00", "2026-11-01T12:00:00+08:00", None),
        ("2026-11-01 12:00:00", "2026-11-01T12:00:00+08:00", None),
        ("2026-11-01T12:00:00.5Z", "2026-11-01T12:00:00.500000+00:00", None),
        ("2026-11-01T12:00:00.123456789-05:00", "2026-11-01T12:00:00.123456-05:00", None),
    ],
)
def test_moments(text: str, beginning: str, end: str | None) -> None:
    assert moments.beginning(text, NOW).isoformat() == beginning
    assert moments.end(text, NOW).isoformat() == (end or beginning)


def test_days_are_as_long_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the one on which clocks are put back."""
    if sys.platform == "win32":
        pytest.skip("the time zone can't be set there")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    length = moments.end("2026-10-25").timestamp() - moments.beginning("2026-10-25").timestamp()
    monkeypatch.undo()
    time.tzset()
    assert length == 25 * 3600


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", 5.0), ("1.5", 1.5), ("5s", 5.0), ("200ms", 0.2), ("2m", 120.0), ("1h", 3600.0)]
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert moments.seconds(text) == seconds
