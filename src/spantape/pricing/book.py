"""`PriceBook`: which prices hold for a call: the user's, else those we bring along, else those of genai-prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import semconv
from ..content import Attributes
from ..guard import guard
from .asked import Asked
from .cost import Cost, cost_of
from .exchange import Exchange
from .listed import listed
from .overlay import overlay
from .pricefile import load
from .rates import Rates
from .rows import Row, read
from .table import Table

if TYPE_CHECKING:
    from ..settings import Settings

_TIERS = frozenset({"batch", "flex", "priority"})
_OUTPUTLESS = frozenset({"embeddings"})


class PriceBook:
    """Prices calls; a call whose model or usage is unknown has no cost, rather than one of 0."""

    def __init__(self, own: Table | None = None, exchange: Exchange | None = None, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._own = own or Table()
        self._exchange = exchange or Exchange({})
        self._ladder = lru_cache(maxsize=512)(self._look_up)

    @classmethod
    def of(cls, settings: Settings) -> PriceBook:
        """Make the book that the settings ask for.

        Raises:
            SettingError: The price table can't be used.
        """
        return cls(_own(settings.prices), Exchange(settings.exchange_rates or {}), enabled=settings.cost)

    def warm(self) -> None:
        """Load the price list now: it takes a tenth of a second, which no call should wait for.

        Not in a thread: it imports httpx2, and openai 2 looks into that module wherever it finds it, half-made too.
        """
        if self.enabled:
            with guard:
                listed(Asked("openai", "", "gpt-4o-mini", None, 0))
                overlay()

    def attributes(self, found: Mapping[str, Any], at: float) -> Attributes:
        """Give the cost attributes of a call with the attributes `found` that was made at epoch second `at`."""
        if not self.enabled or not _is_counted(found):
            return {}
        tier = found.get(semconv.OPENAI_RESPONSE_SERVICE_TIER)
        ladder = self._ladder(
            found.get(semconv.PROVIDER),
            found.get(semconv.SERVER_ADDRESS),
            (found.get(semconv.RESPONSE_MODEL), found.get(semconv.REQUEST_MODEL)),
            tier if tier in _TIERS else None,
            int(at // 60),
        )
        cost = cost_of(ladder, found) if ladder else None
        return {} if cost is None else _attributes(cost, found)

    def rates(self, provider: str, model: str, at: float, server: str = "") -> tuple[Rates, ...]:
        """Give the prices of a model that hold at epoch second `at`, one for each length of input that has its own."""
        return self._look_up(provider, server, (model,), None, int(at // 60))

    def rows(self) -> list[Row]:
        """Give the rows of the price tables here: one's own, then those that spantape brings along."""
        return [*self._own.rows, *overlay().rows]

    def _look_up(self, provider: Any, server: Any, models: tuple[Any, ...], *when: Any) -> tuple[Rates, ...]:
        """Give the prices of the first model that has any, ours before the public ones of all."""
        tier, minute = when
        named = dict.fromkeys(str(model) for model in models if model)
        asked = [Asked(str(provider), str(server or ""), model, tier, minute * 60) for model in named]
        found = next(filter(None, map(self._own.find, asked)), None) or _public(asked)
        return tuple(map(self._exchange.convert, found))


def _public(asked: Iterable[Asked]) -> tuple[Rates, ...]:
    """Give public prices. What our own table lists is not looked for any further: elsewhere it is wrong."""
    for one in asked:
        if overlay().lists(one):
            return overlay().find(one)
        if found := listed(one):
            return found
    return ()


def _own(given: Path | list[Any] | None) -> Table:
    if given is None:
        return Table()
    rows, where = (load(given), given.name) if isinstance(given, Path) else (given, "prices=")
    return Table(read(rows, where))


def _is_counted(found: Mapping[str, Any]) -> bool:
    without_output = found.get(semconv.OPERATION) in _OUTPUTLESS
    if semconv.SVG_OUTPUT_TOKENS in found:  # tokens of a second model, which is not the one that is priced here
        return False
    return semconv.INPUT_TOKENS in found and (semconv.OUTPUT_TOKENS in found or without_output)


def _attributes(cost: Cost, found: Mapping[str, Any]) -> Attributes:
    told: Attributes = {
        **cost.rates.origin,
        semconv.COST_INPUT: cost.input,
        semconv.COST_OUTPUT: cost.output,
        semconv.COST_CACHED: cost.cached,
        semconv.COST_TOTAL: cost.total,
    }
    if found.get(semconv.USAGE_ESTIMATED):
        told[semconv.COST_SOURCE] = f"estimated usage × {cost.rates.source}"
    return told
