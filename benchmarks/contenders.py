"""Who is measured: how each is switched on in a process of its own environment, with the same exporter.

Each function imports its package, makes one provider, and gives a switch: a context in which calls are watched, and
which hands over what waits for background work.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

Flush = Callable[[], object]
Switch = Callable[[], AbstractContextManager[Flush]]


@dataclass(frozen=True)
class Contender:
    """One line of the table."""

    title: str
    distribution: str
    environment: str
    prepare: Callable[[Any], Switch]
    idle: bool = False  # it is there, but is to do nothing
    defers: bool = False  # how much it does depends on how quickly calls come


def provider_of(exporter: Any, **settings: Any) -> Any:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider(**settings)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def by_instrumentor(instrumentor: Any, exporter: Any) -> Switch:
    """Switch a package that has OpenTelemetry's own `instrument()` and `uninstrument()`."""
    provider = provider_of(exporter)

    @contextlib.contextmanager
    def switch() -> Iterator[Flush]:
        instrumentor.instrument(tracer_provider=provider)
        try:
            yield provider.force_flush
        finally:
            instrumentor.uninstrument()

    return switch


def logfire(exporter: Any) -> Switch:
    import logfire
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    logfire.configure(
        send_to_logfire=False,
        console=False,
        metrics=False,
        inspect_arguments=False,
        additional_span_processors=[SimpleSpanProcessor(exporter)],
    )

    @contextlib.contextmanager
    def switch() -> Iterator[Flush]:
        with logfire.instrument_openai():
            yield logfire.force_flush

    return switch


def spantape_with(provider: Any, **settings: Any) -> Switch:
    import spantape

    @contextlib.contextmanager
    def switch() -> Iterator[Flush]:
        with tempfile.TemporaryDirectory() as folder:
            spantape.instrument(base_dir=folder, tracer_provider=provider, **settings)
            try:
                yield spantape.flush
            finally:
                spantape.uninstrument()

    return switch


def spans(exporter: Any) -> Switch:
    return spantape_with(provider_of(exporter), files=False)


def essential(exporter: Any) -> Switch:
    return spantape_with(provider_of(exporter), files=False, langchain_spans="essential")


def recording(exporter: Any) -> Switch:
    return spantape_with(provider_of(exporter))


def unsampled(exporter: Any) -> Switch:
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    return spantape_with(provider_of(exporter, sampler=ALWAYS_OFF), files=False)


def suppressed(exporter: Any) -> Switch:
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    watching = spans(exporter)

    @contextlib.contextmanager
    def switch() -> Iterator[Flush]:
        with watching() as flush, suppress_instrumentation():
            yield flush

    return switch


SPANTAPE = {
    "spantape": Contender("**spantape**, spans only", "spantape", "spantape", spans),
    "recording": Contender("**spantape**, recording to files", "spantape", "spantape", recording, defers=True),
    "unsampled": Contender("unsampled, recording off", "spantape", "spantape", unsampled, idle=True),
    "suppressed": Contender("`suppress_instrumentation`", "spantape", "spantape", suppressed, idle=True),
}
