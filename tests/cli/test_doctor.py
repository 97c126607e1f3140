"""Whether this environment would record, and what to do if not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from cli_tree import process, spantape


def test_all_is_well(tmp_path: Path) -> None:
    lines = spantape("doctor", "--self-test", folder=tmp_path).splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert any(line.split()[1] == "openai" for line in lines)
    assert lines[-1].split()[1] == "self-test"
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


def test_the_otlp_endpoint(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert f"{address} (grpc) answers" in spantape("doctor", folder=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=address)
    done = process("doctor", folder=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=address)
    assert done.returncode == 4
    assert f"{address} (grpc) does not answer" in done.stdout


def test_a_setting_that_cannot_be_used(tmp_path: Path) -> None:
    done = process("doctor", folder=tmp_path, SPANTAPE_BUFFER_SIZE="none")
    assert done.returncode == 1
    assert done.stderr.startswith("spantape: SPANTAPE_BUFFER_SIZE is 'none'")


def test_a_self_test_of_what_is_switched_off(tmp_path: Path) -> None:
    done = process("doctor", "--self-test", folder=tmp_path, SPANTAPE_ENABLED="false")
    assert done.returncode == 6
    assert "0 records of one call" in done.stdout


def test_what_a_crash_has_left_behind(tmp_path: Path) -> None:
    torn = tmp_path / "by_date" / "2026-11-21_all_interactions.json"
    torn.parent.mkdir()
    torn.write_text('[\n{"id": "one"},\n{"id": "tw')
    assert "1 files were torn by a crash" in spantape("doctor", folder=tmp_path)
    assert torn.read_text() == '[\n{"id": "one"}\n]\n'
    assert "torn" not in spantape("doctor", folder=tmp_path)
