"""`opentelemetry-instrument python app.py`: the same files as `instrument()`, without a line of code."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import spantape
from programs import left_open_at_exit, run
from receivers import http_receiver
from spantape.testing import ScriptedServer, completion

COMMAND = Path(sys.executable).with_name("opentelemetry-instrument")
ZERO_CODE = {
    "OTEL_TRACES_EXPORTER": "spantape",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_SERVICE_NAME": "shop",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,langchain",  # the official ones, where they are installed
}
VOLATILE = {"id", "timestamp", "trace_id", "span_id", "performance_metrics", "timing", "server", "response_id"}
VOLATILE |= {"request_id"}

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="opentelemetry-distro is not installed")


def instrumented(code: str, *arguments: str | Path, **variables: str) -> str:
    return run(code, *arguments, command=(str(COMMAND),), **(ZERO_CODE | variables))


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*.json")}


def records(folder: Path) -> list[dict[str, Any]]:
    return spantape.recordings(folder).get_latest_interactions()[::-1]


def lines(folder: Path, text: str) -> list[int]:
    """Give how often a text stands in each file."""
    return [file.read_text().count(text) for file in sorted(folder.rglob("*.json"))]


def test_entry_points_load() -> None:
    from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
    from opentelemetry.sdk.trace.export import SpanExporter

    (instrumentor,) = entry_points(group="opentelemetry_instrumentor", name="spantape_openai")
    (exporter,) = entry_points(group="opentelemetry_traces_exporter", name="spantape")
    (after,) = entry_points(group="opentelemetry_post_instrument", name="spantape")
    assert issubclass(instrumentor.load(), BaseInstrumentor)
    assert isinstance(exporter.load()(), SpanExporter)
    assert callable(after.load())


CALLS = """
url = sys.argv[1]
ask(url, "你好")
try:
    ask(url, "fails", temperature=3)
except Exception as error:
    print(type(error).__name__)
import openai
stream = openai.OpenAI(base_url=url, api_key="test").chat.completions.create(
    model="gpt-4o-mini", messages=[{"role": "user", "content": "left open"}], stream=True
)
next(stream)
"""


@left_open_at_exit
def test_the_same_files_as_instrument(server: ScriptedServer, tmp_path: Path) -> None:
    from spantape.testing import error

    made = {}
    for name in ("zero code", "instrument"):
        server.replies(completion("好"), error(400, "no"))
        folder = tmp_path / name
        if name == "zero code":
            assert instrumented(CALLS, server.url, SPANTAPE_BASE_DIR=str(folder)).strip() == "BadRequestError"
        else:
            code = f"import spantape; spantape.instrument(){CALLS}"  # on the first line, which is empty
            run(code, server.url, SPANTAPE_BASE_DIR=str(folder), OTEL_SERVICE_NAME="shop")
        made[name] = [
            {key: value for key, value in record.items() if key not in VOLATILE} for record in records(folder)
        ]
    assert files(tmp_path / "zero code") == files(tmp_path / "instrument")
    assert [record["prompt"] for record in made["instrument"]] == ["你好", "fails", "left open"]
    assert made["zero code"] == made["instrument"]


def test_a_running_call_is_seen(server: ScriptedServer, tmp_path: Path) -> None:
    go_on = Event()
    server.replies(completion("done").but(hold=go_on))
    with ThreadPoolExecutor(1) as pool:
        program = pool.submit(instrumented, "ask(sys.argv[1])", server.url, SPANTAPE_BASE_DIR=str(tmp_path / "r"))
        try:
            assert server.wait_for(1, timeout=300)
            deadline = time.monotonic() + 25
            while not (running := spantape.recordings(tmp_path / "r").get_running_interactions()):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            go_on.set()
        program.result()
    (record,) = records(tmp_path / "r")
    assert [one["id"] for one in running] == [record["id"]]
    assert running[0]["metadata"]["stage"] == "started"
    assert spantape.recordings(tmp_path / "r").get_running_interactions() == []


@pytest.mark.parametrize("code", ["", "import spantape; spantape.instrument()\n"], ids=["zero code", "instrument too"])
def test_files_and_otlp_each_once(code: str, server: ScriptedServer, tmp_path: Path) -> None:
    with http_receiver() as received:
        instrumented(
            f"{code}ask(sys.argv[1], 'only once')",
            server.url,
            SPANTAPE_BASE_DIR=str(tmp_path / "r"),
            OTEL_TRACES_EXPORTER="spantape,otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.url,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        )
    (record,) = records(tmp_path / "r")
    (span,) = received.ours
    assert (span["trace_id"], span["span_id"]) == (record["trace_id"], record["span_id"])
    assert span["resource"]["service.name"] == record["source"]["service"] == "shop"
    assert lines(tmp_path / "r", '"prompt":"only once"') == [1, 1, 1]


def test_the_applications_own_settings_hold(server: ScriptedServer, tmp_path: Path) -> None:
    said = instrumented(
        """
        import json, spantape
        ask(sys.argv[1], "before")
        spantape.instrument(base_dir=sys.argv[2], capture_content=False)
        ask(sys.argv[1], "after")
        assert spantape.flush()
        print(json.dumps(len(spantape.recordings().get_latest_interactions())))
        spantape.uninstrument()
        ask(sys.argv[1], "not recorded")
        """,
        server.url,
        tmp_path / "theirs",
        SPANTAPE_BASE_DIR=str(tmp_path / "environments"),
    )
    assert json.loads(said) == 1
    (record,) = records(tmp_path / "theirs")
    assert record["messages"] is None
    # The exporter that the environment asks for writes to its own folder, as it was told to.
    assert [one["prompt"] for one in records(tmp_path / "environments")] == ["before", None]


def test_what_the_sampler_leaves_out_is_recorded(server: ScriptedServer, tmp_path: Path) -> None:
    instrumented(
        "ask(sys.argv[1])", server.url, SPANTAPE_BASE_DIR=str(tmp_path / "r"), OTEL_TRACES_SAMPLER="always_off"
    )
    (record,) = records(tmp_path / "r")
    assert record["source"]["service"] == "shop"


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_TRACES_EXPORTER": "console"},
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "spantape_openai"},
        {"LLM_RECORDS_ENABLED": "false"},
        {"OTEL_SDK_DISABLED": "true"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_no_files_unasked(variables: dict[str, str], server: ScriptedServer, tmp_path: Path) -> None:
    said = instrumented("ask(sys.argv[1])", server.url, SPANTAPE_BASE_DIR=str(tmp_path / "r"), **variables)
    assert not (tmp_path / "r").exists()
    assert ("chat gpt-4o-mini" in said) == ("console" in variables.values())
