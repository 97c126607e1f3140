"""The event of a call, `gen_ai.client.inference.operation.details`: for backends that keep content in log records."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import _logs, trace
from opentelemetry._logs import SeverityNumber

from .. import jsontext, semconv
from .._version import __version__
from ..content import is_content, without_content
from ._observer import INFERENCE, Ended

NAME = "gen_ai.client.inference.operation.details"

_HAS_NAME = "event_name" in inspect.signature(_logs.LogRecord.__init__).parameters


class Events:
    """Emits the event of each call with the LoggerProvider that holds at that moment; without one, nothing."""

    def __init__(self, scope: str, provider: Any, *, content: bool) -> None:
        self._scope, self._fixed = scope, provider
        self._told = _with_content if content else without_content
        self._emit = _emit if _HAS_NAME else _emit_unnamed
        self._seen: Any = None
        self._logger: Any = None

    def is_on(self) -> bool:
        """Say whether there is a LoggerProvider."""
        provider = self._fixed if self._fixed is not None else _logs.get_logger_provider()
        if provider is not self._seen:
            stands_in = type(provider).__module__.startswith("opentelemetry._logs")
            self._logger = None if stands_in else provider.get_logger(self._scope, __version__)
            self._seen = provider
        return self._logger is not None

    def ended(self, call: Ended) -> None:
        """Emit the event of an inference; a call that the sampler leaves out has none."""
        if call.is_recording and call.attributes.get(semconv.OPERATION) in INFERENCE:
            self._emit(self._logger, call, self._told(call.attributes))


def _with_content(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Give the attributes with messages and the like as structures, as the conventions want them on events."""
    return {key: jsontext.loads_or(value, value) if is_content(key) else value for key, value in attributes.items()}


def _emit(logger: Any, call: Ended, told: Mapping[str, Any]) -> None:
    make: Callable[..., Any] = _logs.LogRecord
    logger.emit(
        make(
            timestamp=time.time_ns(),
            context=call.context,
            severity_number=SeverityNumber.DEBUG,
            attributes=dict(told),
            event_name=NAME,
        )
    )


def _emit_unnamed(logger: Any, call: Ended, told: Mapping[str, Any]) -> None:
    """Emit with an SDK before 1.35: the name is an attribute, and structures are only taken in the body."""
    from opentelemetry.sdk import _logs as sdk

    span = trace.get_current_span(call.context).get_span_context()
    said = {key: value for key, value in told.items() if is_content(key)}
    make: Callable[..., Any] = sdk.LogRecord  # type: ignore[attr-defined,unused-ignore] # gone since
    logger.emit(
        make(
            timestamp=time.time_ns(),
            trace_id=span.trace_id,
            span_id=span.span_id,
            trace_flags=span.trace_flags,
            severity_number=SeverityNumber.DEBUG,
            body=said or None,
            resource=getattr(logger, "resource", None),
            attributes={"event.name": NAME, **{key: told[key] for key in told.keys() - said.keys()}},
        )
    )
