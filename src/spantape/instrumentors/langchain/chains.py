"""Chain runs: which are agents, workflows, and steps inside of these; pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from opentelemetry.trace import SpanKind

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._mapping import dig, fields, nothing, plain, text
from .messages import is_message, message, messages, value_message
from .steps import CHAIN, KINDS, NODE

_HIDDEN = "langsmith:hidden"
_NODE = "graph:step:"
_UNNAMED = "LangGraph"
_EXECUTOR = "AgentExecutor"
_CREATED = "langchain_create_agent"
_MODEL_NODES = ("agent", "model")
_TOOL_NODE = "tools"
_TO_COME = {"input": ""}
"""The input of a chain that streams: the real one is told when it ends."""
_NOTHING: tuple[Json, ...] = (None, "", [], {})
_ALL, _LAST = slice(None), slice(-1, None)
_SPOKEN = ("input", "question", "query", "output", "answer", "text")


class Chain(NamedTuple):
    """A chain run that begins."""

    name: str
    kind: str | None
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    graph: Any
    is_root: bool

    @property
    def is_hidden(self) -> bool:
        """Whether LangChain itself does not show it."""
        return _HIDDEN in self.tags

    def endpoint(self) -> Endpoint | None:
        """Give how it is told; None when it is a step of something."""
        if self._is_agent():
            return AGENT
        return WORKFLOW if self.is_root or self.graph is not None else None

    def agent_name(self) -> str | None:
        """Give the name that the application has given to the agent."""
        return None if self.name in {_UNNAMED, _EXECUTOR} else self.name

    def step(self) -> str:
        """Say what step it is."""
        for tag in self.tags:
            if tag.startswith(_NODE):
                return NODE
        return self.kind if self.kind in KINDS else CHAIN

    def _is_agent(self) -> bool:
        if self.graph is None:
            return self.name == _EXECUTOR
        nodes = fields(getattr(self.graph, "nodes", None))
        if _TOOL_NODE in nodes and any(name in nodes for name in _MODEL_NODES):
            return True
        # One without tools has no node for them; the run's own metadata are also those of a graph inside an agent.
        return bool(dig(getattr(self.graph, "config", None), "metadata.ls_integration") == _CREATED)


def where(endpoint: Endpoint, chain: Chain) -> Attributes:
    """Give what is known of an agent or a workflow when it begins."""
    name = chain.agent_name() if endpoint is AGENT else chain.name
    return {endpoint.named_by: name} if name else {}


def _asked(body: Mapping[str, Any]) -> Attributes:
    inputs = body["inputs"]
    return {semconv.INPUT_MESSAGES: None if _is_to_come(inputs) else _said("user", inputs) or None}


def _answered(body: Mapping[str, Any]) -> Attributes:
    return _asked(body) | {semconv.OUTPUT_MESSAGES: _said("assistant", body["outputs"], _LAST) or None}


def _said(role: str, value: Any, which: slice = _ALL) -> list[Any]:
    """Give what went in or came out: a message, the messages of a state, or whatever else it is."""
    if is_message(value):
        return [message(value)]
    state = fields(value)
    listed = value if isinstance(value, list) and any(map(is_message, value[:1])) else state.get("messages")
    if isinstance(listed, (list, tuple)) and listed:
        return messages(listed[which])
    if isinstance(listed, (str, dict)) or is_message(listed):
        return messages(listed)
    spoken = next(filter(None, (text(state.get(key)) for key in _SPOKEN)), None) if len(state) == 1 else None
    told = spoken or plain(value)
    return [value_message(role, told)] if told not in _NOTHING else []


def _is_to_come(inputs: Any) -> bool:
    """Say whether it stands for an input; what is no text may be compared in its own way."""
    return isinstance(inputs, dict) and isinstance(inputs.get("input"), str) and inputs == _TO_COME


def _around(operation: str, name: str) -> Endpoint:
    return Endpoint(operation, nothing, nothing, _asked, _answered, named_by=name, kind=SpanKind.INTERNAL)


AGENT = _around(semconv.INVOKE_AGENT, semconv.AGENT_NAME)
WORKFLOW = _around(semconv.INVOKE_WORKFLOW, semconv.WORKFLOW_NAME)
