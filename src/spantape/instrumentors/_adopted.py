"""Whom and what a framework says that its runs belong to: it travels in OpenTelemetry's context, as spans do."""

from __future__ import annotations

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from ..content import Attributes
from ..context import Belonging, belonging, current

_KEY = otel_context.create_key("spantape-belonging")


def adopting(found: Belonging, context: Context) -> Context:
    """Have the calls in a context belong there, as far as no session says otherwise."""
    return otel_context.set_value(_KEY, found, context)


def adopted(context: Context | None) -> Attributes:
    """Give the span attributes of whom and what a call belongs to that is made in a context, or else in the current."""
    found = (otel_context.get_current() if context is None else context).get(_KEY)
    return current(found).attributes() if isinstance(found, Belonging) else belonging()
