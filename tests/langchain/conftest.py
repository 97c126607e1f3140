"""Every test over LangChain: no run is left behind, and nothing ever fails to detach."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest

pytest.importorskip("langchain_core")
pytest.importorskip("langgraph")

from spantape.instrumentors.langchain import LangChainInstrumentor


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "langchain":  # what these packages warn of is theirs
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(autouse=True, scope="session")
def frozen() -> Iterator[None]:
    """Have the collector pass over what was imported: each test collects, which would take longer than the test."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def quiet(clean: None, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    gc.collect()
    assert "detach" not in caplog.text
    assert "callback" not in " ".join(record.message for record in caplog.records if record.levelno >= logging.WARNING)
    active = LangChainInstrumentor()._active
    assert active is None or not len(active._runs), "runs are left"
