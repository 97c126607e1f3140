"""`Tape`: what every call needs of the set-up; each flag has become a function."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from opentelemetry import trace
from opentelemetry.trace import Span

from .._version import __version__
from ..content import Attributes, ContentPolicy, without_content
from ..context import NOTHING, capture, opened
from ..opening import Opening
from ._endpoint import Reader
from ._estimate import Estimator, estimator
from ._events import Events
from ._headers import keeping
from ._mapping import nothing
from ._metrics import Metrics
from ._observer import Observer
from ._scope import closing
from ._source import caller

if TYPE_CHECKING:
    from ..settings import Settings

T = TypeVar("T")
StartSpan: TypeAlias = Callable[[Opening], Span]


@dataclass(frozen=True)
class Tape:
    """Starts a call's span, and says what may be set on it and what is added to it."""

    start_span: StartSpan
    leaves_out: Callable[[], bool]
    keep: Callable[..., Attributes]
    price: Callable[[Mapping[str, Any], float], Attributes]
    said: Callable[[Reader], Reader]
    """Gives what reads what was said: the reader itself, or one that reads nothing."""
    shown: Callable[[Attributes], Attributes]
    source: Reader
    headers: Callable[[Any], Attributes]
    """Gives of a response of the client's HTTP library the headers that are kept."""
    observers: tuple[Observer, ...]
    estimator: Estimator
    asks_for_usage: Callable[[str], bool]
    closes: Callable[[Attributes], bool]
    """Says, by what is known when a call begins, that nothing of what is said in it is kept."""
    closed: Tape | None = None
    """What such a call is given instead."""

    @classmethod
    def of(cls, settings: Settings, scope: str, start_span: StartSpan, leaves_out: Callable[[], bool] = bool) -> Tape:
        """Make the tape that the settings ask for; loads the prices, which takes a tenth of a second."""
        from ..pricing import PriceBook

        captures = bool(settings.capture_content)
        policy = ContentPolicy.of(settings, capture=captures)
        prices = PriceBook.of(settings)
        prices.warm()
        tape = cls(
            start_span=start_span,
            leaves_out=leaves_out,
            keep=policy.keep,
            price=prices.attributes,
            said=_as_it_is if captures else _unread,
            shown=_as_it_is if settings.capture_content.on_span else without_content,
            source=caller if settings.capture_source else nothing,
            headers=keeping(settings.capture_headers),
            observers=_observers(settings, scope),
            estimator=estimator(wanted=settings.estimate_usage),
            asks_for_usage=_is_among(settings.include_usage),
            closes=closing(settings.without_content_of),
        )
        return replace(tape, closed=replace(tape, keep=replace(policy, capture=False).keep, said=_unread))

    def for_call(self, known: Attributes) -> Tape:
        """Give the tape for a call: this one, or one that keeps nothing of what is said."""
        return self.closed if self.closed is not None and self.closes(known) else self

    def but(self, **changes: Any) -> Tape:
        """Give a copy with some of it changed, for every call."""
        closed = replace(self.closed, **changes) if self.closed is not None else None
        return replace(self, closed=closed, **changes)

    @classmethod
    def alone(cls, scope: str, **providers: Any) -> Tape | None:
        """Make the tape of an instrumentor that works without us, by the environment's settings; None if these say no.

        Spans are started with the provider given; without one, with the global provider.
        """
        from ..settings import Settings

        known = {name: providers.get(name) for name in ("tracer_provider", "meter_provider", "logger_provider")}
        settings = Settings.load(**known)
        tracer = trace.get_tracer(scope, __version__, settings.tracer_provider)
        return cls.of(settings, scope, lambda opening: opening.span(tracer)) if settings.enabled else None

    def looks_away(self) -> bool:
        """Say whether nobody would learn of a call that is made now."""
        if opened():
            return capture() == NOTHING
        if not self.leaves_out():
            return False
        for observer in self.observers:  # noqa: SIM110 - a generator costs as much as all the rest of it
            if observer.is_on():
                return False
        return True


def _observers(settings: Settings, scope: str) -> tuple[Observer, ...]:
    chosen: list[Observer] = []
    if settings.metrics != "off":
        chosen.append(Metrics(scope, settings.meter_provider, newest=settings.metrics == "latest"))
    if settings.capture_content.on_event if settings.events is None else settings.events:
        chosen.append(Events(scope, settings.logger_provider, content=settings.capture_content.on_event))
    return tuple(chosen)


def _is_among(hosts: Collection[str]) -> Callable[[str], bool]:
    """Give whether a host is one of those named, or lies below one; `*` is all."""
    if not hosts:
        return hosts.__contains__
    return lambda host: "*" in hosts or any(host == one or host.endswith(f".{one}") for one in hosts)


def _as_it_is(thing: T) -> T:
    return thing


def _unread(reader: Reader) -> Reader:  # noqa: ARG001 - that of what was said
    return nothing
