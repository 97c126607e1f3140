"""Who is told, what of it, and whom it belongs to: settings, sessions, samplers, metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core import tools
from langchain_core.runnables import RunnableLambda
from langchain_things import ASKED, CALL, Fake, add, agent, chain, chat, graph, named, said, tree
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

import spantape
from recorded import Recorded
from spantape.testing import ScriptedServer, completion


def test_essential_spans(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, langchain_spans="essential")
    chain(Fake()).invoke(ASKED)
    agent(Fake(answers=[CALL, "3"])).invoke({"messages": [("user", "1+2?")]})
    assert (
        tree(recorded.spans, hidden=["-"])
        == """
invoke_workflow RunnableSequence
  chat fake-1
invoke_agent
  node agent
    chat fake-1
  node tools
    execute_tool add
  node agent
    chat fake-1
"""
    )


def test_spans_of_the_application_nest_in_what_is_left(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, langchain_spans="essential")
    tracer = recorded.provider.get_tracer("app")

    def work(value: Any) -> Any:
        tracer.start_span("work").end()
        return value

    (RunnableLambda(work) | RunnableLambda(work)).invoke("x")
    assert tree(recorded.spans) == "\ninvoke_workflow RunnableSequence\n  work\n  work\n"


def test_what_langchain_hides_is_not_shown(recorded: Recorded) -> None:
    hidden = RunnableLambda(lambda _: Fake().invoke("x")).with_config(tags=["langsmith:hidden"])
    (RunnableLambda(str) | hidden).invoke("x")
    assert tree(recorded.spans, hidden=["-"]) == "\ninvoke_workflow RunnableSequence\n  chain str\n  chat fake-1\n"


# --- session


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"configurable": {"thread_id": "t"}}, ("t", "t", None)),
        ({"metadata": {"session_id": "s", "thread_id": "t"}}, ("s", "t", None)),
        ({"metadata": {"conversation_id": "c", "user_id": 7}}, ("c", "c", "7")),
        ({"metadata": {"conversation_id": "c", "thread_id": "t"}}, ("t", "c", None)),
        ({"metadata": {"session_id": "s"}, "configurable": {"user_id": "u"}}, ("s", None, "u")),
        ({"metadata": {"session_id": "s"}, "configurable": {"session_id": "c"}}, ("s", None, None)),
        ({}, (None, None, None)),
    ],
)
@pytest.mark.parametrize("what", ["chain", "graph", "model"])
def test_the_configuration_says_whose_it_is(what: str, config: Any, expected: Any, recorded: Recorded) -> None:
    made: Any = {
        "chain": chain(Fake()),
        "model": Fake(),
        "graph": graph(node=lambda _: said(Fake().invoke("x").content)),
    }
    made[what].invoke("x" if what == "model" else {"messages": [], **ASKED}, config)
    (record,) = recorded.records
    assert (record["session_id"], record["conversation_id"], record["user_id"]) == expected
    for span in recorded.spans:
        assert span.attributes.get("session.id") == expected[0]


def test_the_session_wins(recorded: Recorded) -> None:
    with spantape.session("5", role_name="judge"):
        chain(Fake()).invoke(ASKED, {"metadata": {"session_id": "s", "user_id": "u"}})
    record = recorded.record
    assert (record["session_id"], record["user_id"], record["role_name"]) == ("5", "u", "judge")


def test_a_step_may_belong_elsewhere(recorded: Recorded) -> None:
    def node(state: Any) -> Any:
        return said(Fake().invoke("x", {"metadata": {"session_id": "other"}}).content)

    graph(node=node).invoke({"messages": []}, {"configurable": {"thread_id": "t"}})
    assert recorded.record["session_id"] == "other"


def test_calls_know_their_agent(recorded: Recorded) -> None:
    try:
        from langchain.agents import create_agent
    except ImportError:
        pytest.skip("this langchain has no create_agent")
    create_agent(Fake(answers=[CALL, "3"]), [add], name="counter").invoke({"messages": [("user", "1+2?")]})
    assert named(recorded.spans, "invoke_agent counter").attributes["gen_ai.agent.name"] == "counter"
    assert {record["agent_key"] for record in recorded.records} == {"counter"}
    assert named(recorded.spans, "execute_tool").attributes["gen_ai.agent.name"] == "counter"


def test_a_graph_in_a_tool_is_no_agent(recorded: Recorded) -> None:
    try:
        from langchain.agents import create_agent
    except ImportError:
        pytest.skip("this langchain has no create_agent")
    inner = graph(think=lambda state: said(Fake().invoke("x").content))

    @tools.tool
    def ask(text: str) -> str:
        """Ask a graph."""
        return str(inner.invoke({"messages": [("user", text)]})["messages"][-1].content)

    call = {"content": "", "tool_calls": [{"name": "ask", "args": {"text": "?"}, "id": "c", "type": "tool_call"}]}
    create_agent(Fake(answers=[call, "Yes"]), [ask]).invoke({"messages": [("user", "?")]})
    (inside,) = [span for span in recorded.spans if span.name.endswith("LangGraph")]
    assert inside.attributes["gen_ai.operation.name"] == "invoke_workflow"


@pytest.mark.parametrize("name", ["agent", "model"])
def test_an_agent_of_ones_own(name: str, recorded: Recorded) -> None:
    made = graph(**{name: lambda _: said(Fake().invoke("x").content), "tools": lambda _: said("done")})
    made.with_config(run_name="mine").invoke({"messages": []})
    assert tree(recorded.spans) == f"\ninvoke_agent mine\n  node {name}\n    chat fake-1\n  node tools\n"


def test_an_agent_without_tools(recorded: Recorded) -> None:
    try:
        from langchain.agents import create_agent
    except ImportError:
        pytest.skip("this langchain has no create_agent")
    create_agent(Fake(), []).invoke({"messages": [("user", "Who?")]})
    assert tree(recorded.spans) == "\ninvoke_agent\n  node model\n    chat fake-1\n"


# --- content


def test_without_content(tmp_path: Path, server: ScriptedServer) -> None:
    recorded = Recorded(tmp_path, capture_content=False)
    agent(Fake(answers=[CALL, "secret"])).invoke({"messages": [("user", "secret?")]})
    chain(chat(server)).invoke({"mood": "secret", "question": "secret?"})
    assert "secret" not in str([dict(span.attributes) for span in recorded.spans])
    assert "gen_ai.tool.call.arguments" not in named(recorded.spans, "execute_tool").attributes
    assert all(record["prompt"] is None for record in recorded.records)


def test_content_is_masked_wherever_it_is(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, content_filter=lambda text: text.replace("secret", "***"))
    call = {
        "content": "secret",
        "tool_calls": [{"name": "add", "args": {"a": 1, "b": 2}, "id": "c", "type": "tool_call"}],
    }
    agent(Fake(answers=[call, "secret"])).invoke({"messages": [("user", "secret?")]})
    chain(Fake()).invoke({"mood": "secret", "question": "secret?"})
    assert "secret" not in str([dict(span.attributes) for span in recorded.spans])
    assert "***" in recorded.records[0]["prompt"]


# --- who else


def measured(reader: InMemoryMetricReader) -> dict[str, float]:
    found: dict[str, float] = {}
    data = reader.get_metrics_data()
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    found[metric.name] = found.get(metric.name, 0) + getattr(point, "sum", getattr(point, "value", 0))
                    found[f"{metric.name} count"] = found.get(f"{metric.name} count", 0) + getattr(point, "count", 0)
    return found


@pytest.mark.parametrize("beneath", ["openai", "nothing"])
def test_metrics_count_each_call_once(beneath: str, tmp_path: Path, server: ScriptedServer) -> None:
    reader = InMemoryMetricReader()
    Recorded(tmp_path, meter_provider=MeterProvider([reader]))
    server.replies(completion(tool_calls=[("add", {"a": 1, "b": 2})]), completion("3"))
    model = chat(server) if beneath == "openai" else Fake(answers=[CALL, "3"])
    agent(model).invoke({"messages": [("user", "1+2?")]})
    found = measured(reader)
    assert found["gen_ai.client.operation.duration count"] == 2
    assert found["gen_ai.client.token.usage"] == (20 + 6 if beneath == "openai" else 24)
    assert found.get("spantape.client.operation.cost count", 0) == (2 if beneath == "openai" else 0)


@pytest.mark.parametrize("beneath", ["openai", "nothing"])
def test_what_a_sampler_leaves_out_is_in_the_files(beneath: str, tmp_path: Path, server: ScriptedServer) -> None:
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    spantape.instrument(base_dir=tmp_path, tracer_provider=provider)
    chain(chat(server) if beneath == "openai" else Fake()).invoke(ASKED)
    spantape.flush()
    (record,) = spantape.recordings(tmp_path).get_latest_interactions()
    assert record["response"]


def test_nobody_looks(tmp_path: Path) -> None:
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    spantape.instrument(base_dir=tmp_path, tracer_provider=provider, files=False)
    with provider.get_tracer("app").start_as_current_span("unsampled"):
        assert chain(Fake()).invoke(ASKED) == "Hello"


def test_what_is_suppressed_is_not_told(server: ScriptedServer, recorded: Recorded) -> None:
    def part(value: Any) -> Any:
        with suppress_instrumentation():
            return chain(chat(server)).invoke(ASKED)

    with suppress_instrumentation():
        agent(Fake(answers=[CALL, "3"])).invoke({"messages": [("user", "1+2?")]})
    assert recorded.spans == []
    (RunnableLambda(part) | Fake()).invoke("x")
    assert tree(recorded.spans) == "\ninvoke_workflow RunnableSequence\n  chat fake-1\n"
    assert [record["model"] for record in recorded.records] == ["fake-1"]


def test_an_old_agent(recorded: Recorded) -> None:
    try:
        from langchain_classic.agents import AgentExecutor, create_tool_calling_agent
    except ImportError:
        from langchain.agents import AgentExecutor, create_tool_calling_agent
    from langchain_core.prompts import ChatPromptTemplate

    prompt = ChatPromptTemplate.from_messages([("user", "{input}"), ("placeholder", "{agent_scratchpad}")])
    model = Fake(answers=[CALL, "3"])
    made = AgentExecutor(agent=create_tool_calling_agent(model, [add], prompt), tools=[add])
    assert made.invoke({"input": "1+2?"})["output"] == "3"
    assert (
        tree(recorded.spans, hidden=("chain ", "prompt ", "parser "))
        == """
