"""Sums of calls in several currencies, and of calls of which a part was recorded."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_tree import real, record, spantape, tree

from spantape.testing import ScriptedServer, completion

YUAN = {"input": 1.0, "output": 1.0, "total": 2.0, "currency": "CNY", "source": "prices.json"}


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def sampled(number: int, rate: float | None, **changed: Any) -> dict[str, Any]:
    metadata = {"stage": "completed"} | ({"sample_rate": rate} if rate else {})
    return record(number, metadata=metadata, **changed)


def test_a_sample_stands_for_all_calls_and_says_so(tmp_path: Path) -> None:
    failed = {"success": False, "status": "failed", "usage": None, "cost": None}
    calls = [sampled(1, 0.1), sampled(2, 0.1, cost=YUAN), sampled(3, 0.3, cost=None), sampled(4, None, **failed)]
    (told,) = rows(spantape("stats", folder=tree(tmp_path, calls)))
    assert (told["calls"], told["recorded"], told["failed"]) == ("24", "4", "1")
    assert told["input_tokens"] in {"23333", "23.3k"}
    (told,) = rows(spantape("cost", folder=tmp_path))
    assert (told["calls"], told["recorded"], told["unpriced"]) == ("24", "4", "3")
    assert (float(told["cost.USD"]), float(told["cost.CNY"])) == (0.0027, 20.0)


def test_whole_recordings_say_nothing_of_samples(folder: Path) -> None:
    assert "recorded" not in rows(spantape("stats", folder=folder))[0]


@pytest.mark.parametrize(
    ("one", "other", "seen"),
    [
        (0.00027, YUAN, "cost      [-$0.00027-]{+¥2.00+}"),
        (None, YUAN, "cost      [-–-]{+¥2.00+}"),
        (0.00027, {"total": 0.00054, "currency": "USD"}, "cost      [-$0.00027-]{+$0.00054+}  +100%"),
        (0.00027, {"total": 0.00027, "currency": "USD"}, ""),
    ],
)
def test_a_difference_of_costs(one: float | None, other: Any, seen: str, tmp_path: Path) -> None:
    before = {"total": one, "currency": "USD"} if one else None
    told = spantape("diff", "last~1", "last", folder=tree(tmp_path, [record(1, cost=before), record(2, cost=other)]))
    assert [line.rstrip() for line in told.splitlines() if line.startswith("cost")] == [seen][: bool(seen)]


TWO_CALLS = """
import openai
with openai.OpenAI(api_key="k") as client:
    for model in ("yuan", "dollar"):
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
"""


def test_a_run_in_two_currencies(tmp_path: Path) -> None:
    prices = [{"model": "yuan", "currency": "CNY", "input_price_per_1k": 3, "output_price_per_1k": 0}]
    prices += [{"model": "dollar", "input_price_per_1k": 2, "output_price_per_1k": 0}]
    (tmp_path / "prices.json").write_text(json.dumps(prices), encoding="utf-8")
    with ScriptedServer() as server:
        used = {"prompt_tokens": 1000, "completion_tokens": 0}
        server.replies(completion("a", model="yuan", usage=used), completion("b", model="dollar", usage=used))
        more = {"OPENAI_BASE_URL": server.url, "SPANTAPE_PRICES": str(tmp_path / "prices.json")}
        done = real("run", "--", sys.executable, "-c", TWO_CALLS, folder=tmp_path, **more)
    assert "¥3.00 + $2.00" in done.stderr
