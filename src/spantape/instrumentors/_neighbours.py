"""Who else tells the same call: what the official GenAI instrumentations leave on OpenTelemetry's context.

Nothing of theirs is imported: what the application has not loaded is not active in it, either.
"""

from __future__ import annotations

import sys
from types import ModuleType

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from ..guard import guard

_HANDLER = "opentelemetry.util.genai.handler"
_INVOCATION = "opentelemetry.util.genai.invocation"
_MARKS = (
    "opentelemetry.genai.client.inference.context",
    "opentelemetry.genai.client.embedding.context",
    "opentelemetry.genai.client.fetch_response.context",
)
"""Their keys, since 1.3b0."""

_LANGCHAIN = "opentelemetry.instrumentation.genai.langchain"
_SCOPES = ("opentelemetry.instrumentation.genai.", _HANDLER)
_CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings", "fetch_response"})
_SUPPRESSED_BEFORE = "suppress_instrumentation"
_SUPPRESSED: str = getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", _SUPPRESSED_BEFORE)
_OURS = otel_context.create_key("spantape-mark")


def is_counted_elsewhere() -> bool:
    """Say whether an official instrumentation tells the call that is being made, and counts its tokens."""
    if _HANDLER not in sys.modules:
        return False
    with guard:
        here = otel_context.get_current()
        marks = [mark for mark in map(here.get, _MARKS) if mark is not None]
        return any(mark is not here.get(_OURS) for mark in marks) if marks else _is_theirs(trace.get_current_span(here))
    return False


def are_chats_counted_elsewhere() -> bool:
    """Say whether the official instrumentation of LangChain tells its chat models, and counts their tokens."""
    kind = getattr(sys.modules.get(_LANGCHAIN), "LangChainInstrumentor", None)
    with guard:
        return kind is not None and bool(kind().is_instrumented_by_opentelemetry)
    return False


def is_suppressed(client: object, context: Context | None = None) -> bool:
    """Say whether nobody is to tell a call that a client makes in a context, the current one if none is given.

    Logfire suppresses what is inside its own calls, so that HTTP requests make no spans; that is not meant for us.
    """
    here = otel_context.get_current() if context is None else context
    if not here or not (here.get(_SUPPRESSED) or here.get(_SUPPRESSED_BEFORE)):  # a third of what OpenTelemetry takes
        return False
    with guard:
        if getattr(client, "_is_instrumented_by_logfire", False):
            span = trace.get_current_span(here)
            return span.is_recording() and not _scope(span).startswith("logfire")
    return True


def with_mark(context: Context) -> Context:
    """Have official instrumentations that run in a context take the call as told; without any, the same context."""
    module = sys.modules.get(_INVOCATION)
    if module is None:
        return context
    with guard:
        return _marked(context, module)
    return context


def _marked(context: Context, module: ModuleType) -> Context:
    data, key = getattr(module, "InferenceData", None), getattr(module, "CLIENT_INFERENCE_CONTEXT_KEY", None)
    if not isinstance(data, type) or not isinstance(key, str) or context.get(key) is not None:
        return context
    mark = data()
    return otel_context.set_value(_OURS, mark, otel_context.set_value(key, mark, context))


def _is_theirs(span: object) -> bool:
    """Say whether a span is that of an official call: versions before 1.3b0 leave nothing else on the context."""
    attributes = getattr(span, "attributes", None) or {}
    return _scope(span).startswith(_SCOPES) and attributes.get("gen_ai.operation.name") in _CALLS


def _scope(span: object) -> str:
    return getattr(getattr(span, "instrumentation_scope", None), "name", None) or ""
