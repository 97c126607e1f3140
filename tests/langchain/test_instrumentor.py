"""The instrumentor: what it leaves behind, what it leaves alone, and when it comes."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler, CallbackManager
from langchain_core.runnables import base, config
from langchain_core.tracers import context as tracers
from langchain_things import ASKED, Fake, chain, graph, said, tree

import spantape
from recorded import Recorded
from spantape.instrumentors.langchain import LangChainInstrumentor

PLACES = [module for module in (config, base) if "_set_config_context" in vars(module)]


def state() -> list[Any]:
    return [*tracers._configure_hooks, *(vars(module)["_set_config_context"] for module in PLACES)]


def test_uninstrument_leaves_nothing(tmp_path: Path) -> None:
    before = state()
    for _ in range(2):
        spantape.instrument(base_dir=tmp_path)
        assert len(tracers._configure_hooks) > 1
        assert all(now is not then for now, then in zip(state()[-len(PLACES) :], before[-len(PLACES) :], strict=True))
        spantape.uninstrument()
        assert [id(one) for one in state()] == [id(one) for one in before]


def test_a_run_that_goes_on_after_uninstrument(recorded: Recorded) -> None:
    pieces = chain(Fake()).stream(ASKED)
    first = next(pieces)
    spantape.uninstrument()
    ended = len(recorded.spans)
    assert first + "".join(pieces) == "Hello"
    assert tree(recorded.spans).startswith("\ninvoke_workflow RunnableSequence")
    assert len(recorded.spans) == ended


def test_what_begins_in_a_run_after_uninstrument(recorded: Recorded) -> None:
    def last(state: Any) -> Any:
        spantape.uninstrument()
        return said(Fake().invoke("x").content)

    graph(first=last, second=lambda _: said(Fake().invoke("x").content)).invoke({"messages": []})
    assert tree(recorded.spans) == "\ninvoke_workflow LangGraph\n  node first\n"


def test_lists_of_the_application_stay_its_own(recorded: Recorded) -> None:
    mine: list[Any] = [BaseCallbackHandler()]
    manager = CallbackManager(handlers=[])
    chain(Fake()).invoke(ASKED, {"callbacks": mine})
    chain(Fake()).invoke(ASKED, {"callbacks": manager})
    assert len(mine) == 1
    assert manager.handlers == []
    assert len(recorded.records) == 2


def test_the_handler_may_be_copied_and_sent(recorded: Recorded) -> None:
    (handler,) = CallbackManager.configure().handlers
    assert copy.copy(handler) is copy.deepcopy([handler])[0] is handler
    assert type(pickle.loads(pickle.dumps(handler))) is BaseCallbackHandler


def test_alone() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    LangChainInstrumentor().instrument(tracer_provider=provider, skip_dep_check=True)
    try:
        chain(Fake()).invoke(ASKED)
    finally:
        LangChainInstrumentor().uninstrument()
    assert len(exporter.get_finished_spans()) == 4
    assert LangChainInstrumentor().instrumentation_dependencies() == ("langchain-core >= 0.3, < 2",)


def test_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANTAPE_ENABLED", "false")
    LangChainInstrumentor().instrument(skip_dep_check=True)
    try:
        assert LangChainInstrumentor()._active is None
    finally:
        LangChainInstrumentor().uninstrument()


LATER = """
import sys, spantape
spantape.instrument(base_dir={folder!r})
assert not [name for name in sys.modules if name.startswith(("langchain", "langgraph", "langsmith"))]
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.runnables import RunnableLambda
RunnableLambda(lambda _: FakeListLLM(responses=["Hello"]).invoke("x")).invoke("x")
spantape.flush()
(record,) = spantape.recordings({folder!r}).get_latest_interactions()
assert record["response"] == "Hello" and record["parent_span_id"], record
"""
ABSENT = """
import sys, logging
logging.basicConfig(level="WARNING")
sys.modules["langchain_core"] = None
import spantape
spantape.instrument(base_dir={folder!r})
spantape.uninstrument()
"""


@pytest.mark.parametrize("program", [LATER, ABSENT], ids=["imported later", "absent"])
def test_a_process(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program.format(folder=str(tmp_path))],
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_a_failure_of_ours_stays_ours(
    recorded: Recorded, forgiving: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from spantape.instrumentors.langchain import chains, models

    def broken(*_: Any) -> Any:
        raise RuntimeError("ours")

    monkeypatch.setattr(chains.Chain, "endpoint", broken)
    monkeypatch.setattr(models, "answer", broken)
    assert chain(Fake()).invoke(ASKED) == "Hello"
    assert "goes on unharmed" in caplog.text
    spantape.uninstrument()
