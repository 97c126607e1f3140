"""Whose TracerProvider a call's span comes from: the application's whenever there is one, else our own."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, ParentBased, Sampler, SamplingResult

from ._version import __version__
from .guard import guard
from .interaction import has_our_scope

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from .opening import Opening

_ATTRIBUTES = 512
_AT_SHUTDOWN = 2000
_LEFT_OUT = otel_context.create_key("spantape-left-out")


@dataclass(frozen=True)
class Choice:
    """The provider that holds, and ours for what its sampler leaves out; `seen` is what the choice was made of.

    `is_left_out` says whether the provider is certain to sample no call that is made now.
    """

    seen: tuple[object, object]
    provider: Any
    ours: TracerProvider
    is_left_out: Callable[[], bool]
    _tracers: dict[str, tuple[trace.Tracer, trace.Tracer]] = field(default_factory=dict)

    def is_of(self, provider: Any) -> bool:
        """Say whether it was made of a provider as that is now."""
        seen, processors = self.seen
        return provider is seen and processors_of(provider) is processors

    def tracers(self, scope: str) -> tuple[trace.Tracer, trace.Tracer]:
        """Give a scope's tracers, made once: that of the provider, and ours."""
        if scope not in self._tracers:
            theirs, ours = (one.get_tracer(scope, __version__) for one in (self.provider, self.ours))
            self._tracers[scope] = theirs, ours
        return self._tracers[scope]


class Tracing:
    """Starts spans with the provider that holds at that moment; looks at each call whether another one has appeared.

    `processors_for(provider)` says what is to be added to a provider when it is first used, and again when the
    application has added something to it since. With `everything`, what its sampler leaves out is recorded, too.
    """

    def __init__(
        self, fixed: Any, processors_for: Callable[[Any], Sequence[SpanProcessor]], *, everything: bool = True
    ) -> None:
        # The API's stand-in for a provider to come is none: what comes is found later.
        is_fixed = fixed is not None and not isinstance(fixed, trace.ProxyTracerProvider)
        self._provider: Callable[[], Any] = (lambda: fixed) if is_fixed else trace.get_tracer_provider
        self._processors_for = processors_for
        self._span = _recorded_span if everything else _sampled_span
        self.leaves_out = _no if everything else self._leaves_out
        """Says whether a call that is made now would have a span that nobody records, as far as that is certain."""
        self._lock = threading.Lock()
        self.private = self._ours()
        self._choice = Choice((None, None), self.private, self.private, _no)

    def starter(self, scope: str) -> Callable[[Opening], trace.Span]:
        """Give the function that starts a scope's spans."""

        def start(opening: Opening) -> trace.Span:
            with guard:  # a sampler or a processor of the application may raise
                return self._span(self.look(), scope, opening)
            return opening.span(self.private.get_tracer(scope, __version__))

        return start

    def _leaves_out(self) -> bool:
        # What was added to the provider since is nothing to a call that no processor hears of.
        choice = self._choice if self._choice.seen[0] is self._provider() else self.look()
        return choice.is_left_out()

    def look(self) -> Choice:
        """Find out which provider holds now."""
        provider, choice = self._provider(), self._choice
        if not choice.is_of(provider):
            with self._lock:
                if not self._choice.is_of(provider):
                    self._choice = self._chosen(provider)
                choice = self._choice
        return choice

    def _chosen(self, provider: Any) -> Choice:
        usable = _takes_processors(provider)
        if usable:
            join(provider, self._processors_for(provider))
        seen = (provider, processors_of(provider))
        if not usable or provider is self.private:
            return Choice(seen, self.private, self.private, _no)
        ours = self._ours(getattr(provider, "resource", None))
        return Choice(seen, provider, ours, _left_out_by(getattr(provider, "sampler", None)))

    def _ours(self, resource: object = None) -> TracerProvider:
        provider = TracerProvider(
            resource=resource if isinstance(resource, Resource) else None,
            sampler=_Always(),
            span_limits=SpanLimits(max_span_attributes=_ATTRIBUTES),
            shutdown_on_exit=False,
        )
        join(provider, self._processors_for(provider))
        return provider


def _yes() -> bool:
    return True


def _no() -> bool:
    return False


