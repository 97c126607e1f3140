"""Metrics of calls, under the names that backends chart today or the newest of the conventions; never both."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeAlias

from opentelemetry import metrics
from opentelemetry.environment_variables import OTEL_PYTHON_METER_PROVIDER

from .. import semconv
from .._version import __version__
from ..content import Attributes
from ._observer import INFERENCE, Ended

Measured: TypeAlias = "tuple[str, float, Attributes]"
"""A metric's name, the amount, and attributes besides those of every metric."""

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(4**power for power in range(14))
_MONEY = tuple(10.0**power * digit for power in range(-6, 2) for digit in (1, 2, 5))
_EVERYWHERE = (
    semconv.OPERATION,
    semconv.PROVIDER,
    semconv.REQUEST_MODEL,
    semconv.RESPONSE_MODEL,
    semconv.SERVER_ADDRESS,
    semconv.SERVER_PORT,
    semconv.OPENAI_RESPONSE_SERVICE_TIER,
    semconv.OPENAI_SYSTEM_FINGERPRINT,
)
_GUESSED = ("gen_ai.usage.", "spantape.cost.")
_OPERATION, _INFER = "gen_ai.client.operation", "gen_ai.client.inference"
_COST = f"{semconv.SCOPE}.client.operation.cost"
"""Ours, as long as the conventions have none: proposed there is the same name under `gen_ai` (#443)."""
_HISTOGRAMS: Mapping[str, tuple[str, tuple[float, ...], str]] = {
    f"{_OPERATION}.duration": ("s", _SECONDS, "How long calls took"),
    f"{_OPERATION}.time_to_first_chunk": ("s", _SECONDS, "How long the first chunk of a stream took"),
    f"{_OPERATION}.time_per_output_chunk": ("s", _SECONDS, "How long each further chunk of a stream took"),
    "gen_ai.client.token.usage": ("{token}", _TOKENS, "How many tokens calls used"),
    _COST: ("{currency}", _MONEY, "What calls cost, in the currency that is among the attributes"),
    f"{_INFER}.duration": ("s", _SECONDS, "How long inferences took"),
    f"{_INFER}.time_to_first_chunk": ("s", _SECONDS, "How long the first chunk of a stream took"),
    f"{_INFER}.time_per_output_chunk": ("s", _SECONDS, "How long each further chunk of a stream took"),
    f"{_INFER}.operation.input_tokens": ("{token}", _TOKENS, "How many tokens an inference was sent"),
    f"{_INFER}.operation.output_tokens": ("{token}", _TOKENS, "How many tokens an inference gave"),
}
_COUNTERS: Mapping[str, tuple[str, str]] = {
    f"{_INFER}.usage.input_tokens": (semconv.INPUT_TOKENS, "Tokens sent"),
    f"{_INFER}.usage.output_tokens": (semconv.OUTPUT_TOKENS, "Tokens received"),
    f"{_INFER}.usage.cache_read.input_tokens": (semconv.CACHE_READ_TOKENS, "Tokens sent, read from a cache"),
    f"{_INFER}.usage.cache_write.input_tokens": (semconv.CACHE_WRITE_TOKENS, "Tokens sent, written to a cache"),
    f"{_INFER}.usage.reasoning.output_tokens": (semconv.REASONING_TOKENS, "Tokens received, of reasoning"),
}
_TOTALS = tuple(_COUNTERS)[:2]
_MODALITIES = {
    semconv.INPUT_TOKENS: {
        "text": semconv.TEXT_INPUT_TOKENS,
        "image": semconv.IMAGE_INPUT_TOKENS,
        "audio": semconv.AUDIO_INPUT_TOKENS,
    },
    semconv.OUTPUT_TOKENS: {
        "text": semconv.TEXT_OUTPUT_TOKENS,
        "image": semconv.IMAGE_OUTPUT_TOKENS,
        "audio": semconv.AUDIO_OUTPUT_TOKENS,
    },
    semconv.CACHE_READ_TOKENS: {
        "text": semconv.TEXT_CACHE_READ_TOKENS,
        "image": semconv.IMAGE_CACHE_READ_TOKENS,
        "audio": semconv.AUDIO_CACHE_READ_TOKENS,
    },
}


