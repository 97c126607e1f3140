"""`Listening`: all that a call tells, by spans, metrics and events, and what of it deviates from the conventions."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import conformity
from made import Made
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as logs_export
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler, SamplingResult

import spantape

Memory: Any = getattr(logs_export, "InMemoryLogRecordExporter", None) or logs_export.InMemoryLogExporter


class Looking(Sampler):
    """Takes every span, and remembers what was known of each when it was started."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def should_sample(  # type: ignore[override]
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        *_: Any,
        **__: Any,
    ) -> SamplingResult:
        self.seen.append(dict(attributes or {}))
        return ALWAYS_ON.should_sample(parent_context, trace_id, name, kind, attributes)

    def get_description(self) -> str:
        return "looking"


class _Providers:
    """Of all three kinds, and what they give to; made once, as making them takes longer than a call does."""

    def __init__(self) -> None:
        self.sampler, self.spans, self.logs = Looking(), InMemorySpanExporter(), Memory()
        self.reader = InMemoryMetricReader(dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA))
        self.tracers = TracerProvider(sampler=self.sampler, shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(logs_export.SimpleLogRecordProcessor(self.logs))

    def clear(self) -> None:
        self.sampler.seen.clear()
        self.spans.clear()
        self.logs.clear()
        self.reader.get_metrics_data()


_providers = functools.cache(_Providers)


class Listening:
    """Instruments, and listens in all three ways: spans, metrics under one set of names, events."""

    def __init__(self, names: str, *, content: bool, instrumentor: Any = None) -> None:
        self.names, self.content, self._heard = names, content, _providers()
        spantape.uninstrument()
        self._heard.clear()
        providers = {
            "tracer_provider": self._heard.tracers,
            "meter_provider": self._heard.meters,
            "logger_provider": self._heard.loggers,
        }
        if instrumentor is not None:  # alone, with the defaults of the environment
            instrumentor.instrument(**providers)
            return
        spantape.instrument(
            files=False,
            **providers,
            metrics=names,
            events=True,
            capture_content="SPAN_AND_EVENT" if content else "NO_CONTENT",
            estimate_usage=False,
        )

    @property
    def spans(self) -> list[Any]:
        return list(self._heard.spans.get_finished_spans())

    def deviations(self, made: Made) -> list[str]:
        """Give all that deviates from the conventions in the spans, metrics and events of one call."""
        if len(self.spans) != 1 or len(self._heard.sampler.seen) != 1:
            return [f"{len(self.spans)} spans"]
        (span,), made = self.spans, replace(made, content=self.content)
        events = [one.log_record for one in self._heard.logs.get_finished_logs()]
        wrong = [*conformity.span(span, self._heard.sampler.seen[0], made)]
        wrong += conformity.metrics(self._metrics(), span.attributes, made, self.names)
        if len(events) != (1 if conformity.operation(made.request).is_inference else 0):
            return [*wrong, f"{len(events)} events"]
        for event in events:
            wrong += conformity.event(event, span.attributes, span.context.span_id, content=self.content)
        return wrong

    def _metrics(self) -> dict[str, Any]:
        data = self._heard.reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        return {metric.name: metric for scope in scopes for metric in scope.metrics}