def _left_out_by(sampler: object) -> Callable[[], bool]:
    """Give what says whether a sampler is certain to leave out a call; a tracer never gets another one."""
    if sampler is ALWAYS_OFF:
        return _yes
    places = ("_remote_parent_not_sampled", "_local_parent_not_sampled")
    by_parent = type(sampler) is ParentBased and all(getattr(sampler, place, None) is ALWAYS_OFF for place in places)
    return _is_below_unsampled if by_parent else _no


def _is_below_unsampled() -> bool:
    parent = trace.get_current_span().get_span_context()
    return parent.is_valid and not parent.trace_flags.sampled


def _sampled_span(choice: Choice, scope: str, opening: Opening) -> trace.Span:
    return opening.span(choice.tracers(scope)[0])


def _recorded_span(choice: Choice, scope: str, opening: Opening) -> trace.Span:
    theirs, ours = choice.tracers(scope)
    span = opening.span(theirs)
    if span.is_recording() or choice.provider is choice.ours:
        return span
    # The application's sampler leaves it out: we record it under the same trace id, unsampled for everyone else.
    left_out = opening._replace(context=otel_context.set_value(_LEFT_OUT, True, opening.context))
    return left_out.span(ours)


class _Always(Sampler):
    """Records everything; what is left out, here or by whoever called us, stays unsampled: OTLP does not send it."""

    def should_sample(self, parent_context: Context | None, *args: Any, **kwargs: Any) -> SamplingResult:
        parent = trace.get_current_span(parent_context).get_span_context()
        unsampled = parent.is_valid and not parent.trace_flags.sampled
        left_out = unsampled or otel_context.get_value(_LEFT_OUT, parent_context)
        attributes = kwargs.get("attributes") or (args[3] if len(args) > 3 else None)
        return SamplingResult(Decision.RECORD_ONLY if left_out else Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        return "SpantapeAlways"


class Relay(SpanProcessor):
    """Our one processor on a provider: it can't be removed again, so it can be emptied.

    Only our own spans pass. The provider's shutdown flushes, no more: other providers may still be in use.
    """

    def __init__(self) -> None:
        self.targets: Sequence[SpanProcessor] = ()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Pass a span of ours on."""
        if self.targets and has_our_scope(span):
            for target in self.targets:
                with guard:
                    target.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass a span of ours on."""
        if self.targets and has_our_scope(span):
            for target in self.targets:
                with guard:
                    target.on_end(span)

    def shutdown(self) -> None:
        """Write what is there."""
        self.force_flush(_AT_SHUTDOWN)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Write what is there."""
        return flush_all(self.targets, timeout_millis)


_relays: list[tuple[weakref.ref[Any], Relay]] = []
"""A list, because a provider need not be hashable."""


def join(provider: Any, processors: Sequence[SpanProcessor]) -> None:
    """Have a provider's spans of ours reach `processors`; a provider is added to once, however often it is joined."""
    relay = next((relay for known, relay in _relays if known() is provider), None)
    if relay is None:
        known, relay = weakref.ref(provider), Relay()
        provider.add_span_processor(relay)
        _relays.append((known, relay))
    relay.targets = tuple(processors)


def leave_all() -> None:
    """Let no span through any more."""
    for _, relay in _relays:
        relay.targets = ()
    _relays[:] = [(known, relay) for known, relay in _relays if known() is not None]


def flush_all(processors: Iterable[SpanProcessor], timeout_millis: int) -> bool:
    """Flush processors one after the other, within one time; False when one has failed or the time was over."""
    end = time.monotonic() + timeout_millis / 1000
    done = True
    for processor in processors:
        flushed = False
        with guard:
            flushed = processor.force_flush(max(1, int((end - time.monotonic()) * 1000)))
        done = flushed and done
    return done


def processors_of(provider: Any) -> tuple[Any, ...]:
    """Give what was added to a provider; the SDK makes another tuple with each addition, so identity shows a change."""
    found = getattr(getattr(provider, "_active_span_processor", None), "_span_processors", ())
    return found if isinstance(found, tuple) else ()


def _takes_processors(provider: Any) -> bool:
    if callable(getattr(provider, "add_span_processor", None)):
        return True
    if not isinstance(provider, trace.ProxyTracerProvider):
        guard.warn_once(
            "foreign provider",
            "The TracerProvider is a %s, which takes no span processors; spantape records with its own",
            type(provider).__qualname__,
        )
    return False
