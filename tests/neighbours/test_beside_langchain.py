"""Beside the official instrumentation of LangChain: one record a call, the same tree, metrics counted once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from recorded import Recorded
from spantape.testing import ScriptedServer, completion

official = pytest.importorskip("opentelemetry.instrumentation.genai.langchain")
pytest.importorskip("langgraph")
pytestmark = pytest.mark.filterwarnings("ignore")


def durations(reader: InMemoryMetricReader) -> int:
    data: Any = reader.get_metrics_data()
    metrics = [one for resource in data.resource_metrics for scope in resource.scope_metrics for one in scope.metrics]
    found = [one for one in metrics if one.name == "gen_ai.client.operation.duration"]
    return sum(point.count for one in found for point in one.data.data_points)


@pytest.mark.parametrize("beneath", ["openai", "nothing"])
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_one_record_a_call(first: str, beneath: str, server: ScriptedServer, tmp_path: Path) -> None:
    from langchain_things import CALL, Fake, agent, chat, tree

    reader = InMemoryMetricReader()
    meters, theirs = MeterProvider([reader]), official.LangChainInstrumentor()
    server.replies(completion(tool_calls=[("add", {"a": 1, "b": 2})]), completion("3"))
    if first == "theirs":
        theirs.instrument(meter_provider=meters, skip_dep_check=True)
    recorded = Recorded(tmp_path, meter_provider=meters)
    try:
        if first == "ours":
            theirs.instrument(meter_provider=meters, skip_dep_check=True)
        model = chat(server) if beneath == "openai" else Fake(answers=[CALL, "3"])
        agent(model).invoke({"messages": [("user", "1+2?")]})
    finally:
        theirs.uninstrument()
    name = "chat gpt-4o-mini" if beneath == "openai" else "chat fake-1"
    node = f"\n  node agent\n    {name}"
    assert tree(recorded.spans) == f"\ninvoke_agent{node}\n  node tools\n    execute_tool add{node}\n"
    assert len(recorded.records) == 2
    assert durations(reader) == 2