class Metrics:
    """Records the metrics of each call with the MeterProvider that holds at that moment; without one, nothing."""

    def __init__(self, scope: str, provider: Any, *, newest: bool) -> None:
        self._scope = scope
        self._provider = _looked_up() if provider is None else lambda: provider
        self._measures = _newest if newest else _charted
        self._seen: Any = None
        self._instruments: dict[str, Any] = {}

    def is_on(self) -> bool:
        """Say whether there is a MeterProvider."""
        provider = self._provider()
        if provider is not self._seen:
            self._instruments = _instruments(provider, self._scope)
            self._seen = provider
        return bool(self._instruments)

    def ended(self, call: Ended) -> None:
        """Record a call."""
        shared = {key: call.attributes[key] for key in _EVERYWHERE if key in call.attributes}
        for name, amount, more in self._measures(_measured(call)):
            instrument = self._instruments[name]
            record = instrument.add if name in _COUNTERS else instrument.record
            record(amount, shared | more, call.context)


def _looked_up() -> Callable[[], Any]:
    """Give what gives the global MeterProvider: the API itself looks into the environment while there is none."""
    home: Any = sys.modules.get("opentelemetry.metrics._internal")
    if OTEL_PYTHON_METER_PROVIDER in os.environ or not hasattr(home, "_METER_PROVIDER"):
        return metrics.get_meter_provider
    return lambda: home._METER_PROVIDER


def _instruments(provider: Any, scope: str) -> dict[str, Any]:
    """Make the instruments; none with the API's stand-ins for a provider that is not there."""
    if provider is None or type(provider).__module__.startswith("opentelemetry.metrics"):
        return {}
    meter = provider.get_meter(scope, __version__)
    made = {
        name: meter.create_histogram(name, unit, about, explicit_bucket_boundaries_advisory=list(bounds))
        for name, (unit, bounds, about) in _HISTOGRAMS.items()
    }
    return made | {name: meter.create_counter(name, "{token}", about) for name, (_, about) in _COUNTERS.items()}


def _measured(call: Ended) -> Ended:
    """Leave out an estimate, and what it would have cost: neither was measured."""
    if not call.attributes.get(semconv.USAGE_ESTIMATED):
        return call
    known = {name: value for name, value in call.attributes.items() if not name.startswith(_GUESSED)}
    return replace(call, attributes=known)


def _charted(call: Ended) -> Iterable[Measured]:
    found = call.attributes
    yield from _duration(call, _OPERATION)
    yield from _times(call, _OPERATION)
    for kind, key in (("input", semconv.INPUT_TOKENS), ("output", semconv.OUTPUT_TOKENS)):
        if key in found:
            yield "gen_ai.client.token.usage", found[key], {semconv.TOKEN_TYPE: kind}
    yield from _cost(found)


def _newest(call: Ended) -> Iterable[Measured]:
    found = call.attributes
    if found.get(semconv.OPERATION) not in INFERENCE:
        yield from _duration(call, _OPERATION)
    else:
        yield from _duration(call, _INFER)
        yield from _times(call, _INFER)
        for name, (key, _) in _COUNTERS.items():
            yield from _counted(name, key, found)
        for kind, key in (("input", semconv.INPUT_TOKENS), ("output", semconv.OUTPUT_TOKENS)):
            if key in found:
                yield f"{_INFER}.operation.{kind}_tokens", found[key], _error(found)
    yield from _cost(found)


def _duration(call: Ended, prefix: str) -> Iterable[Measured]:
    yield f"{prefix}.duration", call.seconds, _error(call.attributes)


def _error(found: Mapping[str, Any]) -> Attributes:
    """Give the error's type, which the conventions have on metrics of whole calls only."""
    return {semconv.ERROR_TYPE: found[semconv.ERROR_TYPE]} if semconv.ERROR_TYPE in found else {}


def _times(call: Ended, prefix: str) -> Iterable[Measured]:
    if call.chunks:
        yield f"{prefix}.time_to_first_chunk", call.chunks[0], {}
    for earlier, later in pairwise(call.chunks):
        yield f"{prefix}.time_per_output_chunk", later - earlier, {}


def _counted(name: str, key: str, found: Mapping[str, Any]) -> Iterable[Measured]:
    """Count tokens by modality; what is not said to be one is `unknown`, and so is the 0 of a call without usage."""
    kinds = {kind: found[part] for kind, part in _MODALITIES.get(key, {}).items() if found.get(part)}
    rest = found.get(key, 0) - sum(kinds.values())
    for kind, count in kinds.items():
        yield name, count, {semconv.TOKEN_MODALITY: kind}
    if rest > 0 or (not kinds and name in _TOTALS):
        yield name, max(rest, 0), {semconv.TOKEN_MODALITY: "unknown"}


def _cost(found: Mapping[str, Any]) -> Iterable[Measured]:
    if semconv.COST_TOTAL in found:
        yield _COST, found[semconv.COST_TOTAL], {semconv.COST_CURRENCY: found[semconv.COST_CURRENCY]}
