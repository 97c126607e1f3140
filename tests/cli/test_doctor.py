"""Whether this environment would record, and what to do if not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tree import environment, process, spantape

from spantape.cli import _checks
from spantape.cli._self_test import CALLS

ANOTHER = """
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

class Theirs(BaseInstrumentor):
    instrumentation_dependencies = lambda self: ()
    _instrument = _uninstrument = lambda self, **kwargs: None

Theirs.__module__ = "acme.llm"
Theirs().instrument()
"""


def test_all_is_well(tmp_path: Path) -> None:
    lines = spantape("doctor", "--self-test", folder=tmp_path).splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert any(line.split()[1] == "openai" for line in lines)
    tests = [line.partition("self-test")[2].split() for line in lines if line.split()[1] == "self-test"]
    assert [words[:6] for words in tests] == [["the", "hook", "of", one, "took", "hold:"] for one in CALLS]
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("variables", "code", "told", "advice"),
    [
        ({"LLM_LOG_ENABLE": "false"}, 6, "nothing is recorded", "unset SPANTAPE_ENABLED"),
        ({"OTEL_SDK_DISABLED": "true"}, 4, "all of OpenTelemetry is off", "unset OTEL_SDK_DISABLED"),
        ({"SPANTAPE_BASE_DIR": "/proc/none"}, 4, "can't be written", "SPANTAPE_BASE_DIR"),
        ({"SPANTAPE_CAPTURE_CONTENT": "false"}, 0, "no prompts and responses", "unset SPANTAPE_CAPTURE_CONTENT"),
        ({"SPANTAPE_FILES": "0"}, 0, "only OTLP", "unset SPANTAPE_FILES"),
    ],
)
def test_what_is_wrong(variables: dict[str, str], code: int, told: str, advice: str, tmp_path: Path) -> None:
    done = process("doctor", folder=tmp_path, **variables)
    assert done.returncode == code
    assert told in done.stdout
    assert advice in done.stdout


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("_LIBRARIES", {"openai": (0, 0)}, "→ spantape is tested with openai 0 to 0: update spantape"),
        ("_LITTLE", float("inf"), "→ make room, or see `spantape clean`"),
        ("_SKEW", -1.0, "→ set the clocks by NTP"),
    ],
)
def test_what_is_poor(name: str, value: object, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the limits were others: nobody fills a disk to test this."""
    assert told not in spantape("doctor", folder=tmp_path)
    monkeypatch.setattr(_checks, name, value)
    assert told in spantape("doctor", folder=tmp_path)


def test_who_else_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = tmp_path / "acme_llm-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: acme-llm\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[opentelemetry_instrumentor]\nopenai_acme = acme:Theirs\n")
    monkeypatch.syspath_prepend(tmp_path)
    told = spantape("doctor", folder=tmp_path)
    assert "acme-llm" in told
    assert "installed, too: a call is still one record of ours" in told


def test_the_otlp_endpoint(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert f"{address} (grpc) answers" in spantape("doctor", folder=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=address)
    with socket.socket() as taken:  # or somebody else may begin to listen there
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = process("doctor", folder=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=address)
    assert done.returncode == 4
    assert f"{address} (grpc) does not answer" in done.stdout


def test_an_address_that_cannot_be_read(tmp_path: Path) -> None:
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:none", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    done = process("doctor", folder=tmp_path, **given)
    assert done.returncode == 4
    assert "127.0.0.1:none (http/protobuf) does not answer: Port could not be cast" in done.stdout


def test_a_folder_that_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'other'} (made with the first call)" in spantape("doctor", "--dir", "other", folder=tmp_path)
    done = process("doctor", "--dir", "x" * 300, folder=tmp_path)
    assert done.returncode == 4
    assert "can't be written: File name too long" in done.stdout


def test_a_setting_that_cannot_be_used(tmp_path: Path) -> None:
    done = process("doctor", folder=tmp_path, SPANTAPE_BUFFER_SIZE="none")
    assert done.returncode == 1
    assert done.stderr.startswith("spantape: SPANTAPE_BUFFER_SIZE is 'none'")


def test_a_self_test_of_what_is_switched_off(tmp_path: Path) -> None:
    done = process("doctor", "--self-test", folder=tmp_path, SPANTAPE_ENABLED="false")
    assert done.returncode == 6
    assert "nothing is recorded" in done.stdout
    assert "self-test" not in done.stdout


def test_for_programs(tmp_path: Path) -> None:
    done = process("doctor", "-o", "json", folder=tmp_path, OTEL_SDK_DISABLED="true")
    assert done.returncode == 4
    bad = [each for each in json.loads(done.stdout) if each["state"] != "ok"]
    assert [(each["about"], each["advice"]) for each in bad] == [("OTEL_SDK_DISABLED", "unset OTEL_SDK_DISABLED")]


def test_what_a_crash_has_left_behind(tmp_path: Path) -> None:
    torn = tmp_path / "by_date" / "2026-11-21_all_interactions.json"
    torn.parent.mkdir()
    torn.write_text('[\n{"id": "one"},\n{"id": "tw')
    assert "1 files were torn by a crash" in spantape("doctor", folder=tmp_path)
    assert torn.read_text() == '[\n{"id": "one"}\n]\n'
    assert "no file is torn" in spantape("doctor", folder=tmp_path)


DIES = """
import os, spantape, sys
spantape.instrument(base_dir=sys.argv[1])
with spantape.call(provider="mine", model="m", messages=[{"role": "user", "content": "hi"}]):
    spantape.flush()
    os._exit(0)
"""


def test_calls_whose_process_died(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], check=True, timeout=300, env=environment(tmp_path))
    told = spantape("doctor", folder=tmp_path)
    assert "1 calls were interrupted: their processes died" in told
    assert "→ see `spantape ls --status interrupted`" in told
    assert "interrupted" in spantape("ls", "--status", "interrupted", folder=tmp_path)
    assert "no call was interrupted since" in spantape("doctor", folder=tmp_path)


def test_a_hook_that_does_not_take_hold(tmp_path: Path) -> None:
    """A library that breaks says so by its own line, with what to do; the other is tested, and who else is there."""
    package = tmp_path / "langchain_core"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('half installed')")
    (tmp_path / "sitecustomize.py").write_text(ANOTHER)
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    done = process("doctor", "--self-test", folder=tmp_path, PYTHONPATH=path, LANGSMITH_TRACING="true")
    assert done.returncode == 6
    assert "the hook of openai took hold" in done.stdout
    assert "; active, too: acme.llm\n" in done.stdout
    assert "LangChain sends prompts and responses to LangSmith" in done.stdout
    broken = done.stdout[done.stdout.index("a call of langchain-core was not recorded") :]
    assert broken.splitlines()[0].endswith("ImportError: half installed")
    assert "please report it" in broken.splitlines()[1]


def test_calls_that_no_hook_hears_of(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import spantape; spantape.instrument = lambda: None")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    done = process("doctor", "--self-test", folder=tmp_path, PYTHONPATH=path)
    assert done.returncode == 6
    for library in CALLS:
        assert f"a call of {library} was not recorded: 0 records of one call" in done.stdout
