"""What other instrumentations of LangChain do wrong, by the rows of a table that compares them: each works here."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, ClassVar

import pytest
from langchain_core.callbacks import BaseCallbackHandler, CallbackManager
from langchain_core.documents import Document
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from langchain_core.tracers import context as tracers
from langchain_things import ASKED, CALL, CHAIN, Fake, agent, chain, chat, graph, named, one_trace, said, tree

import spantape
from recorded import Recorded
from spantape.instrumentors.langchain import LangChainInstrumentor
from spantape.testing import ScriptedServer, completion, stream

QUESTION: Any = {"messages": [("user", "1+2?")]}


def test_hook(recorded: Recorded) -> None:
    """It is the public one: nothing is put into managers that an application makes."""
    assert CallbackManager(handlers=[]).handlers == []
    assert len(CallbackManager.configure().handlers) == 1


def test_chain_prompt_and_parser_spans(recorded: Recorded) -> None:
    (chain(Fake()) | RunnableLambda(str)).invoke(ASKED)
    assert tree(recorded.spans, hidden=["-"]) == CHAIN.format(model="chat fake-1") + "  chain str\n"


def test_model_tool_and_retriever(recorded: Recorded) -> None:
    class Cats(BaseRetriever):
        search_kwargs: ClassVar[dict[str, int]] = {"k": 1}

        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            return [Document(page_content="a cat")]

    Cats().invoke("cat")
    agent(Fake(answers=[CALL, "3"])).invoke(QUESTION)
    found = {span.attributes.get("gen_ai.operation.name") for span in recorded.spans}
    assert found >= {"chat", "execute_tool", "retrieval"}
    assert named(recorded.spans, "retrieval").attributes["gen_ai.retrieval.top_k"] == 1


def test_agent(recorded: Recorded) -> None:
    agent(Fake(answers=[CALL, "3"])).invoke(QUESTION)
    assert named(recorded.spans, "invoke_agent").attributes["gen_ai.operation.name"] == "invoke_agent"
    assert not [span for span in recorded.spans if span.name.startswith("invoke_workflow")]


def test_langgraph_nodes(recorded: Recorded) -> None:
    graph(one=lambda state: said("1"), two=lambda state: said("2")).invoke(QUESTION)
    assert tree(recorded.spans) == "\ninvoke_workflow LangGraph\n  node one\n  node two\n"


def test_openai_double_span(server: ScriptedServer, recorded: Recorded) -> None:
    chain(chat(server)).invoke(ASKED)
    used = [span for span in recorded.spans if "gen_ai.usage.input_tokens" in span.attributes]
    assert [span.name for span in used] == ["chat gpt-4o-mini"]
    assert one_trace(recorded.spans)


def test_user_span_in_a_tool_or_node(recorded: Recorded) -> None:
    tracer = recorded.provider.get_tracer("app")

    @tool
    def look(a: int, b: int) -> str:
        """Look."""
        tracer.start_span("in the tool").end()
        return "3"

    def node(state: Any) -> Any:
        tracer.start_span("in the node").end()
        return said(look.invoke({"a": 1, "b": 2}))

    graph(node=node).invoke(QUESTION)
    assert (
        tree(recorded.spans)
        == """
invoke_workflow LangGraph
  node node
    in the node
    execute_tool look
      in the tool
"""
    )


def test_llm_call_inside_a_user_span_in_a_node(recorded: Recorded) -> None:
    def node(state: Any) -> Any:
        with recorded.provider.get_tracer("app").start_as_current_span("work"):
            return said(Fake().invoke("x").content)

    graph(node=node).invoke(QUESTION)
    assert tree(recorded.spans) == "\ninvoke_workflow LangGraph\n  node node\n    work\n      chat fake-1\n"


def test_chain_batch(recorded: Recorded) -> None:
    chain(Fake()).batch([ASKED, ASKED])
    recorded.provider.get_tracer("app").start_span("after").end()
    once = CHAIN.format(model="chat fake-1")
    assert tree(recorded.spans) == f"{once}{once[1:]}after\n"


def test_runnable_parallel_and_threads(recorded: Recorded) -> None:
    RunnableParallel(a=chain(Fake()), b=chain(Fake())).invoke(ASKED)
    assert one_trace(recorded.spans)
    root = next(span for span in recorded.spans if span.parent is None)
    inside = [span for span in recorded.spans if span.name == "chain RunnableSequence"]
    assert [span.parent.span_id for span in inside] == [root.context.span_id] * 2
    for sequence in inside:
        mine = [span for span in recorded.spans if span.parent and span.parent.span_id == sequence.context.span_id]
        assert sorted(span.name for span in mine) == [
            "chat fake-1",
            "parser StrOutputParser",
            "prompt ChatPromptTemplate",
        ]


def test_abandoned_v3_stream(server: ScriptedServer, recorded: Recorded) -> None:
    if not hasattr(BaseChatModel, "stream_events"):
        pytest.skip("this langchain has none")
    server.replies(stream("Hello", usage=True), completion("Hello again"))
    model = chat(server)
    events = model.stream_events("x", version="v3")
    next(iter(events))
    del events
    gc.collect()
    model.invoke("x")
    assert [record["response"] for record in recorded.records][1:] == ["Hello again"]
    assert all(span.parent is None for span in recorded.spans)


def test_ainvoke_cancelled(recorded: Recorded) -> None:
    class Slow(Fake):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            started.set()
            await asyncio.sleep(30)

    started = asyncio.Event()

    async def main(made: Any, asked: Any) -> None:
        task = asyncio.ensure_future(made.ainvoke(asked))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main(chain(Slow()), ASKED))
    assert recorded.record["status"] == "cancelled"
    active = LangChainInstrumentor()._active
    assert active is not None
    assert not len(active._runs)


def test_langgraph_astream_break(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async for _ in agent(Fake(answers=[CALL, "3"])).astream(QUESTION):
            break

    asyncio.run(main())
    gc.collect()
    assert "detach" not in caplog.text
    assert one_trace(recorded.spans)


def test_graph_interrupt(recorded: Recorded) -> None:
    from langgraph.checkpoint.memory import MemorySaver

    made = agent(Fake(answers=[CALL, "3"]), checkpointer=MemorySaver(), interrupt_before=["tools"])
    made.invoke(QUESTION, {"configurable": {"thread_id": "t"}})
    made.invoke(None, {"configurable": {"thread_id": "t"}})
    assert {span.status.status_code.name for span in recorded.spans} == {"UNSET"}
    assert {span.attributes["gen_ai.conversation.id"] for span in recorded.spans} == {"t"}


def test_thread_id_and_session_id_from_config_metadata(recorded: Recorded) -> None:
    chain(Fake()).invoke(ASKED, {"metadata": {"session_id": "s", "thread_id": "t"}})
    assert (recorded.record["session_id"], recorded.record["conversation_id"]) == ("s", "t")


def test_mutates_callback_manager(recorded: Recorded) -> None:
    mine: list[Any] = [BaseCallbackHandler()]
    CallbackManager(handlers=mine)
    chain(Fake()).invoke(ASKED, {"callbacks": mine})
    assert len(mine) == 1


def test_uninstrument_restores(recorded: Recorded) -> None:
    during = list(tracers._configure_hooks)
    spantape.uninstrument()
    assert len(tracers._configure_hooks) == len(during) - 1
    assert CallbackManager.configure().handlers == []
    chain(Fake()).invoke(ASKED)
    assert recorded.spans == []
