"""Cost: usage × price, against numbers worked out by hand; absent wherever a price is not known."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Tier, TieredPrices

import openai
from programs import run
from recorded import Recorded
from spantape import semconv
from spantape.pricing import PriceBook, cost, listed
from spantape.pricing.asked import Asked
from spantape.pricing.rates import Rates, that_hold
from spantape.testing import ScriptedServer, completion, stream

NOW = time.time()
MINI = "gpt-4o-mini-2024-07-18"
CACHED = {"prompt_tokens": 1000, "completion_tokens": 200, "prompt_tokens_details": {"cached_tokens": 400}}
# gpt-4o-mini: 0.15 a million for input, 0.075 for cached input, 0.60 for output.
BY_HAND = {"input": 600 * 0.15e-6 + 400 * 0.075e-6, "cached": 400 * 0.075e-6, "output": 200 * 0.60e-6}

Ask = Callable[..., Any]


@pytest.fixture
def ask(server: ScriptedServer) -> Iterator[Ask]:
    http = openai.DefaultHttpxClient(verify=False)
    with openai.OpenAI(base_url=server.url, api_key="test", http_client=http) as client:

        def create(model: str = "gpt-4o-mini", **more: Any) -> Any:
            messages: Any = [{"role": "user", "content": "hi"}]
            return client.chat.completions.create(model=model, messages=messages, **more)

        yield create


def call(model: str = MINI, provider: str = "openai", sent: int = 1000, received: int = 200, **more: Any) -> Any:
    """Give the cost attributes, without their common beginning, of a call with these attributes."""
    found = {
        semconv.PROVIDER: provider,
        semconv.RESPONSE_MODEL: model,
        semconv.INPUT_TOKENS: sent,
        semconv.OUTPUT_TOKENS: received,
    }
    costs = PriceBook().attributes(found | more, NOW)
    return {name.removeprefix("spantape.cost."): value for name, value in costs.items()}


def test_by_hand_on_the_span_and_in_the_record(recorded: Recorded, ask: Ask, server: ScriptedServer) -> None:
    server.replies(completion("Hello", usage=CACHED))
    ask()
    cost = recorded.record["cost"]
    assert {name: cost[name] for name in BY_HAND} == pytest.approx(BY_HAND)
    assert cost["total"] == pytest.approx(0.00024)
    assert cost["currency"] == "USD"
    assert cost["source"].startswith("genai-prices@0.")
    assert {name: recorded.attributes[f"spantape.cost.{name}"] for name in cost} == cost


def test_a_stream_costs_the_same(recorded: Recorded, ask: Ask, server: ScriptedServer) -> None:
    server.replies(stream("Hello", usage=CACHED))
    list(ask(stream=True, stream_options={"include_usage": True}))
    assert recorded.record["cost"]["total"] == pytest.approx(0.00024)


def test_without_cached_tokens(recorded: Recorded, ask: Ask, server: ScriptedServer) -> None:
    server.replies(completion("Hello", usage={"prompt_tokens": 1000, "completion_tokens": 200}))
    ask()
    cost = recorded.record["cost"]
    assert (cost["input"], cost["output"], cost["total"]) == pytest.approx((0.00015, 0.00012, 0.00027))
    assert "cached" not in cost


@pytest.mark.parametrize(
    "reply",
    [
        completion("Hello", model="made-up-1"),
        completion("Hello", usage=None),
        completion("Hello", usage={**CACHED, "prompt_tokens": 399}),
    ],
    ids=["an unknown model", "no usage", "more cached tokens than tokens"],
)
def test_unknown_is_absent(reply: Any, recorded: Recorded, ask: Ask, server: ScriptedServer) -> None:
    server.replies(reply)
    ask("made-up-1" if reply.body["model"] == "made-up-1" else "gpt-4o-mini")
    assert recorded.record["cost"] is None
    assert not [name for name in recorded.attributes if name.startswith("spantape.cost")]
    assert recorded.record["success"] is True


def test_switched_off(ask: Ask, tmp_path: Any) -> None:
    recorded = Recorded(tmp_path / "records", cost=False)
    ask()
    assert recorded.record["cost"] is None


def test_the_requests_model_is_asked_for_when_the_responses_is_unknown() -> None:
    more = {semconv.REQUEST_MODEL: "gpt-4o-mini"}
    assert call("snapshot-of-today", **more)["total"] == call()["total"]
    assert call("snapshot-of-today") == {}


@pytest.mark.parametrize("provider", ["ollama", "vllm", "sglang", "lmstudio", "siliconflow", "dashscope"])
def test_who_runs_models_himself_or_has_prices_of_his_own_is_not_priced_by_name(provider: str) -> None:
    assert call("gpt-4o-mini", provider) == {}
    assert call("deepseek-chat", provider) == {}


def test_ollama_is_known_by_its_port(ask: Ask) -> None:
    from spantape.instrumentors.openai.provider import provider_of

    assert call("gpt-4o-mini", provider_of("localhost", 11434)) == {}


def test_a_gateway_is_priced_by_the_models_name() -> None:
    for provider in ("127.0.0.1", "gateway.example.org", "litellm"):
        assert call("gpt-4o-mini", provider)["total"] == call()["total"]


@pytest.mark.parametrize("model", ["deepseek-r1:14b", "mistral-7b", "gpt-oss-120b", "gpt-oss:20b", "MISTRAL-7B-v0.1"])
def test_weights_that_anyone_may_run_have_no_price_behind_a_gateway(model: str) -> None:
    assert call(model, "gpu-box") == {}


def test_azure_is_priced_by_the_responses_model() -> None:
    more = {semconv.REQUEST_MODEL: "my-deployment"}
    assert call("gpt-4o-mini", "azure.ai.openai", **more)["total"] == call()["total"]


def test_embeddings_have_no_output() -> None:
    found = {
        semconv.OPERATION: "embeddings",
        semconv.PROVIDER: "openai",
        semconv.REQUEST_MODEL: "text-embedding-3-small",
        semconv.INPUT_TOKENS: 1_000_000,
    }
    assert PriceBook().attributes(found, NOW)[semconv.COST_TOTAL] == pytest.approx(0.02)
    assert PriceBook().attributes(found | {semconv.OPERATION: "chat"}, NOW) == {}


def test_zero_tokens_of_a_known_model_cost_nothing() -> None:
    assert call(sent=0, received=0)["total"] == 0


@pytest.mark.parametrize("tokens", [{"sent": -1}, {"received": -1}, {semconv.CACHE_READ_TOKENS: -1, "sent": 0}])
def test_a_usage_that_can_not_be_has_no_cost(tokens: dict[str, int]) -> None:
    assert call(**tokens) == {}


# --- the multiplication


def prices(**values: Any) -> ModelPrice:
    return ModelPrice(**{f"{name}_mtok": value for name, value in values.items()})


def price(each: ModelPrice, used: dict[str, int]) -> cost.Cost | None:
    rates = rates_of(each, used)
    return cost.price(rates, used)


def rates_of(each: ModelPrice, used: dict[str, int]) -> Rates:
    rates = that_hold(listed.ladder(each), used)
    assert rates is not None
    return rates


def usage(sent: int, received: int, **more: int) -> dict[str, int]:
    return {semconv.INPUT_TOKENS: sent, semconv.OUTPUT_TOKENS: received} | {
        getattr(semconv, f"{name.upper()}_TOKENS"): count for name, count in more.items()
    }


def test_every_kind_of_token_at_its_own_price() -> None:
    each = prices(
        input=Decimal(10),
        cache_read=Decimal(1),
        cache_write=Decimal(12),
        input_audio=Decimal(100),
        output=Decimal(20),
        output_audio=Decimal(200),
    )
    used = usage(1000, 500, cache_read=100, cache_write=200, audio_input=300, audio_output=50)
    paid = price(each, used)
    assert paid is not None
    assert paid.cached == 100 / 1_000_000
    assert paid.input == (4000 + 100 + 2400 + 30_000) / 1_000_000
    assert paid.output == (9000 + 10_000) / 1_000_000
    assert paid.total == (36_500 + 19_000) / 1_000_000


needs_image_prices = pytest.mark.skipif(
    not hasattr(ModelPrice(), "input_image_mtok"), reason="this version of genai-prices has no prices of image tokens"
)


@needs_image_prices
def test_what_was_read_from_the_cache_may_have_been_audio_or_an_image() -> None:
    kinds = {"input": 10, "cache_read": 1, "input_audio": 100, "input_image": 50, "output": 20, "output_image": 40}
    each = prices(**{name: Decimal(value) for name, value in (kinds | {"cache_audio_read": 3}).items()})
    subsets = {"cache_read": 400, "audio_input": 300, "image_input": 200, "image_output": 60}
    paid = price(each, usage(1000, 100, **subsets, audio_cache_read=250, image_cache_read=100))
    assert paid is not None
    # 250 audio and 100 image tokens of the 400 cached; without a price of their own, these cost what is cached
    cached = 50 * 1 + 250 * 3 + 100 * 1
    assert paid.cached == cached / 1_000_000
    assert paid.input == (cached + 50 * 100 + 100 * 50 + 450 * 10) / 1_000_000
    assert paid.output == (40 * 20 + 60 * 40) / 1_000_000


@needs_image_prices
def test_images_of_gpt_image() -> None:
    text, image = call("gpt-image-1.5", received=1000), call("gpt-image-1.5", received=1000, **OF_IMAGES)
    assert image["output"] == pytest.approx(3.2 * text["output"])


OF_IMAGES: Any = {semconv.IMAGE_OUTPUT_TOKENS: 1000}


def test_tokens_without_a_price_of_their_own_cost_the_usual() -> None:
    paid = price(prices(input=Decimal(10), output=Decimal(20)), usage(1000, 100, cache_read=400, audio_input=10))
    assert paid is not None
    assert (paid.input, paid.cached, paid.output) == (0.01, 0.004, 0.002)


PICTURE = {semconv.OPERATION: semconv.IMAGE_EDIT}


@pytest.mark.parametrize(
    ("each", "used", "is_priced"),
    [
        ({"input_image": 5}, {"image_input": 3}, True),
        ({"input_image": 5}, {}, False),  # how many of the tokens were a picture's is not said
        ({"input_image": 5, "output_image": 9}, {"image_input": 3}, False),
        ({"input_image": 5, "output_image": 9}, {"image_input": 3, "image_output": 4}, True),
        ({}, {"image_input": 3}, False),  # a list that knows of text only
        ({}, {"image_input": 0}, True),
        ({}, {}, True),
        ({"input_image": 5}, {"image_input": 3, "cache_read": 1}, False),
        ({"input_image": 5}, {"image_input": 3, "cache_read": 1, "image_cache_read": 0}, True),
        ({"input_image": 5}, {"image_input": 0, "cache_read": 1}, True),
        ({"input_audio": 5}, {"audio_input": 3}, True),
        ({"input_audio": 5}, {"image_input": 3}, False),
    ],
)
def test_kinds_of_tokens_are_told_apart_or_not_priced(
    each: dict[str, int], used: dict[str, int], is_priced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(ModelPrice(), "input_image_mtok"):
        pytest.skip("this genai-prices knows no pictures")
    rung = listed.ladder(
        prices(input=Decimal(1), output=Decimal(2), **{name: Decimal(of) for name, of in each.items()})
    )
    monkeypatch.setattr("spantape.pricing.book.listed", lambda *_: rung)
    assert bool(call("m", **usage(10, 10, **used), **PICTURE)) is is_priced  # type: ignore[arg-type]
    assert call("m", **usage(10, 10, **used))  # type: ignore[arg-type]


def test_no_price_for_a_side_that_was_used_is_no_cost() -> None:
    assert price(prices(input=Decimal(1)), usage(10, 10)) is None
    assert price(prices(), usage(10, 0)) is None
    assert price(prices(input=Decimal(1)), usage(10, 0)) is not None


@pytest.mark.parametrize(("sent", "each"), [(200_000, 1), (200_001, 2), (400_001, 3)])
def test_a_tier_holds_for_all_tokens(sent: int, each: int) -> None:
    tiers = [Tier(400_000, Decimal(3)), Tier(200_000, Decimal(2))]
    paid = price(prices(input=TieredPrices(Decimal(1), tiers), output=Decimal(0)), usage(sent, 0))
    assert paid is not None
    assert paid.total == sent * each / 1_000_000


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-mini", "gpt-5", "o3", "gpt-3.5-turbo"])
@pytest.mark.parametrize(("sent", "cached", "received"), [(1000, 0, 100), (7, 7, 0), (123_457, 99_999, 31), (0, 0, 0)])
def test_the_usual_call_costs_what_it_costs_in_full(model: str, sent: int, cached: int, received: int) -> None:
    found = {
        semconv.PROVIDER: "openai",
        semconv.OPERATION: "chat",
        semconv.REQUEST_MODEL: model,
        semconv.INPUT_TOKENS: sent,
        semconv.OUTPUT_TOKENS: received,
        semconv.CACHE_READ_TOKENS: cached,
    }
    (rates,) = listed.listed(Asked("openai", "", model, None, NOW))
    assert rates.flat is not None
    usual = cost.usual(rates, rates.flat, found)
    assert usual is not None
    assert usual == cost.price(rates, found)
    assert PriceBook().attributes(found, NOW)[semconv.COST_TOTAL] == usual.total


@pytest.mark.parametrize("each", ["1E-7", "0.00000123456789", "3", "2E+1", "1E-40", "0.1428571428571428571428571429"])
@pytest.mark.parametrize("request_price", ["0", "0.005"])
def test_a_price_with_any_number_of_digits(each: str, request_price: str) -> None:
    tokens = {semconv.INPUT_TOKENS: Decimal(each), semconv.OUTPUT_TOKENS: Decimal("0.1")}
    rates = Rates(tokens, "test", request=Decimal(request_price))
    found = usage(1_234_567, 89, cache_read=1001)
    assert rates.flat is not None
    assert cost.usual(rates, rates.flat, found) == cost.price(rates, found)


def test_the_same_as_genai_prices_for_every_model() -> None:
    now = datetime.now(timezone.utc)
    compared = 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            each = model.get_prices(now)
            ours = price(each, usage(300_000, 77))
            if ours is not None:
                theirs = each.calc_price(Usage(input_tokens=300_000, output_tokens=77))
                assert (ours.input, ours.output) == (float(theirs["input_price"]), float(theirs["output_price"])), (
                    model.id
                )
                assert ours.total == float(theirs["total_price"]), model.id
                compared += 1
    assert compared > 500


def test_a_service_tier_is_priced_or_has_no_price() -> None:
    normal = call("gpt-5-mini")["total"]
    for tier in ("default", "on_demand", "auto", None):
        assert call("gpt-5-mini", **{semconv.OPENAI_RESPONSE_SERVICE_TIER: tier})["total"] == normal
    try:
        at_once = calc_price(
            Usage(input_tokens=1000, output_tokens=200),
            "gpt-5-mini",
            provider_id="openai",
            price_context={"service_tier": "priority"},
        ).total_price
    except TypeError:  # an older genai-prices
        at_once = None
    priced = call("gpt-5-mini", **{semconv.OPENAI_RESPONSE_SERVICE_TIER: "priority"})
    assert priced.get("total") == (pytest.approx(float(at_once)) if at_once else None)
    assert call("gpt-4", **{semconv.OPENAI_RESPONSE_SERVICE_TIER: "flex"}) == {}


def test_prices_may_change_with_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[datetime] = []
    get_prices: Any = ModelInfo.get_prices

    def got(model: ModelInfo, at: datetime, *context: Any) -> Any:
        asked.append(at)
        return get_prices(model, at, *context)

    monkeypatch.setattr(ModelInfo, "get_prices", got)
    found = {semconv.PROVIDER: "openai", semconv.RESPONSE_MODEL: MINI} | usage(1, 1)
    book = PriceBook()
    for second in (0, 59, 60, 119.9):
        assert book.attributes(found, 1_700_000_040 + second)
    assert asked == [datetime.fromtimestamp(1_700_000_040 + second, tz=timezone.utc) for second in (0, 60)]


# --- lazily, and never over the network


def test_nothing_heavy_is_imported_by_importing_spantape() -> None:
    loaded = run("import spantape\nprint(*{name.partition('.')[0] for name in sys.modules})").split()
    heavy = {"openai", "opentelemetry", "genai_prices", "pydantic", "httpx", "httpx2", "grpc", "requests", "dotenv"}
    assert "spantape" in loaded
    assert not heavy.intersection(loaded)


def test_prices_are_loaded_without_network(tmp_path: Any) -> None:
    said = run(
        """
        import json, socket, spantape
        from spantape.testing import ScriptedServer

        real = socket.socket.connect
        def connect(self, address):
            assert address[0] == "127.0.0.1", address
            return real(self, address)
        socket.socket.connect = connect

        spantape.instrument(base_dir=sys.argv[1])
        with ScriptedServer() as server:
            ask(server.url)
        spantape.uninstrument()
        spantape.instrument(base_dir=sys.argv[1])
        print(json.dumps([spantape.recordings().get_latest_interactions()[0]["cost"]["total"] > 0]))
        """,
        tmp_path,
    )
    assert json.loads(said) == [True]


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", None)
    assert call()["total"] > 0
