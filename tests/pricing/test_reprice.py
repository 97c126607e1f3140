"""Recorded calls at other prices."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from priced import row

import openai
import spantape
from recorded import Recorded
from spantape.testing import ScriptedServer, completion

USED = {
    "prompt_tokens": 1000,
    "completion_tokens": 500,
    "prompt_tokens_details": {"cached_tokens": 200},
    "completion_tokens_details": {"reasoning_tokens": 100},
}


def ask(server: ScriptedServer, model: str, usage: Any = USED, **more: Any) -> None:
    reply = completion("Hello", model=model, usage=usage)
    reply.body.update(more)
    server.replies(reply)
    with openai.OpenAI(base_url=server.url, api_key="test") as client:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "records", prices=[row("known"), row("yuan", currency="CNY")])


def test_the_same_prices_change_nothing(server: ScriptedServer, recorded: Recorded) -> None:
    rows = [
        row("known", cache_read_input_price_per_1k=0.1, reasoning_output_price_per_1k=9, server="127.0.0.1"),
        row("known", 5, 7, tier="flex", provider="127.0.0.1"),
        row("known", 6, 8, above_input_tokens=1000),
    ]
    spantape.uninstrument()
    again = Recorded(recorded.base_dir, prices=rows)
    ask(server, "known")
    ask(server, "known", service_tier="flex")
    ask(server, "known", {"prompt_tokens": 2000, "completion_tokens": 1})
    ask(server, "gpt-4o-mini")
    ask(server, "nobody-knows")
    assert len(again.records) == 5
    told = spantape.recordings(again.base_dir).reprice(prices=rows)
    assert len(told.calls) == 5
    assert told.changed == []
    assert [call.before for call in told.calls] == [call.after for call in told.calls]
    assert set(told.difference.values()) == {Decimal(0)}


def test_the_difference_of_each_and_of_all(server: ScriptedServer, recorded: Recorded) -> None:
    ask(server, "known")
    ask(server, "yuan")
    ask(server, "gpt-4o-mini")
    assert len(recorded.records) == 3
    rows = [row("known", 2, 4), row("yuan", "1.5", 2, currency="CNY"), row("gpt-4o-mini", 1, 1, currency="EUR")]
    told = spantape.recordings(recorded.base_dir).reprice(prices=rows)
    known, yuan, mini = told.calls
    assert (known.model, known.difference, yuan.difference) == ("known", Decimal(2), Decimal("0.5"))
    assert mini.before is not None
    assert mini.after is not None
    assert (mini.before["currency"], mini.after["currency"], mini.difference) == ("USD", "EUR", None)
    cost = Decimal(str(mini.before["total"]))
    assert told.before == {"USD": 2 + cost, "CNY": Decimal(2)}
    assert told.after == {"USD": Decimal(4), "CNY": Decimal("2.5"), "EUR": Decimal("1.5")}
    assert told.difference == {"USD": 2 - cost, "CNY": Decimal("0.5"), "EUR": Decimal("1.5")}
    assert [call.model for call in told.changed] == ["known", "yuan", "gpt-4o-mini"]


def test_a_price_that_was_not_known(server: ScriptedServer, recorded: Recorded) -> None:
    ask(server, "unknown")
    ask(server, "known", usage=None)
    assert len(recorded.records) == 2
    told = spantape.recordings(recorded.base_dir).reprice(prices=[row("unknown")])
    assert [(call.before, call.difference) for call in told.calls] == [(None, None), (None, None)]
    assert told.calls[1].after is None
    assert (told.before, told.after, told.difference) == ({}, {"USD": Decimal(2)}, {"USD": Decimal(2)})
    assert [call.model for call in told.changed] == ["unknown"]


def test_a_call_is_priced_at_its_own_time(recorded: Recorded) -> None:
    usage = {"input_tokens": 1000, "output_tokens": 0}
    days = ["2025-05-01T12:00:00+08:00", "2026-05-01T12:00:00+08:00", "nonsense"]
    records = [{"id": day, "timestamp": day, "model": "m", "usage": usage} for day in days]
    rows = [row("m", 1, 0), row("m", 3, 0, valid_from="2026-01-01")]
    told = spantape.recordings(recorded.base_dir).reprice(records, prices=rows)
    assert [call.after and call.after["total"] for call in told.calls] == [1, 3, None]


def test_some_records_only_and_no_file_is_changed(server: ScriptedServer, recorded: Recorded) -> None:
    with spantape.session("a"):
        ask(server, "known")
    ask(server, "known")
    assert len(recorded.records) == 2
    before = {file: file.read_bytes() for file in recorded.base_dir.rglob("*.json")}
    recordings = spantape.recordings(recorded.base_dir)
    told = recordings.reprice(recordings.get_session_interactions("a"), prices=[row("known", 10, 0)])
    assert told.difference == {"USD": Decimal(8)}
    assert before == {file: file.read_bytes() for file in recorded.base_dir.rglob("*.json")}


def test_with_the_settings_of_the_environment(
    server: ScriptedServer, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ask(server, "known")
    assert recorded.record["cost"]["total"] == 2
    (tmp_path / "prices.json").write_text(json.dumps([row("known", 3, 0)]), encoding="utf-8")
    monkeypatch.setenv("SPANTAPE_PRICES", str(tmp_path / "prices.json"))
    monkeypatch.setenv("SPANTAPE_EXCHANGE_RATES", "USD/EUR=0.5")
    monkeypatch.setenv("SPANTAPE_COST", "false")
    told = spantape.recordings(recorded.base_dir).reprice()
    assert told.after == {"EUR": Decimal("1.5")}
    assert told.calls[0].after is not None
    assert told.calls[0].after["source"] == "prices.json at 0.5 EUR/USD"


@pytest.mark.parametrize("field", ["usage", "metadata", "server", "cost", "timestamp", "model", "provider"])
@pytest.mark.parametrize("value", [None, 5, "text", [], {}, {"total": "x"}, {"input_tokens": None}])
def test_odd_records_are_no_obstacle(field: str, value: Any, recorded: Recorded) -> None:
    record = {"id": "1", "timestamp": "2026-05-01T12:00:00Z", "model": "known", "usage": {"input_tokens": 1}} | {
        field: value
    }
    (told,) = spantape.recordings(recorded.base_dir).reprice([record], prices=[row("known")]).calls
    assert told.difference is None


def test_a_bad_table_is_told(recorded: Recorded) -> None:
    with pytest.raises(spantape.SettingError, match="row 1"):
        spantape.recordings(recorded.base_dir).reprice(prices=[{}])
