"""`Calls`: what the calls of a session add up to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from . import semconv

_HELD = 64
_MOST_MODELS = 100
_TOKENS = {"prompt_tokens": semconv.INPUT_TOKENS, "completion_tokens": semconv.OUTPUT_TOKENS}


class Calls:
    """Adds up calls as they end; holds sums, not calls."""

    def __init__(self) -> None:
        self._new: deque[dict[str, Any]] = deque()  # a call may end in a finalizer, which must not wait for the lock
        self._lock = threading.Lock()
        self._count, self._seconds = 0, 0.0
        self._sums: dict[str, int | float] = {}
        self._costs: dict[str, float] = {}
        self._models: dict[str, None] = {}

    def add(self, found: Mapping[str, Any], seconds: float, usd: float | None) -> None:
        """Take a call that has ended, by its attributes and what it cost in USD."""
        known = {name: found[key] for name, key in _TOKENS.items() if found.get(key) is not None}
        if known:
            known["total_tokens"] = sum(known.values())
        if usd is not None:
            known["total_cost_usd"] = usd
        cost = {found[semconv.COST_CURRENCY]: found[semconv.COST_TOTAL]} if semconv.COST_CURRENCY in found else {}
        model = found.get(semconv.REQUEST_MODEL) or found.get(semconv.RESPONSE_MODEL)
        self._new.append({"model": model, "seconds": seconds, "sums": known, "cost": cost})
        if len(self._new) >= _HELD and self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def summary(self) -> dict[str, Any]:
        """Give the sums so far; null is what no call has told."""
        with self._lock:
            self._fold()
            nothing = 0 if self._count == 0 else None
            return {
                "total_api_calls": self._count,
                "total_tokens": self._sums.get("total_tokens", nothing),
                "prompt_tokens": self._sums.get("prompt_tokens", nothing),
                "completion_tokens": self._sums.get("completion_tokens", nothing),
                "total_cost_usd": self._sums.get("total_cost_usd", nothing),
                "avg_duration_ms": round(self._seconds / self._count * 1000) if self._count else None,
                "models_used": list(self._models),
                "total_cost": dict(self._costs),
            }

    def _fold(self) -> None:
        for _ in range(len(self._new)):
            call = self._new.popleft()
            self._count += 1
            self._seconds += call["seconds"]
            for name, value in call["sums"].items():
                self._sums[name] = self._sums.get(name, 0) + value
            for currency, amount in call["cost"].items():
                self._costs[currency] = self._costs.get(currency, 0.0) + amount
            if call["model"] and len(self._models) < _MOST_MODELS:
                self._models[call["model"]] = None
