"""Whatever happens inside a step, a tool or a node is told inside it: spans of the application's, calls of openai's."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from langchain_things import ASKED, CALL, Fake, agent, chain, chat, graph, named, one_trace, said, tree

import openai
import spantape
from recorded import Recorded
from spantape.testing import ScriptedServer, completion

ASYNC_CONTEXT = pytest.mark.skipif(sys.version_info < (3, 11), reason="a task can't be given a context before 3.11")
QUESTION = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Who?"}]}


def test_spans_of_the_application_in_a_lambda(recorded: Recorded) -> None:
    tracer = recorded.provider.get_tracer("app")

    def work(value: str) -> str:
        with tracer.start_as_current_span("work"):
            return Fake().invoke(value).content

    (RunnableLambda(str) | work).invoke("x")
    assert (
        tree(recorded.spans, hidden=["-"])
        == """
invoke_workflow RunnableSequence
  chain str
  chain work
    work
      chat fake-1
"""
    )


@ASYNC_CONTEXT
def test_spans_of_the_application_in_an_async_tool_and_node(recorded: Recorded) -> None:
    tracer = recorded.provider.get_tracer("app")

    @tool
    async def search(q: str) -> str:
        """Search."""
        with tracer.start_as_current_span("search"):
            await asyncio.sleep(0)
            return q

    async def node(state: Any) -> Any:
        with tracer.start_as_current_span("work"):
            return said(await search.ainvoke({"q": "x"}))

    async def main() -> None:
        await asyncio.gather(*(graph(node=node).ainvoke({"messages": []}) for _ in range(2)))

    asyncio.run(main())
    one = """
invoke_workflow LangGraph
  node node
    work
      execute_tool search
        search
"""
    assert tree(recorded.spans) == one + one[1:]


def test_openai_in_a_node_is_a_call_of_its_own(server: ScriptedServer, recorded: Recorded) -> None:
    client = openai.OpenAI(base_url=server.url, api_key="k")

    def node(state: Any) -> Any:
        return said(client.chat.completions.create(**QUESTION).choices[0].message.content)

    with client:
        graph(node=node).invoke({"messages": []}, {"configurable": {"thread_id": "t"}})
    assert (
        tree(recorded.spans)
        == """
invoke_workflow LangGraph
  node node
    chat gpt-4o-mini
"""
    )
    assert named(recorded.spans, "chat").instrumentation_scope.name == "spantape.openai"
    assert recorded.record["session_id"] == "t"


def test_embeddings_in_a_retriever(server: ScriptedServer, recorded: Recorded) -> None:
    from langchain_openai import OpenAIEmbeddings

    embeddings = OpenAIEmbeddings(base_url=server.url, api_key="k", check_embedding_ctx_length=False)

    class Found(BaseRetriever):
        k: int = 3

        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            embeddings.embed_query(query)
            return [Document(page_content="a cat", metadata={"source": "book", "score": 0.5})]

    RunnableLambda(lambda q: Found().invoke(q)).with_config(run_name="ask").invoke("cats")
    assert (
        tree(recorded.spans)
        == """
invoke_workflow ask
  retrieval Found
    embeddings text-embedding-ada-002
"""
    )
    found = named(recorded.spans, "retrieval").attributes
    assert found["gen_ai.retrieval.query.text"] == "cats"
    assert found["gen_ai.retrieval.top_k"] == 3
    assert '"content":"a cat"' in found["gen_ai.retrieval.documents"]
    assert '"score":0.5' in found["gen_ai.retrieval.documents"]
    assert [record["operation"] for record in recorded.records] == ["embeddings"]


def test_parallel_steps(recorded: Recorded) -> None:
    (RunnableLambda(lambda _: "hi") | RunnableParallel(a=Fake(), b=Fake())).invoke(ASKED)
    assert sorted(tree(recorded.spans).split("\n")) == sorted(
        ["", "", "invoke_workflow RunnableSequence", "  chat fake-1", "  chat fake-1"]
    )
    assert one_trace(recorded.spans)


@pytest.mark.parametrize("copies", [True, False])
def test_threads(copies: bool, recorded: Recorded) -> None:
    def fan(value: Any, config: Any) -> list[Any]:
        with ThreadPoolExecutor(2) as pool:
            if copies:
                work = [pool.submit(copy_context().run, Fake().invoke, "x") for _ in range(2)]
            else:  # what links the runs then is the configuration that is passed on
                work = [pool.submit(Fake().invoke, "x", config) for _ in range(2)]
            return [one.result() for one in work]

    RunnableLambda(fan).invoke("x")
    assert (
        tree(recorded.spans)
        == """
