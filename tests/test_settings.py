"""Where a setting comes from, and what is said when it can't be used."""

from __future__ import annotations

import logging
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import NoOpTracerProvider

import spantape
from spantape.settings import Settings, variables

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SEEDS = {
    "LLM_RECORDS_BASE_DIR": ("base_dir", "seed/records", Path("seed/records")),
    "LLM_RECORDS_MAX_FILE_SIZE": ("max_file_size", "2048", 2048),
    "LLM_RECORDS_RETENTION_DAYS": ("retention_days", "7", 7),
    "LLM_RECORDS_ENABLED": ("enabled", "false", False),
    "LLM_LOG_ENABLE": ("enabled", "no", False),
}


def test_defaults() -> None:
    settings = Settings.load()
    assert settings == Settings()
    assert settings.enabled
    assert settings.capture_content
    assert settings.base_dir == Path("logs/llm_interactions")
    assert (settings.otlp_endpoint, settings.otlp_protocol, settings.tracer_provider) == (None, None, None)
    assert not settings.global_provider


def test_keyword_over_environment_over_seeds_name_over_dotenv(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("SPANTAPE_RETENTION_DAYS=1\nLLM_RECORDS_RETENTION_DAYS=2\n")
    assert Settings.load().retention_days == 1
    monkeypatch.setenv("LLM_RECORDS_RETENTION_DAYS", "3")
    assert Settings.load().retention_days == 3
    monkeypatch.setenv("SPANTAPE_RETENTION_DAYS", "4")
    assert Settings.load().retention_days == 4
    assert Settings.load(retention_days=5).retention_days == 5


@pytest.mark.parametrize("name", SEEDS)
def test_names_of_the_seeds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    option, said, expected = SEEDS[name]
    monkeypatch.setenv(name, said)
    assert getattr(Settings.load(), option) == expected


def test_every_setting_has_a_variable_a_help_and_a_kind() -> None:
    for option in fields(Settings):
        assert variables(option)[0] == f"SPANTAPE_{option.name.upper()}"
        assert option.metadata["help"].endswith(".")
        assert option.metadata["kind"].accepts


def test_nothing_given_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANTAPE_BUFFER_SIZE", "")
    assert Settings.load(buffer_size=None, base_dir=None) == Settings()


@pytest.mark.parametrize("said", ["1", "true", "YES", " on ", True])
def test_yes(said: object) -> None:
    assert Settings.load(global_provider=said).global_provider is True


@pytest.mark.parametrize("said", ["0", "False", "no", "off", False])
def test_no(said: object) -> None:
    assert Settings.load(files=said).files is False


@pytest.mark.parametrize(
    ("said", "kept"),
    [("NO_CONTENT", False), ("event_only", False), ("SPAN_ONLY", True), ("span_and_event", True), ("false", False)],
)
def test_opentelemetrys_variable_for_content(said: str, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE, said)
    assert Settings.load().capture_content.on_span is kept
    monkeypatch.setenv("SPANTAPE_CAPTURE_CONTENT", str(not kept))
    assert Settings.load().capture_content.on_span is not kept


def test_a_folder_below_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.load(base_dir="~/records").base_dir == tmp_path / "records"


BAD: list[tuple[str, object, str]] = [
    ("enabled", "perhaps", "true or false"),
    ("buffer_size", "many", "a whole number of at least 1"),
    ("buffer_size", 0, "a whole number of at least 1"),
    ("buffer_size", 1.5, "a whole number of at least 1"),
    ("buffer_size", True, "a whole number of at least 1"),
    ("buffer_size", [], "a whole number of at least 1"),
    ("max_file_size", "1023", "a whole number of at least 1024"),
    ("flush_interval", "soon", "a number of seconds from 0.01 to 3600"),
    ("flush_interval", 0, "a number of seconds from 0.01 to 3600"),
    ("flush_interval", "nan", "a number of seconds from 0.01 to 3600"),
    ("flush_interval", True, "a number of seconds from 0.01 to 3600"),
    ("base_dir", 7, "a path"),
    ("base_dir", "~nobody-of-that-name/records", "a path"),
    ("otlp_endpoint", "localhost:4317", "an http:// or https:// address"),
    ("otlp_endpoint", "ftp://localhost", "an http:// or https:// address"),
    ("otlp_endpoint", "http://", "an http:// or https:// address"),
    ("otlp_endpoint", "http://localhost:many", "an http:// or https:// address"),
    ("otlp_protocol", "http/json", "grpc or http/protobuf"),
    ("content_filter", "lower", "a function of one string that gives a string or None (by keyword only)"),
    ("tracer_provider", object(), "an OpenTelemetry TracerProvider (by keyword only)"),
    ("capture_content", "SOMETIMES", "true or false, or OpenTelemetry's NO_CONTENT, SPAN_ONLY, EVENT_ONLY"),
]


@pytest.mark.parametrize(("name", "value", "accepted"), BAD)
def test_a_bad_keyword_is_one_clear_error(name: str, value: Any, accepted: str) -> None:
    with pytest.raises(spantape.SettingError) as raised:
        spantape.instrument(**{name: value})
    said = str(raised.value)
    assert said.startswith(f"{name}= is {value!r}, which spantape can't use: give {accepted}")
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(("name", "value", "accepted"), [bad for bad in BAD if isinstance(bad[1], str)])
def test_a_bad_variable_is_one_clear_error(
    name: str, value: str, accepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SPANTAPE_{name.upper()}", value)
    with pytest.raises(spantape.SettingError, match=f"^SPANTAPE_{name.upper()} is '{value}', which .*{accepted[:20]}"):
        spantape.instrument()


def test_a_bad_value_of_a_seeds_name_is_named_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_RECORDS_RETENTION_DAYS", "ninety")
    with pytest.raises(ValueError, match=r"^LLM_RECORDS_RETENTION_DAYS is 'ninety', which .* at least 1$"):
        spantape.instrument()


def test_an_unknown_setting_is_an_error_that_tells_the_known_ones() -> None:
    with pytest.raises(spantape.SettingError, match=r"^basedir= is no setting of spantape; .* base_dir, "):
        spantape.instrument(basedir="records")


def test_dotenv_is_found_above_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("# ours\nexport SPANTAPE_BASE_DIR='of dotenv'\nSPANTAPE_LATEST_SIZE=3 # few\n")
    below = Path("some/where")
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert Settings.load().base_dir == Path("of dotenv")
    assert Settings.load().latest_size == 3


def test_dotenv_of_windows_with_variables_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA", "/data")
    Path(".env").write_bytes("\ufeffSPANTAPE_BASE_DIR=${DATA}/记录\r\nSPANTAPE_COST=no\r\n".encode())
    settings = Settings.load()
    assert (settings.base_dir, settings.cost) == (Path("/data/记录"), False)


def test_dotenv_does_not_change_the_environment() -> None:
    Path(".env").write_text("SPANTAPE_BUFFER_SIZE=9\nOTHER=1\n")
    before = dict(os.environ)
    assert Settings.load().buffer_size == 9
    assert dict(os.environ) == before


def test_a_bad_value_in_dotenv_says_so() -> None:
    Path(".env").write_text("SPANTAPE_BUFFER_SIZE=lots\n")
    with pytest.raises(spantape.SettingError, match=r"^SPANTAPE_BUFFER_SIZE in \.env is 'lots', which"):
        spantape.instrument()


def test_a_dotenv_that_is_no_text_is_passed_over_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    Path(".env").write_bytes(b"SPANTAPE_BUFFER_SIZE=9\xff\xfe\n")
    with caplog.at_level(logging.WARNING):
        assert Settings.load() == Settings()
    assert [line.getMessage()[:35] for line in caplog.records] == ["spantape can't read the .env file, "]


def test_a_dotenv_with_broken_lines_gives_the_others(caplog: pytest.LogCaptureFixture) -> None:
    Path(".env").write_text("'not a line\nSPANTAPE_BUFFER_SIZE=9\nSPANTAPE_COST\n")
    assert Settings.load() == Settings(buffer_size=9)
    assert {line.name for line in caplog.records} == {"dotenv.main"}


def test_a_folder_called_dotenv_is_not_read() -> None:
    Path(".env").mkdir()
    assert Settings.load() == Settings()


def test_switched_off_by_the_environment(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    import openai

    original = vars(openai._base_client.SyncAPIClient)["request"]
    for name, value in {"LLM_RECORDS_ENABLED": "false", "OTEL_SDK_DISABLED": "true"}.items():
        with monkeypatch.context() as patch, caplog.at_level(logging.INFO):
            patch.setenv(name, value)
            spantape.instrument()
        assert vars(openai._base_client.SyncAPIClient)["request"] is original
        assert caplog.messages == ["spantape is switched off: nothing is recorded"]
        caplog.clear()


def test_a_provider_of_the_api_is_accepted() -> None:
    provider = NoOpTracerProvider()
    assert Settings.load(tracer_provider=provider).tracer_provider is provider
