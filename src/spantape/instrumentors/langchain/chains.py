"""Chain runs: which are agents, workflows, nodes of a graph and inner steps; pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import SpanKind

from ... import semconv
from ...content import Attributes
from .._endpoint import Endpoint
from .._mapping import fields, nothing, text
from .messages import message, messages, value_message

_HIDDEN = "langsmith:hidden"
_NODE = "graph:step:"
_UNNAMED = "LangGraph"
_EXECUTOR = "AgentExecutor"
_MODEL_NODES = frozenset({"agent", "model"})
_TOOL_NODE = "tools"
_TO_COME = {"input": ""}
"""The input of a chain that streams: the real one is told when it ends."""
_SPOKEN = ("input", "question", "query", "output", "answer", "text")


@dataclass(frozen=True)
class Chain:
    """A chain run that begins."""

    name: str
    kind: str | None
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    graph: Any
    is_root: bool

    def endpoint(self) -> Endpoint | None:
        """Give how it is told; None when LangChain itself hides it."""
        if _HIDDEN in self.tags:
            return None
        if self._is_agent():
            return AGENT
        return WORKFLOW if self.is_root or self.graph is not None else STEPS[self._step()]

    def where(self, endpoint: Endpoint | None) -> Attributes:
        """Give what is known of it when it begins."""
        if endpoint is AGENT:
            name = self.agent_name()
            return {semconv.AGENT_NAME: name} if name else {}
        if endpoint is WORKFLOW:
            return {semconv.WORKFLOW_NAME: self.name}
        return {semconv.STEP_TYPE: self._step(), semconv.STEP_NAME: self.name}

    def agent_name(self) -> str | None:
        """Give the name that the application has given to the agent."""
        return None if self.name in {_UNNAMED, _EXECUTOR} else self.name

    def _is_agent(self) -> bool:
        if self.graph is None:
            return self.name == _EXECUTOR
        nodes = set(fields(getattr(self.graph, "nodes", None)))
        return _TOOL_NODE in nodes and bool(nodes & _MODEL_NODES) or self._is_made_by_langchain()

    def _is_made_by_langchain(self) -> bool:
        """Say whether `create_agent` has made the graph: one without tools has no node for them."""
        made = self.metadata.get("ls_integration") == "langchain_create_agent"
        return made and self.metadata.get("lc_agent_name", _UNNAMED) == self.name

    def _step(self) -> str:
        if any(tag.startswith(_NODE) for tag in self.tags):
            return "node"
        return self.kind if self.kind in STEPS else "chain"  # type: ignore[return-value]


def _asked(body: Mapping[str, Any]) -> Attributes:
    inputs = body["inputs"]
    return {semconv.INPUT_MESSAGES: None if inputs == _TO_COME else _said("user", inputs) or None}


def _answered(body: Mapping[str, Any]) -> Attributes:
    return _asked(body) | {semconv.OUTPUT_MESSAGES: _said("assistant", body["outputs"])[-1:] or None}


def _said(role: str, value: Any) -> list[Any]:
    """Give what went in or came out: the messages of a state, a message, or whatever else it is."""
    state = fields(value)
    found = state.get("messages") if not hasattr(value, "content") else [value]
    if found is None and isinstance(value, list) and value and hasattr(value[0], "content"):
        found = value
    if found:
        return list(messages(found))
    spoken = next((text(state.get(key)) for key in _SPOKEN if len(state) == 1), None)
    return [message(value)] if hasattr(value, "content") else [value_message(role, spoken or value)] if value else []


def _around(operation: str, name: str) -> Endpoint:
    return Endpoint(operation, nothing, nothing, _asked, _answered, named_by=name, kind=SpanKind.INTERNAL)


def _inner(kind: str) -> Endpoint:
    return Endpoint(
        kind, nothing, nothing, named_by=semconv.STEP_NAME, kind=SpanKind.INTERNAL, is_silent=True, is_operation=False
    )


AGENT = _around(semconv.INVOKE_AGENT, semconv.AGENT_NAME)
WORKFLOW = _around(semconv.INVOKE_WORKFLOW, semconv.WORKFLOW_NAME)
STEPS = {kind: _inner(kind) for kind in ("chain", "node", "prompt", "parser")}
INNER = frozenset({STEPS["chain"], STEPS["prompt"], STEPS["parser"]})
"""What a tree can be read without."""
