"""Whose TracerProvider a call's span comes from: the application's whenever there is one, else our own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from . import semconv
from ._version import __version__
from .guard import guard

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from .content import Attributes

_ATTRIBUTES = 512


class Tracing:
    """Starts spans with the provider that holds at that moment; looks at each call whether another one has appeared.

    `processors_for(provider)` says what is to be added to a provider when it is first used.
    """

    def __init__(
        self,
        fixed: Any,
        processors_for: Callable[[Any], Sequence[SpanProcessor]],
    ) -> None:
        self._fixed = fixed
        self._processors_for = processors_for
        self._seen: object = None
        self._lock = threading.Lock()
        self._tracers: dict[str, trace.Tracer] = {}
        self.private = TracerProvider(
            sampler=_Always(), span_limits=SpanLimits(max_span_attributes=_ATTRIBUTES), shutdown_on_exit=False
        )
        self.current: Any = self.private
        join(self.private, processors_for(self.private))

    def starter(self, scope: str) -> Callable[[str, Attributes], trace.Span]:
        """Give the function that starts a scope's spans."""

        def start(name: str, attributes: Attributes) -> trace.Span:
            span = self._tracer(scope).start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
            return span if span.is_recording() else self._unsampled(scope, name, attributes, span)

        return start

    def look(self) -> None:
        """Find out which provider holds now."""
        provider = self._fixed or trace.get_tracer_provider()
        if provider is self._seen:
            return
        with self._lock:
            if provider is not self._seen:
                self.current, self._tracers = self._usable(provider), {}
                self._seen = provider

    def _tracer(self, scope: str) -> trace.Tracer:
        with guard:
            self.look()
        if scope not in self._tracers:
            self._tracers[scope] = self.current.get_tracer(scope, __version__)
        return self._tracers[scope]

    def _usable(self, provider: Any) -> Any:
        if isinstance(provider, trace.ProxyTracerProvider):
            return self.private
        if not callable(getattr(provider, "add_span_processor", None)):
            guard.warn_once(
                "foreign provider",
                "The global TracerProvider is a %s, which takes no span processors; spantape records with its own",
                type(provider).__qualname__,
            )
            return self.private
        join(provider, self._processors_for(provider))
        return provider

    def _unsampled(self, scope: str, name: str, attributes: Attributes, left_out: trace.Span) -> trace.Span:
        """Record what the application's sampler leaves out, under the same trace id, unsampled for everyone else."""
        if self.current is self.private:
            return left_out
        around, inner = trace.get_current_span().get_span_context(), left_out.get_span_context()
        known = around if around.is_valid else inner
        parent = NonRecordingSpan(
            SpanContext(known.trace_id, known.span_id, is_remote=False, trace_flags=TraceFlags(0))
        )
        tracer = self.private.get_tracer(scope, __version__)
        context = trace.set_span_in_context(parent) if known.is_valid else None
        return tracer.start_span(name, context=context, kind=SpanKind.CLIENT, attributes=attributes)


class _Always(Sampler):
    """Records everything; what the application's sampler has left out stays unsampled, so that no OTLP exporter sends it."""

    def should_sample(self, parent_context: Context | None, *args: Any, **kwargs: Any) -> SamplingResult:
        parent = trace.get_current_span(parent_context).get_span_context()
        left_out = parent.is_valid and not parent.trace_flags.sampled
        attributes = kwargs.get("attributes") or (args[3] if len(args) > 3 else None)
        return SamplingResult(Decision.RECORD_ONLY if left_out else Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        return "SpantapeAlways"


class Relay(SpanProcessor):
    """Our one processor on a provider that is not ours: it can't be removed again, so it can be emptied.

    Only our own spans pass. The provider's shutdown flushes, no more: other providers may still be in use.
    """

    def __init__(self) -> None:
        self.targets: Sequence[SpanProcessor] = ()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Pass a span of ours on."""
        if self.targets and _is_ours(span):
            for target in self.targets:
                with guard:
                    target.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass a span of ours on."""
        if self.targets and _is_ours(span):
            for target in self.targets:
                with guard:
                    target.on_end(span)

    def shutdown(self) -> None:
        """Write what is there."""
        self.force_flush()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Write what is there."""
        done = True
        for target in self.targets:
            with guard:
                done = target.force_flush(timeout_millis) and done
        return done


_relays: weakref.WeakKeyDictionary[Any, Relay] = weakref.WeakKeyDictionary()


def join(provider: Any, processors: Sequence[SpanProcessor]) -> None:
    """Have a provider's spans of ours reach `processors`; a provider is added to once, however often it is joined."""
    if provider not in _relays:
        _relays[provider] = Relay()
        provider.add_span_processor(_relays[provider])
    _relays[provider].targets = tuple(processors)


def leave_all() -> None:
    """Let no span through any more."""
    for relay in _relays.values():
        relay.targets = ()


def exporters_of(provider: Any) -> list[Any]:
    """Give the exporters that a provider already has, as far as the SDK lets see them."""
    found: list[Any] = []
    with guard:
        active = getattr(provider, "_active_span_processor", None)
        for processor in getattr(active, "_span_processors", ()):
            exporter = getattr(processor, "span_exporter", None)
            found += [exporter] if exporter is not None else []
    return found


def _is_ours(span: ReadableSpan) -> bool:
    scope = span.instrumentation_scope
    return scope is not None and scope.name.partition(".")[0] == semconv.SCOPE
