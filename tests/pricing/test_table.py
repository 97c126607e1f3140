"""A price table of one's own: whose price a row is, when it holds, and what it may say."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from priced import book, call, cost, row, totals

import openai
import spantape
from recorded import Recorded
from spantape import semconv
from spantape.pricing import PriceBook
from spantape.settings import Settings
from spantape.testing import ScriptedServer, completion

USED = {"prompt_tokens": 1000, "completion_tokens": 500}


def ask(server: ScriptedServer, model: str = "gpt-4o-mini") -> None:
    server.replies(completion("Hello", model=model, usage=USED))
    with openai.OpenAI(base_url=server.url, api_key="test") as client:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])


# --- the public path


def test_rows_given_to_instrument(server: ScriptedServer, tmp_path: Path) -> None:
    prices = [row("gpt-4o-mini", "0.3", "0.6", currency="CNY", valid_from="2024-05-01")]
    recorded = Recorded(tmp_path / "records", prices=prices)
    ask(server)
    assert recorded.record["cost"] == {
        "input": 0.3,
        "output": 0.3,
        "total": 0.6,
        "currency": "CNY",
        "source": "prices=",
        "price_date": "2024-05-01",
    }
    assert recorded.attributes["spantape.cost.price_date"] == "2024-05-01"


YAML = """
prices:
  - model_name: gpt-4o-mini   # the names of a price table in a database
    vendor_name: 127.0.0.1
    input_price_per_1k: 0.3
    output_price_per_1k: 0.6
    valid_from: 2024-05-01
    note: of our contract
