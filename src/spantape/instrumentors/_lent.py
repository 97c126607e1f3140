"""`Lent`: what the layer beneath has instead of a span, when it tells a call that another layer has opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from ..opening import Opening
from ._failure import FAILURE

if TYPE_CHECKING:
    from ._call import Call


class Lent(trace.NonRecordingSpan):
    """A call's span, as the layer beneath may have it: to say what it knows, but not how the call ends."""

    def __init__(self, call: Call, opening: Opening) -> None:
        super().__init__(call.span.get_span_context())
        self.call = call
        self._waiting: object = None
        self._failure: dict[str, Any] = {}
        self.set_attributes(opening.attributes)

    def is_recording(self) -> bool:
        """Say whether the span takes anything."""
        return self.call.span.is_recording()

    def ends(self, waiting: object) -> None:
        """Have the call end together with what the layer beneath tells; until then `waiting` is kept alive."""
        self._waiting = waiting

    def end(self, end_time: int | None = None) -> None:  # noqa: ARG002 - OpenTelemetry's
        """End the call, if that is all that it waits for."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.call.note(self._failure)
            self.call.end()

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Say something of the call."""
        told = {name: value for name, value in attributes.items() if name not in FAILURE}
        self._failure |= {name: value for name, value in attributes.items() if name in FAILURE}
        self.call.use(told)
        if self.is_recording():
            self.call.span.set_attributes(told)
