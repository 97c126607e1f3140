"""Lists that sum up: sessions, traces, errors by kind, statistics, costs, searches; and the filters of all."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cli_tree import FAILED, RECORDS, process, record, said, spantape, tree

from spantape.cli._trend import Trend, compared


def ids(*words: str, folder: Path) -> list[str]:
    done = process("ls", "-o", "json", *words, folder=folder)
    assert done.returncode in {0, 3}, done.stderr
    return [each["id"][:8] for each in json.loads(done.stdout or "[]")]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("--session 产品专员", ["00000002"]),
        ("--user grace", ["00000002"]),
        ("--model qwen-max", ["00000002"]),
        ("--provider openai --status error", ["fa11ed00"]),
        ("--status ok -n 1", ["00000002"]),
        ("--error 429", ["fa11ed00"]),
        ("--trace 00000000000000000000000000000001", ["00000001"]),
        ("--min-latency 1501ms", []),
        ("--min-cost 0.0003", []),
        ("-q 三款", ["00000002"]),
        ("--since 2026-11-21T12:00:02+08:00 --until 2026-11-21T12:00:03+08:00", ["00000002"]),
        ("--since 2026-11-22", []),
        ("--agent none", []),
        ("--tag model_used=gpt-4o-mini-2024-07-18 -n 1", ["fa11ed00"]),
    ],
)
def test_filters(words: str, found: list[str], folder: Path) -> None:
    assert ids(*words.split(), folder=folder) == found


@pytest.mark.parametrize(
    "words", ["--since whenever", "--status good", "--min-cost much", "--tag x", "--min-latency nan"]
)
def test_a_filter_that_cannot_be_understood(words: str, folder: Path) -> None:
    done = process("ls", *words.split(), folder=folder)
    assert done.returncode == 2
    assert words.split()[1] in done.stderr


def told(*words: str, folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(spantape(*words, "-o", "json", folder=folder))
    return found


def test_errors_of_one_kind(tmp_path: Path) -> None:
    def failed(number: int, message: str, **more: Any) -> dict[str, Any]:
        return FAILED | {
            "id": f"{number:08x}-0000-5000-8000-000000000000",
            "timestamp": f"2026-11-21T12:{number:02}:00+08:00",
            "error_message": message,
            **more,
        }

    good = record(0)
    calls = [
        good,
        *(
            failed(n, f"Error code: 429 - limit of org-Xk3{n}9qLmN8pQ2r reached, try again in {n}.5s")
            for n in range(1, 5)
        ),
        failed(5, "Connection error.", error={"type": "openai.APIConnectionError"}, model="gpt-4o"),
    ]
    most, least = told("errors", "--group", folder=tree(tmp_path, calls))
    assert (most["count"], least["count"]) == (4, 1)
    assert most["error"] == "openai.RateLimitError 429 rate Error code: … - limit of … reached, try again in …s"
    assert (most["first"], most["last"]) == ("2026-11-21T12:01:00+08:00", "2026-11-21T12:04:00+08:00")
    assert most["sample"] == calls[4]["id"]
    assert (most["good"], least["good"]) == (good["id"], None)
    assert (most["trend"], least["trend"]) == ([1, 0, 1, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1])


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("hour", {"2026-11-21 12:00": 4}),
        ("week", {"2026-W47": 4}),
        ("month", {"2026-11": 4}),
        ("session", {"5": 3, "产品专员": 1}),
        ("provider", {"openai": 4}),
        ("agent", {"–": 4}),
    ],
)
def test_statistics_by_whatever(key: str, found: dict[str, int], folder: Path) -> None:
    assert {each[key]: each["calls"] for each in told("stats", "--by", key, folder=folder)} == found


def test_currencies_are_not_added_up(tmp_path: Path) -> None:
    yuan = record(1, cost={"total": 0.5, "currency": "CNY"})
    unpriced = record(2, cost=None)
    (day,) = told("cost", folder=tree(tmp_path, [record(0), yuan, unpriced]))
    assert day["cost"] == {"USD": 0.00027, "CNY": 0.5}
    assert day["unpriced"] == 1


def test_a_session_as_a_list(folder: Path) -> None:
    assert [each["id"] for each in told("session", "5", folder=folder)] == [
        each["id"] for each in RECORDS if each["session_id"] == "5"
    ]


NOTHING = ["session none", "trace ffff", "search nowhere", "errors --model qwen-max"]
NOTHING_OF_BOTH = ["search question -q nowhere", "errors --status ok", "session 5 --session 6", "trace 0 --trace 1"]


@pytest.mark.parametrize("words", [*NOTHING, *NOTHING_OF_BOTH])
def test_nothing_found(words: str, folder: Path) -> None:
    assert process(*words.split(), folder=folder).returncode == 3


def test_a_search_says_who_said_it(tmp_path: Path) -> None:
    call = {"type": "tool_call", "id": "1", "name": "get_weather", "arguments": {"city": "杭州"}}
    spoken = [said("system", "Be KIND to all."), {"role": "assistant", "parts": [call]}]
    thought = {"role": "assistant", "parts": [{"type": "reasoning", "content": "Is it far?"}]}
    folder = tree(tmp_path, [record(1, messages=spoken, output_messages=[thought])])
    found = [told("search", text, folder=folder)[0] for text in ("be kind", "杭州", "question", "FAR")]
    assert [(each["where"], each["found"]) for each in found] == [
        ("system", "Be KIND to all."),
        ("assistant", '[call get_weather {"city":"杭州"}]'),
        ("prompt", "question 1"),
        ("assistant", "Is it far?"),
    ]


def test_the_nearest_good_calls_are_looked_for_once(tmp_path: Path) -> None:
    def at(second: int, model: str, **more: Any) -> dict[str, Any]:
        return record(second, model=model, **more)

    bad = {"success": False, "status": "failed", "cost": None, "usage": None}
    calls = [
        at(1, "a"),
        at(2, "b"),
        at(3, "a", error_message="one", **bad),
        at(4, "a"),
        at(5, "a", error_message="two", **bad),
        at(6, "b", error_message="three", **bad),
        at(7, "b"),
        at(8, "c", error_message="four", **bad),
    ]
    found = told("errors", "--group", folder=tree(tmp_path, calls))
    good = {each["error"]: each["good"] for each in found}
    assert good == {"one": calls[0]["id"], "two": calls[3]["id"], "three": calls[1]["id"], "four": None}


def test_a_trend_takes_little_room() -> None:
    trend, start = Trend(), datetime(2026, 1, 1, tzinfo=timezone.utc)
    for hour in range(24 * 365):
        trend.add(start + timedelta(hours=hour), 2)
    (parts,) = compared([trend])
    assert sum(parts) == 2 * 24 * 365
    assert all(abs(part - inner) <= inner * 0.02 for part, inner in zip(parts[1:-1], [parts[3]] * 6, strict=True))
    assert len(trend._counts) <= 512
    assert compared([Trend()]) == [[0] * 8]


def test_no_more_than_asked_for(folder: Path) -> None:
    assert [each["model"] for each in told("stats", "-n", "1", folder=folder)] == ["gpt-4o-mini"]
    assert [each["user"] for each in told("cost", "--by", "user", "-n", "1", folder=folder)] == ["ada"]
    assert [each["id"] for each in told("session", "5", "-n", "2", folder=folder)] == [RECORDS[1]["id"], FAILED["id"]]
