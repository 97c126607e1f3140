"""Every setting in one table: the fields of `Settings`. The documentation's table is made from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import SettingError
from .guard import guard

_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_OTEL_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@dataclass(frozen=True)
class Kind:
    """How a setting's value is read: `parse` gives the value or raises `ValueError`; `accepts` says it in words."""

    accepts: str
    parse: Callable[[Any], Any]


def _switch(value: object) -> bool:
    word = str(value).strip().lower()
    if word not in _YES + _NO:
        raise ValueError(word)
    return word in _YES


def _capture(value: object) -> bool:
    modes = {"no_content": False, "event_only": False, "span_only": True, "span_and_event": True}
    word = str(value).strip().lower()
    return modes[word] if word in modes else _switch(word)


def _whole(least: int) -> Kind:
    def parse(value: object) -> int:
        number = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else int("no number")
        if number < least:
            raise ValueError(number)
        return number

    return Kind(f"a whole number of at least {least}", parse)


def _seconds(value: object) -> float:
    number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else float("no")
    if not 0.01 <= number <= 3600:
        raise ValueError(number)
    return number


def _path(value: object) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not str(value):
        raise ValueError(value)
    return Path(value).expanduser()


def _url(value: object) -> str:
    address = str(value)
    if "://" not in address or address.split("://", 1)[0] not in {"http", "https"}:
        raise ValueError(address)
    return address


def _protocol(value: object) -> str:
    if value not in {"grpc", "http/protobuf"}:
        raise ValueError(value)
    return str(value)


def _function(value: object) -> Callable[[str], str | None]:
    if not callable(value):
        raise ValueError(value)  # noqa: TRY004 - every bad setting is a SettingError, made from ValueError
    return value


def _provider(value: object) -> object:
    if not callable(getattr(value, "get_tracer", None)):
        raise ValueError(value)
    return value


SWITCH = Kind("true or false", _switch)
CAPTURE = Kind("true or false, or OpenTelemetry's NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT", _capture)
SECONDS = Kind("a number of seconds from 0.01 to 3600", _seconds)
PATH = Kind("a path", _path)
URL = Kind("an http:// or https:// address", _url)
PROTOCOL = Kind("grpc or http/protobuf", _protocol)
FUNCTION = Kind("a function of one string that gives a string or None (by keyword only)", _function)
PROVIDER = Kind("an OpenTelemetry TracerProvider (by keyword only)", _provider)


def _setting(kind: Kind, default: object, text: str, *aliases: str) -> Any:
    return field(default=default, metadata={"kind": kind, "help": text, "aliases": aliases})


@dataclass(frozen=True)
class Settings:
    """What `instrument()` was told, complete and checked."""

    enabled: bool = _setting(
        SWITCH, True, "Record at all. Off: nothing is instrumented.", "LLM_RECORDS_ENABLED", "LLM_LOG_ENABLE"
    )
    base_dir: Path = _setting(
        PATH, Path("logs/llm_interactions"), "The folder that the records are written to.", "LLM_RECORDS_BASE_DIR"
    )
    files: bool = _setting(SWITCH, True, "Write records to files. Off: only OTLP and your own exporters get the spans.")
    capture_content: bool = _setting(
        CAPTURE, True, "Keep prompts, responses, tool arguments and tool definitions.", _OTEL_CAPTURE
    )
    max_content_chars: int = _setting(
        _whole(1), 1_000_000, "The most characters of one text that are kept; the cut is marked in its message part."
    )
    content_filter: Callable[[str], str | None] | None = _setting(
        FUNCTION, None, "Called with each text before it is kept: gives the text to keep, or None to remove it."
    )
    cost: bool = _setting(SWITCH, True, "Price each call from its usage, with the prices bundled in genai-prices.")
    buffer_size: int = _setting(_whole(1), 100, "Write the buffer as soon as it holds this many records.")
    flush_interval: float = _setting(SECONDS, 1.0, "Write the buffer at least this often, in seconds.")
    latest_size: int = _setting(_whole(1), 50, "How many finished calls `real_time/latest.json` shows.")
    max_file_size: int = _setting(
        _whole(1024),
        100 * 1024 * 1024,
        "How many bytes a file may grow to before it is archived. Read and checked; nothing is archived yet.",
        "LLM_RECORDS_MAX_FILE_SIZE",
    )
    retention_days: int = _setting(
        _whole(1),
        90,
        "How many days session files are meant to be kept. Read and checked; nothing is deleted yet.",
        "LLM_RECORDS_RETENTION_DAYS",
    )
    otlp_endpoint: str | None = _setting(
        URL, None, "Send spans there over OTLP; OpenTelemetry's OTEL_EXPORTER_OTLP_* variables do the same."
    )
    otlp_protocol: str | None = _setting(
        PROTOCOL,
        None,
        "The OTLP protocol. Unset: OpenTelemetry's variable, else http/protobuf on port 4318, else grpc.",
    )
    global_provider: bool = _setting(
        SWITCH, False, "Make our TracerProvider the global one when the application has none."
    )
    tracer_provider: Any = _setting(PROVIDER, None, "Use this TracerProvider, whatever the global one is.")

    @classmethod
    def load(cls, **given: object) -> Settings:
        """Make the settings: keyword, then environment (ours, then the aliases), then `.env`, then default.

        Raises:
            SettingError: A name is unknown or a value can't be used.
        """
        _refuse_unknown(given)
        dotenv = _dotenv()
        values = {}
        for option in fields(cls):
            found = _find(option, given, dotenv)
            if found is not None:
                values[option.name] = _parse(option, *found)
        return cls(**values)


def variables(option: Field[Any]) -> tuple[str, ...]:
    """Give the environment variables of a setting, the first one first asked."""
    return (f"SPANTAPE_{option.name.upper()}", *option.metadata["aliases"])


def _find(
    option: Field[Any], given: Mapping[str, object], dotenv: Mapping[str, str | None]
) -> tuple[str, object] | None:
    if given.get(option.name) is not None:
        return f"{option.name}=", given[option.name]
    for source in (os.environ, dotenv):
        for name in variables(option):
            if source.get(name):
                return name, source[name]
    return None


def _parse(option: Field[Any], source: str, value: object) -> object:
    kind: Kind = option.metadata["kind"]
    try:
        return kind.parse(value)
    except (ValueError, TypeError):
        raise SettingError(f"{source} is {value!r}, which spantape can't use: give {kind.accepts}") from None


def _refuse_unknown(given: Mapping[str, object]) -> None:
    known = [option.name for option in fields(Settings)]
    for name in given:
        if name not in known:
            raise SettingError(f"{name}= is no setting of spantape; there are {', '.join(known)}")


def _dotenv() -> Mapping[str, str | None]:
    from dotenv import dotenv_values, find_dotenv

    with guard:  # a .env that can't be read is not the application's fault
        return dotenv_values(find_dotenv(usecwd=True), interpolate=False)
    return {}
