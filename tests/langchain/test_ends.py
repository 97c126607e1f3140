"""How runs end: well, with an error, interrupted, cancelled, or not at all."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import ToolException, tool
from langchain_things import ASKED, Fake, chain, chat, graph, named, resumed, said, tree
from opentelemetry import context as otel_context
from opentelemetry.trace import StatusCode

import openai
from recorded import Recorded
from spantape.instrumentors.langchain import LangChainInstrumentor, runs
from spantape.testing import ScriptedServer, completion, error, stream


def live() -> int:
    active = LangChainInstrumentor()._active
    assert active is not None
    return len(active._runs)


def statuses(recorded: Recorded) -> dict[str, Any]:
    return {span.name: span.status.status_code for span in recorded.spans}


def fail(value: Any) -> Any:
    raise ValueError("no")


def test_an_error_goes_all_the_way_up(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="no"):
        (RunnableLambda(fail).with_config(run_name="fails") | Fake()).invoke("x")
    assert set(statuses(recorded).values()) == {StatusCode.ERROR}
    for span in recorded.spans:
        assert span.attributes["error.type"] == "ValueError"
        assert span.attributes["spantape.error.message"] == "no"


@pytest.mark.parametrize("way", ["invoke", "stream", "astream"])
def test_what_was_asked_of_a_chain_that_fails(way: str, recorded: Recorded) -> None:
    made = chain(Fake(answers=[ValueError("no")]))

    async def main() -> None:
        async for _ in made.astream(ASKED):
            pass

    ways = {"invoke": lambda: made.invoke(ASKED), "stream": lambda: list(made.stream(ASKED))}
    with pytest.raises(ValueError, match="no"):
        asyncio.run(main()) if way == "astream" else ways[way]()
    assert '"Who?' in named(recorded.spans, "invoke_workflow").attributes["gen_ai.input.messages"].replace("\\", "")


def test_a_tool_that_fails(recorded: Recorded) -> None:
    @tool
    def broken(q: str) -> str:
        """Break."""
        raise KeyError(q)

    with pytest.raises(KeyError):
        broken.invoke({"q": "x"})
    assert recorded.span.status.status_code is StatusCode.ERROR
    assert recorded.attributes["error.type"] == "KeyError"


def test_a_tool_that_fails_is_known_by_its_call(recorded: Recorded) -> None:
    if not hasattr(Runnable, "stream_events"):
        pytest.skip("this langchain tells the call with the answer")

    @tool
    def broken(q: str) -> str:
        """Break."""
        raise KeyError(q)

    with pytest.raises(KeyError):
        broken.invoke({"name": "broken", "args": {"q": "x"}, "id": "c", "type": "tool_call"})
    assert recorded.attributes["gen_ai.tool.call.id"] == "c"


def test_a_tool_whose_failure_the_model_reads(recorded: Recorded) -> None:
    @tool
    def broken(q: str) -> str:
        """Break."""
        raise ToolException("not today")

    broken.handle_tool_error = True
    call = {"name": "broken", "args": {"q": "x"}, "id": "c", "type": "tool_call"}
    answer = broken.invoke(call)
    assert answer.status == "error"
    assert recorded.attributes["error.type"] == "tool_error"
    assert recorded.attributes["gen_ai.tool.call.id"] == "c"
    assert "not today" in recorded.attributes["gen_ai.tool.call.result"]


def test_fallbacks(recorded: Recorded) -> None:
    Fake(answers=[ValueError("no")]).with_fallbacks([Fake(answers=["yes"])]).invoke("x")
    first, second = sorted((span for span in recorded.spans if span.name == "chat fake-1"), key=lambda s: s.start_time)
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert [record["success"] for record in recorded.records] == [False, True]


def test_retries_of_langchain_are_calls(recorded: Recorded) -> None:
    Fake(answers=[ValueError("no"), "yes"]).with_retry(wait_exponential_jitter=False).invoke("x")
    assert [record["success"] for record in recorded.records] == [False, True]


def test_retries_of_the_client_are_one_call(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(error(500, "again", headers={"retry-after-ms": "1"}), completion("Hello"))
    chain(chat(server)).invoke(ASKED)
    assert recorded.record["retries"] == 1
    assert recorded.record["success"] is True
    assert "error.type" not in named(recorded.spans, "chat").attributes


def test_an_error_of_openai_is_told_whole(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(error(429, "slow down", code="rate_limit_exceeded"))
    with pytest.raises(openai.RateLimitError):
        chain(chat(server, max_retries=0)).invoke(ASKED)
    assert recorded.record["error"]["type"].endswith("RateLimitError")
    assert recorded.record["error"] | {"message": "", "type": ""} == {
        "type": "",
        "message": "",
        "code": "rate_limit_exceeded",
        "status_code": 429,
        "provider_type": "invalid_request_error",
    }
    assert recorded.record["request_id"] == "req_1"


def test_an_error_that_the_model_gets_over_is_none(server: ScriptedServer, recorded: Recorded) -> None:
    client = openai.OpenAI(base_url=server.url, api_key="k", max_retries=0)

    class Patient(Fake):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            with pytest.raises(openai.InternalServerError):
                client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "x"}])
            return super()._generate(*args, **kwargs)

    server.replies(error(500, "no"))
    with client:
        Patient().invoke("x")
    assert recorded.span.status.status_code is StatusCode.UNSET
    assert recorded.record["success"] is True


# --- what is no error


def test_interrupt_and_resume(recorded: Recorded) -> None:
    from langgraph.checkpoint.memory import MemorySaver
    from langgraph.errors import NodeInterrupt

    asked = []

    def node(state: Any) -> Any:
        if not asked:
            asked.append(1)
            raise NodeInterrupt("may I?")
        return said("done")

    made = graph(MemorySaver(), node=node)
    config = {"configurable": {"thread_id": "t"}}
    made.invoke({"messages": [("user", "x")]}, config)
    made.invoke(None, config)
    assert set(statuses(recorded).values()) == {StatusCode.UNSET}
    assert not any("error.type" in span.attributes for span in recorded.spans)
    first = next(span for span in recorded.spans if span.name == "node node")
    assert first.attributes["spantape.interrupted"] is True
    assert {span.attributes["gen_ai.conversation.id"] for span in recorded.spans} == {"t"}


def test_interrupt_with_a_command(recorded: Recorded) -> None:
    resumed()
    assert set(statuses(recorded).values()) == {StatusCode.UNSET}


def test_a_command_to_the_graph_around(recorded: Recorded) -> None:
    types = pytest.importorskip("langgraph.types")
    if not hasattr(types, "Command"):
        pytest.skip("this langgraph can't")
    from langchain_things import State
    from langgraph.graph import StateGraph

    inner = graph(jump=lambda state: types.Command(goto="other", graph=types.Command.PARENT, update=said("over")))
    outer = StateGraph(State)
    outer.add_node("sub", inner)
    outer.add_node("other", lambda state: said("there"))
    outer.set_entry_point("sub")
    outer.set_finish_point("other")
    outer.compile().invoke({"messages": [("user", "x")]})
    assert set(statuses(recorded).values()) == {StatusCode.UNSET}


# --- what never ends


def test_an_abandoned_stream(recorded: Recorded) -> None:
    pieces = chain(Fake()).stream(ASKED)
    next(pieces)
    assert live()
    del pieces
    gc.collect()
    assert live() == 0
    assert named(recorded.spans, "chat").attributes["spantape.stream.end"] == "abandoned"
    assert set(statuses(recorded).values()) == {StatusCode.UNSET}
    assert recorded.record["response"] is None or "Hello".startswith(recorded.record["response"])


def test_an_abandoned_stream_of_openai(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(stream(["Hel", "lo"], usage=True))
    for piece in chat(server).stream("x"):
        if piece.content:
            break
    del piece
    gc.collect()
    assert live() == 0
    assert recorded.attributes["spantape.stream.end"] == "abandoned"
    assert recorded.record["response"] == "Hel"


def test_a_stream_that_fails_on_the_way(recorded: Recorded) -> None:
    class Breaks(Fake):
        def _stream(self, *args: Any, **kwargs: Any) -> Any:
            yield ChatGenerationChunk(message=AIMessageChunk(content="Hel"))
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(Breaks().stream("x"))
    assert recorded.record["response"] == "Hel"
    assert recorded.record["success"] is False


def test_a_broken_astream(recorded: Recorded) -> None:
    async def main() -> None:
        pieces = chain(Fake()).astream(ASKED)
        async for _ in pieces:
            break
        await pieces.aclose()

    asyncio.run(main())
    gc.collect()
    assert live() == 0
    assert named(recorded.spans, "chat").attributes["spantape.stream.end"] == "abandoned"
    assert recorded.record["success"] is True


def test_a_broken_astream_of_a_graph(recorded: Recorded) -> None:
    async def main() -> None:
        made = graph(one=lambda state: said("1"), two=lambda state: said("2"))
        async for _ in made.astream({"messages": []}):
            break

    asyncio.run(main())
    gc.collect()
    assert live() == 0
    assert tree(recorded.spans).startswith("\ninvoke_workflow LangGraph\n  node one")


def waiting(server: ScriptedServer, model: Any) -> Any:
    async def main() -> Any:
        task = asyncio.create_task(model.ainvoke(ASKED))
        assert await asyncio.to_thread(server.wait_for, 1, 300)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    asyncio.run(main())


def test_a_cancelled_ainvoke(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(completion("late").but(hold=threading.Event()))
    waiting(server, chain(chat(server)))
    assert live() == 0
    assert recorded.record["status"] == "cancelled"
    for name in ("chat", "invoke_workflow"):
        assert named(recorded.spans, name).attributes["error.type"] == "asyncio.CancelledError"


def test_a_cancelled_ainvoke_with_nothing_beneath(recorded: Recorded) -> None:
    class Slow(Fake):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            begun.set()
            await asyncio.sleep(30)

    begun = asyncio.Event()

    async def main() -> None:
        task = asyncio.create_task(chain(Slow()).ainvoke(ASKED))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert live() == 0
    assert recorded.record["status"] == "cancelled"


def test_what_a_task_was_cancelled_with_is_no_message(recorded: Recorded) -> None:
    def cancelled(value: Any) -> Any:
        raise asyncio.CancelledError(*value)

    for told in [object()], ["enough"], []:
        with pytest.raises(asyncio.CancelledError):
            RunnableLambda(cancelled).invoke(told)
    found = [span.attributes["spantape.error.message"] for span in recorded.spans]
    assert found == ["CancelledError", "enough", "CancelledError"]


def test_a_model_alone_that_is_cancelled(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(completion("late").but(hold=threading.Event()))
    waiting(server, RunnableLambda(lambda _: "x") | chat(server))
    assert live() == 0
    assert recorded.record["status"] == "cancelled"


def test_a_start_without_an_end(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    from langchain_core.callbacks import CallbackManager

    monkeypatch.setattr(runs, "_MOST", 5)
    for _ in range(20):
        CallbackManager.configure().on_chain_start({"id": ["lost"]}, {})
    assert live() == 5
    assert len(recorded.spans) == 15
    monkeypatch.setattr(runs, "_MOST", 100)
    monkeypatch.setattr(runs, "_OLDEST", 0.0)
    CallbackManager.configure().on_chain_start({"id": ["lost"]}, {})
    assert live() == 5
    LangChainInstrumentor().uninstrument()
    assert len(recorded.spans) == 21
    assert recorded.spans[-1].attributes["spantape.stream.end"] == "abandoned"


def test_two_runs_of_one_id(recorded: Recorded) -> None:
    from langchain_core.callbacks import CallbackManager

    mine = uuid4()
    for name in "first", "second":
        run = CallbackManager.configure().on_chain_start({"id": [name]}, {}, run_id=mine)
    run.on_chain_end({})
    assert live() == 0
    first, second = recorded.spans
    assert (first.name, first.attributes["spantape.stream.end"]) == ("invoke_workflow first", "abandoned")
    assert (second.name, second.attributes.get("spantape.stream.end")) == ("invoke_workflow second", None)


def test_children_end_with_their_parent(recorded: Recorded) -> None:
    from langchain_core.callbacks import CallbackManager

    root = CallbackManager.configure().on_chain_start({"id": ["outer"]}, {})
    root.get_child().on_chain_start({"id": ["inner"]}, {})
    root.on_chain_end({})
    assert live() == 0
    inner, outer = recorded.spans
    assert (inner.name, outer.name) == ("chain inner", "invoke_workflow outer")
    assert inner.attributes["spantape.stream.end"] == "abandoned"
    assert "spantape.stream.end" not in outer.attributes


def test_the_context_is_the_one_before(recorded: Recorded) -> None:
    before = otel_context.get_current()
    chain(Fake()).batch([ASKED] * 3)
    list(chain(Fake()).stream(ASKED))
    graph(node=lambda state: said("x")).invoke({"messages": []})
    assert otel_context.get_current() is before
    recorded.provider.get_tracer("app").start_span("after").end()
    assert recorded.spans[-1].parent is None
