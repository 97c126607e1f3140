"""`Handler`: LangChain's callbacks, each of which begins or ends a run."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID
from weakref import ref

from langchain_core.callbacks.base import BaseCallbackHandler
from opentelemetry import context as otel_context

from ... import semconv
from ...content import Attributes
from ...guard import guard
from .._call import ABANDONED, COMPLETED, Call
from .._endpoint import Endpoint
from .._neighbours import is_suppressed
from . import chains, models, prompts, retrievers, tools
from .beginning import GRAPHS, Beginning
from .belonging import belonging, of_agent
from .run import Run
from .runs import Runs
from .steps import NODE, PROMPT

_CONTROL = frozenset({"GraphBubbleUp", "GraphInterrupt", "NodeInterrupt", "ParentCommand"})
"""How LangGraph leaves a node that is to go on later or elsewhere."""
_NONE: Mapping[str, Any] = {}


class Handler(BaseCallbackHandler):
    """Tells each run; quiet once `active` is False. There is one, whoever copies the callbacks that it is in."""

    run_inline = True
    raise_error = False
    # Asked at each event: the class above makes properties of them.
    ignore_llm = ignore_chat_model = ignore_chain = ignore_retriever = ignore_agent = False

    def __init__(self, runs: Runs, *, steps: bool = True) -> None:
        self.runs = runs
        self._steps = steps
        self.active = True

    def __copy__(self) -> Handler:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Handler:
        return self

    def __reduce__(self) -> Any:
        return BaseCallbackHandler, ()  # another process has its own

    # --- begin

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **told: Any) -> None:
        """Begin a chain, an agent, a node."""
        with guard:
            self._chain(run_id, serialized, inputs, told)

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **told: Any) -> None:
        """Begin a call of a chat model."""
        with guard:
            self._model(models.CHAT, run_id, messages[0] if messages else [], told)

    def on_llm_start(self, serialized: Any, prompts: Any, *, run_id: UUID, **told: Any) -> None:
        """Begin a call of a model that completes text."""
        with guard:
            self._model(models.TEXT, run_id, prompts[:1], told)

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **told: Any) -> None:
        """Begin a tool."""
        with guard:
            begun = self._begun(run_id, told)
            if begun is not None:
                about = serialized or {}
                agent = begun.belonging.agent_key if begun.belonging is not None else None
                where = tools.where(told.get("name") or about.get("name"), told.get("tool_call_id"), agent)
                body = {"serialized": about, "input": input_str, "inputs": told.get("inputs")}
                self._start(begun, tools.TOOL, where, body)

    def on_retriever_start(self, serialized: Any, query: str, *, run_id: UUID, **told: Any) -> None:
        """Begin a search."""
        with guard:
            beginning = Beginning()
            begun = self._begun(run_id, told, beginning)
            if begun is not None:
                where = retrievers.where(told.get("metadata") or _NONE, told.get("name"))
                self._start(begun, retrievers.RETRIEVER, where, {"query": query, "retriever": beginning.owner()})

    # --- go on

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **told: Any) -> None:
        """Take note of a chunk; the layer beneath has seen it before, if there is one."""
        run = self.runs.get(run_id)
        if run is None or run.is_told_beneath:
            return
        with guard:
            call = run.told()
            if call is not None:
                if call.chunks is None:
                    call.note({semconv.REQUEST_STREAM: True})
                call.chunk(None)

    # --- end

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **told: Any) -> None:
        """End a chain, an agent, a node."""
        self._end(run_id, {"outputs": outputs, "inputs": told.get("inputs")})

    def on_llm_end(self, response: Any, *, run_id: UUID, **told: Any) -> None:
        """End a call of a model."""
        with guard:
            run = self.runs.get(run_id)
            call = run.told() if run is not None else None
            if run is None or call is None:
                return
            if not run.is_told_beneath:
                call.answered(models.answer(response, run_id))
            self.runs.end(run, COMPLETED)
            for message in models.given(response):
                call.gave(message)
                call.named(getattr(message, "id", None))  # what a stream gave is another object with this id

    def on_tool_end(self, output: Any, *, run_id: UUID, **told: Any) -> None:
        """End a tool."""
        self._end(run_id, {"output": output})

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **told: Any) -> None:
        """End a search."""
        self._end(run_id, {"documents": documents})

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        """End a chain, an agent, a node that has failed."""
        self._fail(run_id, error, told)

    on_llm_error = on_tool_error = on_retriever_error = on_chain_error

    # --- how

    def _begun(self, run_id: UUID, told: Mapping[str, Any], beginning: Beginning | None = None) -> Run | None:
        here = otel_context.get_current()
        parent = self.runs.parent(told.get("parent_run_id"), here)
        if not self.active or is_suppressed(None, here) or self.runs.looks_away(parent):
            return None
        metadata: Mapping[str, Any] = told.get("metadata") or _NONE
        if parent is not None:
            return Run(run_id, parent, belonging(parent.belonging, metadata, _NONE), here)
        start = beginning or Beginning()
        run = Run(run_id, None, belonging(None, metadata, start.configurable()), here)
        manager = start.manager()
        if manager is not None:  # not every run is told of its end: a cancelled one is not
            run.watched = ref(manager, lambda _: self._lost(run))
        return run

    def _chain(self, run_id: UUID, serialized: Any, inputs: Any, told: Mapping[str, Any]) -> None:
        # No graph says what kind of run it is: for most steps no frame is looked at.
        may_be_graph = GRAPHS in sys.modules and "run_type" not in told
        beginning = Beginning() if may_be_graph or told.get("parent_run_id") is None else None
        run = self._begun(run_id, told, beginning)
        if run is None:
            return
        chain = chains.Chain(
            name=told.get("name") or _name(serialized) or "chain",
            kind=told.get("run_type"),
            tags=told.get("tags") or (),
            metadata=told.get("metadata") or _NONE,
            graph=beginning.graph() if beginning is not None else None,
            is_root=run.parent is None,
        )
        if not chain.is_hidden:
            self._show(run, chain, serialized, inputs)
        self.runs.start(run)

    def _show(self, run: Run, chain: chains.Chain, serialized: Any, inputs: Any) -> None:
        endpoint = chain.endpoint()
        if endpoint is None:
            self._step(run, chain, serialized, inputs)
            return
        self.runs.tell(run, endpoint, chains.where(endpoint, chain), {"inputs": inputs})
        if endpoint is chains.AGENT:
            run.belonging = of_agent(run.belonging, chain.agent_name())

    def _step(self, run: Run, chain: chains.Chain, serialized: Any, inputs: Any) -> None:
        kind = chain.step()
        if kind == PROMPT and run.parent is not None:
            run.parent.prompt = prompts.attributes(chain.name, _name(serialized), chain.metadata, inputs)
        elif run.parent is not None and prompts.is_formatted(inputs):
            run.prompt = run.parent.prompt  # a fallback or a retry, which has the model inside
        if self._steps or kind == NODE:
            self.runs.show(run, kind, chain.name)

    def _model(self, endpoint: Endpoint, run_id: UUID, said: Any, told: Mapping[str, Any]) -> None:
        run = self._begun(run_id, told)
        if run is None:
            return
        metadata = told.get("metadata") or _NONE
        parameters = told.get("invocation_params") or _NONE
        body = {
            "model": models.model(parameters, metadata),
            "messages": said,
            "parameters": parameters,
        }
        provider = models.provider(metadata)
        where = {semconv.PROVIDER: provider} if provider else {}
        self.runs.wait(run, endpoint, where, body)
        if not models.is_told_beneath(provider):
            run.told()
        self.runs.start(run)

    def _start(self, run: Run, endpoint: Endpoint, where: Attributes, body: Mapping[str, Any]) -> None:
        self.runs.tell(run, endpoint, where, body)
        self.runs.start(run)

    def _end(self, run_id: UUID, body: Mapping[str, Any]) -> None:
        with guard:
            run = self.runs.get(run_id)
            if run is not None:
                if run.call is not None:
                    run.call.answered(body)
                self.runs.end(run, COMPLETED)

    def _fail(self, run_id: UUID, error: BaseException, told: Mapping[str, Any]) -> None:
        with guard:
            run = self.runs.get(run_id)
            if run is None:
                return
            call = run.told()
            if call is not None and not run.is_told_beneath:
                _learn(call, told, run_id)
            names = {kind.__name__ for kind in type(error).__mro__}
            if isinstance(error, GeneratorExit):
                self.runs.end(run, ABANDONED)
            elif names & _CONTROL:
                shown = call or run.step
                if shown is not None and "GraphInterrupt" in names:
                    shown.note({semconv.INTERRUPTED: True})
                self.runs.end(run, COMPLETED)
            else:
                self.runs.end(run, error=error)

    def _lost(self, run: Run) -> None:
        with guard:
            self.runs.end(run, ABANDONED)


def _learn(call: Call, told: Mapping[str, Any], run_id: UUID) -> None:
    """Take what is told with an error: the part of an answer, or the input of a chain that streams."""
    if told.get("response") is not None:
        call.answered(models.answer(told["response"], run_id))
    elif told.get("inputs") is not None and call.endpoint in (chains.AGENT, chains.WORKFLOW):
        call.answered({"outputs": None, "inputs": told["inputs"]})


def _name(serialized: Any) -> str | None:
    """Give the name of the class that a run is of."""
    found = serialized.get("id") if isinstance(serialized, Mapping) else None
    return str(found[-1]) if isinstance(found, Sequence) and found else None
