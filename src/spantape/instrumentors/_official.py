"""What an official GenAI instrumentation hands to its completion hook, told as an ended span of ours."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind

from .. import semconv
from .._version import __version__
from ..content import Attributes, without_content
from ..context import NOTHING, capture, current
from ..jsontext import Json
from ._neighbours import is_counted_elsewhere

Keep: TypeAlias = Callable[[Mapping[str, Any]], Attributes]
Price: TypeAlias = Callable[[Mapping[str, Any], float], Attributes]
ProviderOf: TypeAlias = Callable[[str, "int | None"], str]

SCOPE = f"{semconv.SCOPE}.official"

_SUMS = frozenset({"invoke_agent", "invoke_workflow", "execute_tool", "create_agent", "plan", "retrieval"})
"""Operations that make calls, or none; each call in them is handed over by itself."""

_OTHER_NAMES = {
    "gen_ai.system": semconv.PROVIDER,
    "gen_ai.usage.cache_creation.input_tokens": semconv.CACHE_WRITE_TOKENS,
}
_DEPTH = 32
_SCALARS = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True)
class Completion:
    """The arguments of `on_completion`; messages and tools are util-genai's dataclasses, of whatever version."""

    inputs: Any = ()
    outputs: Any = ()
    system_instruction: Any = ()
    tool_definitions: Any = ()
    span: Any = None
    log_record: Any = None

    @classmethod
    def of(cls, handed: Mapping[str, Any]) -> Completion:
        """Take what this version knows of what was handed over."""
        return cls(**{one.name: handed[one.name] for one in fields(cls) if handed.get(one.name) is not None})

    def package(self) -> str:
        """Give the library that the call was made with, as `openai`; empty when the span does not tell it."""
        scope = getattr(self.span, "instrumentation_scope", None)
        return str(getattr(scope, "name", "")).partition("instrumentation.")[2].removeprefix("genai.")

    def attributes(self) -> Attributes:
        """Give what the span tells, or the event when a sampler has left the span out, but for what was said."""
        told = {
            **(getattr(self.log_record, "attributes", None) or {}),
            **(getattr(self.span, "attributes", None) or {}),
        }
        found = without_content(told)
        for theirs, ours in _OTHER_NAMES.items():
            if theirs in found:
                found.setdefault(ours, found[theirs])
        return found if semconv.OPERATION in found else found | self._guessed()

    def said(self) -> Attributes:
        """Give the messages and tools as plain JSON; instructions are the first message, as other APIs send them."""
        instructions = plain(self.system_instruction)
        first = [{"role": "system", "parts": instructions}] if instructions else []
        return {
            semconv.INPUT_MESSAGES: [*first, *plain(self.inputs)] or None,
            semconv.OUTPUT_MESSAGES: plain(self.outputs) or None,
            semconv.TOOL_DEFINITIONS: plain(self.tool_definitions) or None,
            semconv.ERROR_MESSAGE: getattr(getattr(self.span, "status", None), "description", None),
        }

    def _guessed(self) -> Attributes:
        """Give what is certain of a call whose span was left out and that has no event."""
        if not is_counted_elsewhere():
            return {}  # it may be an agent's run, whose calls are handed over, too
        reasons = [getattr(output, "finish_reason", None) for output in self.outputs]
        failed = not reasons or "error" in reasons
        return {semconv.OPERATION: "chat"} | ({semconv.ERROR_TYPE: "_OTHER"} if failed else {})


@dataclass(frozen=True)
class Teller:
    """Tells completions as spans of ours; each setting has become a function."""

    keeps: Callable[[Attributes], Keep]
    price: Price
    provider_of: ProviderOf

    def span(self, completion: Completion) -> ReadableSpan | None:
        """Give the span, ended now, with the ids and the start of the official one; None for what is no call."""
        found = completion.attributes()
        if found.get(semconv.OPERATION, "invoke_agent") in _SUMS or capture() == NOTHING:
            return None
        official = completion.span
        started = getattr(official, "start_time", None)
        found |= current().attributes() | self._corrected(found)
        found |= self.price(found, (started or time.time_ns()) / 1e9)
        return ReadableSpan(
            name=getattr(official, "name", "") or str(found[semconv.OPERATION]),
            context=_context(official),
            parent=getattr(official, "parent", None),
            resource=getattr(official, "resource", None),
            attributes=self.keeps(found)(found | completion.said()),
            kind=SpanKind.CLIENT,
            instrumentation_scope=InstrumentationScope(SCOPE, __version__),
            start_time=started,
            end_time=time.time_ns(),
        )

    def _corrected(self, found: Attributes) -> Attributes:
        """Name the provider by the server: the official package of openai calls them all openai."""
        host, port = found.get(semconv.SERVER_ADDRESS), found.get(semconv.SERVER_PORT)
        if found.get(semconv.PROVIDER) != "openai" or not host:
            return {}
        return {semconv.PROVIDER: self.provider_of(str(host), port)}


def plain(value: Any, depth: int = _DEPTH) -> Json:
    """Turn dataclasses into plain JSON without what they leave empty; bytes become base64, as the schema has it."""
    kind: type = type(value)
    if kind in _SCALARS:
        return value
    if depth == 0:
        return None
    if isinstance(value, (list, tuple)):
        return [plain(item, depth - 1) for item in value]
    names = getattr(kind, "__dataclass_fields__", None)
    if names is not None:
        held = ((name, getattr(value, name, None)) for name in names)
        return {name: plain(item, depth - 1) for name, item in held if item is not None}
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    return base64.b64encode(value).decode() if isinstance(value, (bytes, bytearray)) else value


def _context(span: Any) -> SpanContext:
    """Give the ids of the official span, also when it was left out; new ones where there is none."""
    context = span.get_span_context() if span is not None else trace.get_current_span().get_span_context()
    if context.is_valid and span is not None:
        return context
    made = RandomIdGenerator()
    return SpanContext(context.trace_id or made.generate_trace_id(), made.generate_span_id(), is_remote=False)