invoke_agent
  chat fake-1
  execute_tool add
  chat fake-1
"""
    )
    assert named(recorded.spans, "invoke_agent").attributes["gen_ai.usage.output_tokens"] == 10
    assert '"content":"1+2?"' in named(recorded.spans, "invoke_agent").attributes["gen_ai.input.messages"]


def test_runs_that_go_on_at_exit_are_recorded(recorded: Recorded) -> None:
    from langchain_core.callbacks import CallbackManager

    from spantape.instrumentors._in_flight import end_in_flight

    CallbackManager.configure().on_chat_model_start({}, [[]], invocation_params={"model": "m"})
    end_in_flight()
    assert recorded.record["metadata"]["stream_end"] == "abandoned"


def test_what_a_model_in_a_block_by_hand_uses_is_the_agents_too(recorded: Recorded) -> None:
    @tools.tool
    def ask(text: str) -> str:
        """Ask somebody."""
        with spantape.call(model="fake-1", messages=text):
            return str(Fake(answers=["Yes"]).invoke(text).content)

    call = {"content": "", "tool_calls": [{"name": "ask", "args": {"text": "?"}, "id": "c", "type": "tool_call"}]}
    agent(Fake(answers=[call, "Yes"]), [ask]).invoke({"messages": [("user", "?")]})
    assert len([span for span in recorded.spans if span.name == "chat fake-1"]) == 3
    assert named(recorded.spans, "invoke_agent").attributes["gen_ai.usage.output_tokens"] == 15