"""


@pytest.mark.parametrize("name", ["prices.yaml", "prices.YML", "prices.json"])
def test_a_file_named_by_the_environment(
    name: str, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name != "prices.json":
        pytest.importorskip("yaml")
    text = YAML if name != "prices.json" else json.dumps([row("gpt-4o-mini", 0.3, 0.6, valid_from="2024-05-01")])
    (tmp_path / name).write_text("\ufeff" + text, encoding="utf-8")
    monkeypatch.setenv("SPANTAPE_PRICES", str(tmp_path / name))
    recorded = Recorded(tmp_path / "records")
    ask(server)
    cost = recorded.record["cost"]
    assert (cost["total"], cost["currency"], cost["source"]) == (0.6, "USD", name)
    assert cost["price_date"] == "2024-05-01"


def test_what_is_not_in_the_table_is_priced_as_before(server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", prices=[row("mine")])
    ask(server)
    assert recorded.record["cost"]["source"].startswith("genai-prices@")


def test_without_a_table(server: ScriptedServer, recorded: Recorded) -> None:
    ask(server)
    assert recorded.record["cost"]["source"].startswith("genai-prices@")


# --- whose price it is


def test_the_users_price_wins_whatever_the_response_calls_the_model() -> None:
    found = call("gpt-4o") | {semconv.RESPONSE_MODEL: "gpt-4o-2024-08-06"}
    assert cost(book(row("gpt-4o")), found)["source"] == "prices="
    assert cost(book(row("gpt-4o-2024-08-06")), found)["source"] == "prices="
    assert cost(book(row("gpt-4o-2024-05-13")), found)["source"].startswith("genai-prices@")


def test_the_most_exact_row_wins() -> None:
    prices = book(
        row("m*", 1, 0),
        row("m-large*", 2, 0),
        row("m-large-1", 3, 0),
        row("m-large-1", 4, 0, provider="p"),
        row("m-large-1", 5, 0, server="example.org"),
        row("m-large-1", 6, 0, server="eu.example.org"),
        row("m-large-1", 7, 0, provider="p", server="eu.example.org"),
    )
    found = [
        call("m-small", "p"),
        call("m-large-2", "p"),
        call("M-Large-1", "other"),
        call("m-large-1", "p"),
        call("m-large-1", "other", server="api.example.org"),
        call("m-large-1", "other", server="eu.example.org"),
        call("m-large-1", "P", server="EU.example.org"),
    ]
    assert totals(prices, found) == [1000, 2000, 3000, 4000, 5000, 6000, 7000]
    assert totals(prices, [call("n"), call("other-m")]) == [None, None]
    assert totals(book(row(server="example.org")), [call("m", server="notexample.org")]) == [None]


def test_a_tier_has_a_price_of_its_own_or_the_next_list_is_asked() -> None:
    prices = book(row(sent=2, received=0), row(sent=1, received=0, tier="flex"), row(sent=3, received=0, tier="batch"))
    tiers = [None, "default", "flex", "batch", "priority"]
    found = [call("m") | {semconv.OPENAI_RESPONSE_SERVICE_TIER: tier} for tier in tiers]
    assert totals(prices, found) == [2000, 2000, 1000, 3000, None]


# --- when it holds

HISTORY = [
    row(sent=1, received=0, valid_to="2025-06-30"),
    row(sent=2, received=0, valid_from="2025-09-01"),
    row(sent=3, received=0, valid_from="2026-01-01T00:00:00+08:00"),
    row(sent=4, received=0, valid_from=date(2026, 7, 1)),
    row(sent=5, received=0, valid_from=datetime(2026, 8, 1, 12, tzinfo=timezone.utc), valid_to="2026-08-31T12:00:00Z"),
]


@pytest.mark.parametrize(
    ("at", "total"),
    [
        ("1999-01-01T00:00:00+00:00", 1000),
        ("2025-06-30T23:59:00+00:00", 1000),  # a date ends with its last moment
        ("2025-07-01T00:00:00+00:00", None),
        ("2025-09-01T00:00:00+00:00", 2000),
        ("2025-12-31T15:59:00+00:00", 2000),
        ("2025-12-31T16:00:00+00:00", 3000),  # midnight at +08:00
        ("2026-06-30T23:59:00+00:00", 3000),
        ("2026-07-01T00:00:00+00:00", 4000),
        ("2026-08-01T11:59:00+00:00", 4000),
        ("2026-08-01T12:00:00+00:00", 5000),
        ("2026-08-31T12:00:00+00:00", None),  # the last one was closed by hand, and the one before by it
    ],
)
@pytest.mark.parametrize("rows", [HISTORY, HISTORY[::-1]], ids=["in order", "backwards"])
def test_a_new_price_closes_the_old_one(at: str, total: float | None, rows: list[Any]) -> None:
    assert totals(book(*rows), [call("m")], at) == [total]


def test_a_new_price_closes_all_steps_of_the_old_one() -> None:
    prices = book(
        row(sent=1, received=0),
        row(sent=2, received=0, above_input_tokens=1000),
        row(sent=3, received=0, valid_from="2026-01-01"),
    )
    assert totals(prices, [call("m", sent=1000), call("m", sent=2000)], "2025-12-31T00:00:00+00:00") == [1, 4]
    assert totals(prices, [call("m", sent=1000), call("m", sent=2000)]) == [3, 6]


def test_a_call_is_priced_at_the_time_at_which_it_began(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc)
    yesterday, tomorrow = ((now + timedelta(days=days)).isoformat() for days in (-1, 1))
    prices = [row(sent=1), row(sent=2, valid_from=yesterday), row(sent=3, valid_from=tomorrow)]
    recorded = Recorded(tmp_path / "records", prices=prices)
    for days in (0, 3):
        spantape.record_llm_interaction(
            model="m",
            usage={"prompt_tokens": 1000, "completion_tokens": 0},
            performance_metrics={"response_time_ms": days * 86_400_000},
        )
    assert sorted(record["cost"]["input"] for record in recorded.records) == [1, 2]


def test_a_price_of_one_provider_closes_no_other() -> None:
    prices = book(row(provider="a"), row(provider="b", valid_from="2026-01-01"))
    assert totals(prices, [call("m", "a")]) == [3000]


# --- what it may say


def test_every_kind_of_token_at_its_own_price() -> None:
    kinds = {
        "cache_read_input": 0.1,
        "cache_write_input": 1.25,
        "audio_input": 40,
        "image_input": 5,
        "reasoning_output": 3,
        "audio_output": 80,
        "image_output": 30,
        "audio_cache_read_input": 2.5,
        "image_cache_read_input": 1.5,
    }
    rows = {f"{kind}_price_per_1m": price for kind, price in kinds.items()}
    prices = book({"model": "m", "input_price_per_1m": 1, "output_price_per_1m": 2, **rows})
    found = call(
        "m",
        sent=1000,
        received=500,
        cache_read=400,
        cache_write=50,
        audio_input=100,
        image_input=90,
        audio_cache_read=60,
        image_cache_read=40,
        reasoning=200,
        audio_output=100,
        image_output=20,
    )
    told = cost(prices, found)
    cached = 300 * 0.1 + 60 * 2.5 + 40 * 1.5
    rest = 1000 - 300 - 60 - 40 - 50 - 40 - 50
    assert told["cached"] == pytest.approx(cached / 1e6)
    assert told["input"] == pytest.approx((cached + 50 * 1.25 + 40 * 40 + 50 * 5 + rest * 1) / 1e6)
    assert told["output"] == pytest.approx((200 * 3 + 100 * 80 + 20 * 30 + 180 * 2) / 1e6)


def test_reasoning_without_a_price_of_its_own_is_output() -> None:
    assert totals(book(row()), [call("m", reasoning=7), call("m", reasoning=2_000_000)]) == [3000, 3000]
    priced = book(row(reasoning_output_price_per_1k=10))
    assert totals(priced, [call("m", sent=0, reasoning=1_000_000), call("m", reasoning=1_000_001)]) == [10_000, None]


def test_steps_by_the_length_of_the_input() -> None:
    prices = book(
        row(sent=1, received=1, up_to_input_tokens=3000),
        row(sent=2, received=4, above_input_tokens=1000),
        row(sent=3, received=9, above_input_tokens=2000, up_to_input_tokens=3000),
    )
    found = [call("m", sent=sent, received=1000) for sent in (0, 1000, 1001, 2000, 2001, 3000)]
    assert totals(prices, found) == pytest.approx([1, 2, 2.002 + 4, 8, 6.003 + 9, 18])
    assert totals(book(row(up_to_input_tokens=3000)), [call("m", sent=3001)]) == [None]


def test_a_price_of_thinking() -> None:
    prices = book(row(received=2, thinking=False), row(received=20, thinking=True))
    assert totals(prices, [call("m"), call("m", reasoning=0), call("m", reasoning=1)]) == [3000, 3000, 21_000]
    prices = book(row(received=2), row(received=20, thinking=True))
    assert totals(prices, [call("m"), call("m", reasoning=1)]) == [3000, 21_000]


def test_a_price_of_a_request() -> None:
    assert totals(book({"model": "m", "price_per_request": "0.005"} | row()), [call("m", sent=0, received=0)]) == [
        0.005
    ]


def test_embeddings_have_an_input_price_only() -> None:
    found = call("m") | {semconv.OPERATION: "embeddings"}
    del found[semconv.OUTPUT_TOKENS]
    assert totals(book({"model": "m", "input_price_per_1k": 1}), [found, call("m")]) == [1000, None]


def test_money_is_counted_in_decimals() -> None:
    (told,) = (cost(book(row(sent=0.1, received="0.2")), call("m", sent=1, received=1)),)
    assert (told["input"], told["output"], told["total"]) == (0.0001, 0.0002, 0.0003)


@pytest.mark.parametrize("code", ["USD", "CNY", "EUR", "eur"])
def test_currencies(code: str) -> None:
    assert cost(book(row(currency=code)), call("m"))["currency"] == code.upper()


def test_a_row_says_where_its_price_is_from() -> None:
    told = cost(book(row(source="the contract of May", source_date="2026-05-02", valid_from="2026-01-01")), call("m"))
    assert (told["source"], told["price_date"]) == ("the contract of May", "2026-05-02")
    assert cost(book(row()), call("m"))["price_date"] is None


def test_an_estimate_is_marked_as_one() -> None:
    found = call("m") | {semconv.USAGE_ESTIMATED: True}
    assert cost(book(row()), found)["source"] == "estimated usage × prices="


# --- what is wrong with it


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (5, "row 2 is 5: give an object"),
        ({"input_price_per_1k": 1}, "row 2: it has no model"),
        ({"model": "m"}, "row 2: it has no price: give input_price_per_1k"),
        ({"model": " ", "input_price_per_1k": 1}, "row 2: model is ' ': give a name"),
        (row(sent="a"), "row 2: input_price_per_1k is 'a': give a number of at least 0"),
        (row(sent=-1), "row 2: input_price_per_1k is -1: give a number"),
        (row(sent=True), "row 2: input_price_per_1k is True: give a number"),
        (row(sent="nan"), "row 2: input_price_per_1k is 'nan': give a number"),
        (row(input_price_per_1m=1), "row 2: input_price_per_1m gives a price for the second time"),
        (row(input_price_per_k=1), "row 2: there is no column input_price_per_k; do you mean input_price_per_1"),
        (row(xyz=1), "row 2: there is no column xyz"),
        (row(currency="yuan"), "row 2: currency is 'yuan': give a code of three letters, such as USD, CNY or EUR"),
        (row(valid_from="May"), "row 2: valid_from is 'May': give a date (2026-01-31) or a moment"),
        (row(valid_from=2026), "row 2: valid_from is 2026: give a date"),
        (row(valid_from="2026-02-01", valid_to="2026-01-01"), "row 2: its valid_to is before its valid_from"),
        (row(above_input_tokens=1.5), "row 2: above_input_tokens is 1.5: give a whole number of at least 0"),
        (row(thinking="yes"), "row 2: thinking is 'yes': give true or false"),
        (row("first"), "row 2 is a price of the same as row 1: give each a valid_from of its own"),
    ],
)
def test_the_row_and_what_is_wrong_with_it_are_named(given: object, told: str) -> None:
    with pytest.raises(spantape.SettingError) as raised:
        PriceBook.of(Settings.load(prices=[row("first"), given]))
    assert str(raised.value).startswith(f"prices= can't be used: {told}")


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(spantape.SettingError, match=r"row 1: .*; row 3: .*; row 4: ") as raised:
        book(row(sent="a"), row(), {"model": "x"}, {})
    assert "row 2" not in str(raised.value)
    with pytest.raises(spantape.SettingError, match="row 10: it has no model; and 15 more$"):
        book(*[{}] * 25)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("p.json", "[", r"p.json is no JSON: "),
        ("p.json", '{"price": []}', "p.json has no list of prices"),
        ("p.json", '"text"', "p.json has no list of prices"),
        ("p.yaml", "a: [", "p.yaml is no YAML: "),
        ("p.yaml", "", "p.yaml has no list of prices"),
        ("p.json", '[{"model": "m", "input_price_per_1k": "?"}]', "p.json can't be used: row 1: input_price_per_1k is"),
        ("p.json", None, "p.json can't be read: "),
    ],
)
def test_a_file_that_can_not_be_used(name: str, text: str | None, told: str, tmp_path: Path) -> None:
    if name == "p.yaml":
        pytest.importorskip("yaml")
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(spantape.SettingError, match=told):
        spantape.instrument(prices=tmp_path / name)


def test_yaml_without_pyyaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    (tmp_path / "p.yaml").write_text(YAML, encoding="utf-8")
    with pytest.raises(spantape.SettingError, match=r"needs PyYAML: pip install 'spantape\[yaml\]'"):
        spantape.instrument(prices=tmp_path / "p.yaml")


def test_a_bad_table_stops_nothing_that_runs(server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records")
    with pytest.raises(spantape.SettingError):
        spantape.instrument(prices=5)
    ask(server)
    assert recorded.record["success"] is True


# --- currencies


def test_a_cost_stays_in_its_currency_unless_a_rate_is_stated() -> None:
    rows = (row("yuan", currency="CNY"), row("dollar"), row("euro", currency="EUR"))
    found = [call("yuan"), call("dollar"), call("euro")]
    untouched, converted = book(*rows), book(*rows, exchange_rates="USD/CNY=7.1")
    assert [cost(untouched, one)["currency"] for one in found] == ["CNY", "USD", "EUR"]
    assert [cost(converted, one)["currency"] for one in found] == ["CNY", "CNY", "EUR"]
    assert totals(converted, found) == [3000, 21_300, 3000]
    assert cost(converted, call("dollar"))["source"] == "prices= at 7.1 CNY/USD"
    assert cost(converted, call("gpt-4o-mini"))["source"].endswith(" at 7.1 CNY/USD")


@pytest.mark.parametrize("given", [{"USD/CNY": 7.1, "EUR/CNY": "7.9"}, " usd/cny = 7.1, EUR/CNY=7.9 "])
def test_rates_are_stated_as_pairs(given: Any) -> None:
    prices = book(row(currency="EUR"), exchange_rates=given)
    assert totals(prices, [call("m")]) == [23_700]


@pytest.mark.parametrize(
    "given", ["USD/CNY", "USD=7", "USD/CNY=0", "USD/CNY=x", "USD/CNY=7,CNY/EUR=0.1", 5, "U/C=1", {1: 2}]
)
def test_rates_that_can_not_be_used(given: Any) -> None:
    with pytest.raises(spantape.SettingError, match="exchange_rates= is .*: give pairs such as USD/CNY=7.1"):
        Settings.load(exchange_rates=given)


def test_a_price_by_the_length_of_the_answer() -> None:
    prices = book(
        row(up_to_output_tokens=200),
        row(sent=3, received=6, above_output_tokens=200),
        row(sent=5, received=10, above_output_tokens=200, above_input_tokens=1000),
    )
    usages = [(100, 200), (100, 201), (2000, 201), (2000, 200)]
    assert totals(prices, [call("m", sent=sent, received=received) for sent, received in usages]) == pytest.approx(
        [0.1 + 0.4, 0.3 + 1.206, 10 + 2.01, 2 + 0.4]
    )