invoke_workflow fan
  chat fake-1
  chat fake-1
"""
    )


@pytest.mark.parametrize("whose", ["its own", "the one around"])
def test_a_call_with_another_configuration(whose: str, recorded: Recorded) -> None:
    def outer(value: Any, config: Any) -> Any:
        given = {"callbacks": [BaseCallbackHandler()]} if whose == "its own" else config
        return RunnableLambda(lambda _: Fake().invoke("x", given)).with_config(run_name="inner").invoke(value)

    RunnableLambda(outer).invoke("x")
    assert tree(recorded.spans, hidden=["-"]) == "\ninvoke_workflow outer\n  chain inner\n    chat fake-1\n"


def test_threads_that_nothing_links_are_alone(recorded: Recorded) -> None:
    def work(value: Any) -> Any:
        thread = threading.Thread(target=Fake().invoke, args=("x",))
        thread.start()
        thread.join()
        return value

    RunnableLambda(work).invoke("x")
    assert len({span.context.trace_id for span in recorded.spans}) == 2


def test_a_graph_in_a_node_and_a_graph_as_a_node(recorded: Recorded) -> None:
    inner = graph(think=lambda state: said(Fake().invoke("x").content))
    outer = graph(calls=lambda state: inner.invoke({**state}), sub=inner)
    outer.invoke({"messages": [("user", "x")]})
    nested = """
  node {}
    invoke_workflow LangGraph
      node think
        chat fake-1"""
    assert tree(recorded.spans) == f"\ninvoke_workflow LangGraph{nested.format('calls')}{nested.format('sub')}\n"


def test_an_agent_as_a_tool_adds_up(recorded: Recorded) -> None:
    inner = agent(Fake(answers=[CALL, "3"]))

    @tool
    def ask(question: str) -> str:
        """Ask the other agent."""
        return inner.invoke({"messages": [("user", question)]})["messages"][-1].content

    call = {"content": "", "tool_calls": [{"name": "ask", "args": {"question": "1+2"}, "id": "c", "type": "tool_call"}]}
    agent(Fake(answers=[call, "three"]), [ask]).invoke({"messages": [("user", "1+2?")]})
    assert (
        tree(recorded.spans)
        == """
invoke_agent
  node agent
    chat fake-1
  node tools
    execute_tool ask
      invoke_agent
        node agent
          chat fake-1
        node tools
          execute_tool add
        node agent
          chat fake-1
  node agent
    chat fake-1
"""
    )
    used = [span.attributes["gen_ai.usage.input_tokens"] for span in recorded.spans if span.name == "invoke_agent"]
    assert used == [14, 28]


def test_an_openai_call_that_a_model_makes_twice(server: ScriptedServer, recorded: Recorded) -> None:
    client = openai.OpenAI(base_url=server.url, api_key="k")

    class Twice(Fake):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            for _ in range(2):
                client.chat.completions.create(**QUESTION)
            return super()._generate(*args, **kwargs)

    with client:
        Twice().invoke("x")
    assert (
        tree(recorded.spans)
        == """
chat fake-1
  chat gpt-4o-mini
"""
    )


def test_batches_of_one_call_are_told_apart(server: ScriptedServer, recorded: Recorded) -> None:
    from langchain_core.messages import HumanMessage

    server.replies(completion("first"), completion("second"))
    chat(server).generate([[HumanMessage("1")], [HumanMessage("2")]])
    assert [(record["prompt"], record["response"]) for record in recorded.records] == [("1", "first"), ("2", "second")]


def test_a_root_is_part_of_what_is_around(recorded: Recorded) -> None:
    with recorded.provider.get_tracer("app").start_as_current_span("request"), spantape.session("5", user_id="ada"):
        chain(Fake()).invoke(ASKED)
    assert (
        tree(recorded.spans)
        == """
request
  invoke_workflow RunnableSequence
    prompt ChatPromptTemplate
    chat fake-1
    parser StrOutputParser
"""
    )
    assert recorded.record["session_id"] == "5"
