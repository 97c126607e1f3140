"""Every setting in one table: the fields of `Settings`. The documentation's table is made from it."""

# ruff: noqa: RUF009 - _setting() gives a field, as dataclasses.field() does

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from decimal import Decimal
from enum import Flag
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from .errors import SettingError
from .guard import guard
from .masking import MODES, Masking

_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_OTEL_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

Sources: TypeAlias = "tuple[tuple[Mapping[str, str | None], str], ...]"


@dataclass(frozen=True)
class Kind:
    """How a setting's value is read: `parse` gives the value or raises `ValueError`; `accepts` says it in words."""

    accepts: str
    parse: Callable[[Any], Any]
    secret: bool = False

    def read(self, source: str, value: object) -> Any:
        """Give the value that was found at `source`; raises `SettingError` when it can't be used."""
        try:
            return self.parse(value)
        except SettingError as error:
            raise SettingError(f"{source}: {error}") from None
        except (ValueError, TypeError, ArithmeticError):
            said = "something" if self.secret else repr(value)
            raise SettingError(f"{source} is {said}, which spantape can't use: give {self.accepts}") from None


def _must(condition: bool) -> None:
    if not condition:
        raise ValueError


def _switch(value: object) -> bool:
    word = str(value).strip().lower()
    _must(word in _YES + _NO)
    return word in _YES


class Capture(Flag):
    """Where what was said is kept: OpenTelemetry's four words. Files and OTLP have what the span has."""

    NO_CONTENT = 0
    SPAN_ONLY = 1
    EVENT_ONLY = 2
    SPAN_AND_EVENT = 3

    @property
    def on_span(self) -> bool:
        """Whether the span has it."""
        return bool(self & Capture.SPAN_ONLY)

    @property
    def on_event(self) -> bool:
        """Whether the event has it."""
        return bool(self & Capture.EVENT_ONLY)


def _capture(value: object) -> Capture:
    if isinstance(value, Capture):
        return value
    word = str(value).strip().upper()
    if word in Capture.__members__:
        return Capture[word]
    return Capture.SPAN_ONLY if _switch(word) else Capture.NO_CONTENT


def _hosts(value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    _must(isinstance(names, (list, tuple, set, frozenset)) and all(isinstance(name, str) for name in names))
    return tuple(name.strip().lower() for name in names if name.strip())  # type: ignore[attr-defined]


def _mask(value: object) -> Masking:
    """Read what is to be masked: what is named comes on top of the secrets."""
    if isinstance(value, Masking):
        return value
    word = str(value).strip().lower()
    if word in _YES + _NO:
        return Masking() if word in _YES else Masking(())
    given = value.split(",") if isinstance(value, str) else value
    _must(isinstance(given, (list, tuple)))
    names = [name.strip() if isinstance(name, str) else name for name in given]  # type: ignore[attr-defined]
    _must(bool(names) and all(names))
    all_but = all(isinstance(name, str) and name.startswith("-") for name in names)
    return Masking(("all" if all_but else "secrets", *names))


def _mode(value: object) -> str:
    word = str(value).strip().lower()
    _must(word in MODES)
    return word


def _key(value: object) -> object:
    _must(isinstance(value, (str, bytes)) and bool(value))
    return value


def _metrics(value: object) -> str:
    word = str(value).strip().lower()
    _must(word in {"current", "latest", "off"})
    return word


def _whole(least: int) -> Kind:
    def parse(value: Any) -> int:
        _must(isinstance(value, (int, str)) and not isinstance(value, bool))
        number = int(value)
        _must(number >= least)
        return number

    return Kind(f"a whole number of at least {least}", parse)


def _number(least: float, most: float) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        _must(isinstance(value, (int, float, str)) and not isinstance(value, bool))
        number = float(value)
        _must(least <= number <= most)
        return number

    return parse


def _path(value: Any) -> Path:
    _must(isinstance(value, (str, os.PathLike)) and str(value) != "")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:  # there is no such user's home
        raise ValueError from error


def _prices(value: object) -> Path | list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else _path(value)


def _exchange_rates(value: object) -> Mapping[str, Decimal]:
    """Read pairs of currencies with a rate; all have to lead to one currency, so that costs can be added up."""
    pairs = [part.split("=") for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    rates = {str(pair).strip().upper(): Decimal(str(rate).strip()) for pair, rate in dict(pairs).items()}  # type: ignore[call-overload]
    _must(
        all(re.fullmatch("[A-Z]{3}/[A-Z]{3}", pair) and rate.is_finite() and rate > 0 for pair, rate in rates.items())
    )
    bases, quotes = {pair[:3] for pair in rates}, {pair[4:] for pair in rates}
    _must(len(quotes) <= 1 and not bases & quotes)
    return rates


def _rate(value: Any) -> float:
    _must(isinstance(value, (int, float, str)) and not isinstance(value, bool))
    number = float(value)
    _must(0 <= number <= 1)
    return number


def _url(value: object) -> str:
    address = str(value).strip()
    parts = urlsplit(address)
    _must(parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0)
    return address


def _protocol(value: object) -> str:
    word = str(value).strip().lower()
    _must(word in {"grpc", "http/protobuf"})
    return word


def _steps(value: object) -> str:
    word = str(value).strip().lower()
    _must(word in {"all", "essential"})
    return word


def _function(value: object) -> object:
    _must(callable(value))
    return value


class Secret(str):
    """A text that no log and no list of settings shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __str__(self) -> str:
        return "***"


def _keys(value: Any) -> tuple[Secret, ...]:
    names = str.split(value, ",") if isinstance(value, str) else value
    keys = tuple(Secret(str.strip(name)) for name in names)
    _must(bool(keys) and all(len(base64.urlsafe_b64decode(key.encode())) == 32 for key in keys))
    return keys


def _provider(method: str) -> Callable[[object], object]:
    def parse(value: object) -> object:
        _must(callable(getattr(value, method, None)))
        return value

    return parse


SWITCH = Kind("true or false", _switch)
CAPTURE = Kind("true or false, or OpenTelemetry's NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT", _capture)
SECONDS = Kind("a number of seconds from 0.01 to 3600", _number(0.01, 3600))
TEMPERATURE = Kind("a number from 0 to 2", _number(0, 2))
SHARE = Kind("a number from 0 to 1", _number(0, 1))
COUNT = _whole(1)
PATH = Kind("a path", _path)
PRICES = Kind("the path of a JSON or YAML file; a keyword may also give the list of rows itself", _prices)
EXCHANGE_RATES = Kind("pairs such as USD/CNY=7.1,EUR/CNY=7.9, all to one currency", _exchange_rates)
RATE = Kind("a number from 0 to 1", _rate)
URL = Kind("an http:// or https:// address", _url)
PROTOCOL = Kind("grpc or http/protobuf", _protocol)
FUNCTION = Kind("a function of one string that gives a string or None (by keyword only)", _function)
HOSTS = Kind("host names, separated by commas; * is all", _hosts)
KEYS = Kind("keys as `cryptography.fernet.Fernet.generate_key()` gives them, separated by commas", _keys, secret=True)
NAMES = Kind("names, separated by commas", _hosts)
MASK = Kind("true, false, names of detectors (after `-`: not that one), spantape.Detector or spantape.Masking", _mask)
MODE = Kind("mask, hash or remove", _mode)
KEY = Kind("a text that is not empty", _key)
METRICS = Kind("current, latest or off", _metrics)
STEPS = Kind("all or essential", _steps)
TRACER_PROVIDER = Kind("an OpenTelemetry TracerProvider (by keyword only)", _provider("get_tracer"))
METER_PROVIDER = Kind("an OpenTelemetry MeterProvider (by keyword only)", _provider("get_meter"))
LOGGER_PROVIDER = Kind("an OpenTelemetry LoggerProvider (by keyword only)", _provider("get_logger"))


def _setting(kind: Kind, default: Any, text: str, *aliases: str) -> Any:
    return field(default=default, repr=kind is not KEY, metadata={"kind": kind, "help": text, "aliases": aliases})


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
    file_content: bool = _setting(
        SWITCH, True, "Write prompts and responses to the files, too. Off: records go without them, OTLP has them."
    )
    capture_content: Capture = _setting(
        CAPTURE, Capture.SPAN_ONLY, "Keep what was said: prompts, responses, tools, messages of errors.", _OTEL_CAPTURE
    )
    max_content_chars: int = _setting(
        _whole(1), 1_000_000, "The most characters of one text that are kept; the cut is marked in its message part."
    )
    content_filter: Callable[[str], str | None] | None = _setting(
        FUNCTION, None, "Called with each text before it is kept: gives the text to keep, or None to remove it."
    )
    mask: Masking | None = _setting(
        MASK,
        None,
        "Hide personal data in what is kept: true for all kinds, or the kinds. Unset: only secrets (keys, tokens, "
        "passwords). False: nothing is hidden.",
    )
    mask_mode: str | None = _setting(
        MODE, None, "What is shown of what was masked: its shape (`mask`, when unset), a keyed hash, or only its kind."
    )
    mask_key: str | bytes | None = _setting(
        KEY, None, "The key of the hashes. Unset: a random one, and hashes differ from process to process."
    )
    without_roles: tuple[str, ...] = _setting(
        NAMES, (), "Roles whose messages are kept without what they say; `system` is `developer`, too."
    )
    without_content_of: tuple[str, ...] = _setting(
        NAMES, (), "Providers and models (`*` for any characters) of whose calls no content is kept."
    )
    capture_source: bool = _setting(
        SWITCH, True, "Keep the function, file and line of the application that made the call."
    )
    cost: bool = _setting(SWITCH, True, "Price each call from its usage.")
    prices: Path | list[Any] | None = _setting(
        PRICES, None, "A price table of your own, which is asked first (docs/cost.md)."
    )
    exchange_rates: Mapping[str, Decimal] | None = _setting(
        EXCHANGE_RATES,
        None,
        "Rates to give costs in another currency: `USD/CNY=7.1` gives CNY where the price is in USD.",
    )
    sample_rate: float = _setting(
        RATE,
        1.0,
        "The part of all sessions (or traces, outside of sessions) that is recorded to files. Calls that failed or "
        "were slow are recorded all the same.",
        "LLM_LOG_SAMPLE_RATE",
    )
    slow_call: float = _setting(
        SECONDS, 30.0, "A call that takes this many seconds is recorded, whatever `sample_rate` says."
    )
    estimate_usage: bool = _setting(
        SWITCH,
        True,
        "Estimate the tokens of a stream that gives no usage, if tiktoken is installed (`spantape[estimate]`) and has "
        "its encoding on disk. Marked by `spantape.usage.estimated`.",
    )
    include_usage: tuple[str, ...] = _setting(
        HOSTS,
        (),
        "Hosts whose streams are asked for usage (`stream_options.include_usage`) where the application does not ask; "
        "the extra chunk is kept from it.",
    )
    langchain_spans: str = _setting(
        STEPS,
        "all",
        "Spans of LangChain and LangGraph: all, or only the essential ones. Left out are inner chains, prompts and "
        "parsers; agents, workflows, nodes, tools, retrievers and models stay.",
    )
    buffer_size: int = _setting(_whole(1), 100, "Write or send the buffer as soon as it holds this many records.")
    buffer_bytes: int = _setting(
        _whole(64 * 1024),
        64 * 1024 * 1024,
        "The most bytes that wait to be written. At a tenth of it the buffer is written; at all of it, or at ten times "
        "`buffer_size`, whoever ends a call writes.",
    )
    flush_interval: float = _setting(SECONDS, 1.0, "Write or send the buffer at least this often, in seconds.")
    durable: bool = _setting(
        SWITCH, False, "Have each call written, and on the disk (fsync), before it returns. Costs milliseconds a call."
    )
    flush_on_sigterm: bool = _setting(
        SWITCH,
        True,
        "Write the buffer when SIGTERM ends the process, where nothing else handles that signal as `instrument()` is "
        "called in the main thread.",
    )
    latest_size: int = _setting(_whole(1), 50, "How many finished calls `real_time/latest.json` shows.")
    upkeep: bool = _setting(
        SWITCH, True, "Compress archives and delete what is too old or too much, in the background, at most hourly."
    )
    max_file_size: int = _setting(
        _whole(1024),
        100 * 1024 * 1024,
        "How many bytes a file may grow to before it goes to `archive/`.",
        "LLM_RECORDS_MAX_FILE_SIZE",
    )
    retention_days: int = _setting(_whole(1), 90, "How many days session files are kept.", "LLM_RECORDS_RETENTION_DAYS")
    error_retention_days: int = _setting(_whole(1), 30, "How many days the files in `errors/` are kept.")
    date_retention_days: int = _setting(_whole(1), 90, "How many days the files in `by_date/` are kept.")
    content_retention_days: int | None = _setting(
        _whole(1),
        None,
        "How many days prompts and responses are kept; then the records stay without them, in archives too. Unset: as "
        "long as their files.",
    )
    archive_max_bytes: int | None = _setting(
        _whole(0), None, "How many bytes `archive/` may hold; the oldest files go first. Unset: all are kept."
    )
    max_total_bytes: int | None = _setting(
        _whole(0), None, "How many bytes all files may hold; the oldest days go first, today's stay. Unset: no limit."
    )
    encryption_key: tuple[Secret, ...] = _setting(
        KEYS,
        (),
        "Encrypt prompts and responses in the files with the first of these keys, and read with all of them "
        "(`spantape[encryption]`).",
    )
    encryption_key_file: Path | None = _setting(
        PATH, None, "The same, from a file with one key a line; the keys of `encryption_key` come before them."
    )
    jsonl: bool = _setting(SWITCH, False, "Write each call as one line of JSON to `jsonl_path`, too: a call log.")
    jsonl_path: Path = _setting(PATH, Path("logs/llm_calls.jsonl"), "The file of the call log.")
    jsonl_max_bytes: int = _setting(
        _whole(1024), 10 * 1024 * 1024, "How many bytes the call log may grow to before it becomes `<name>.1`."
    )
    jsonl_backups: int = _setting(_whole(0), 5, "How many older call logs are kept.")
    log_calls: bool = _setting(
        SWITCH, False, "Log each call, as the line of the call log, to the standard library's logger `llm_monitor`."
    )
    traces: bool = _setting(
        SWITCH,
        False,
        "Write whole spans to `traces/<date>.jsonl` below `base_dir`, in OTLP's file format, for `spantape.push()`.",
    )
    otlp_endpoint: str | None = _setting(
        URL, None, "Send spans there over OTLP; OpenTelemetry's OTEL_EXPORTER_OTLP_* variables do the same."
    )
    otlp_protocol: str | None = _setting(
        PROTOCOL,
        None,
        "The OTLP protocol. Unset: OpenTelemetry's variable, else http/protobuf on port 4318, else grpc.",
    )
    otlp_content: bool = _setting(
        SWITCH, True, "Send prompts and responses over OTLP, too. Off: spans go without them, files keep them."
    )
    otlp_max_bytes: int = _setting(
        _whole(16 * 1024),
        4 * 1024 * 1024,
        "The most bytes of one OTLP request: a larger batch goes in parts, a larger span with its longest texts cut.",
    )
    otlp_shutdown_timeout: float = _setting(
        SECONDS, 2.0, "How long the end of the process may wait for spans to be sent, in seconds."
    )
    global_provider: bool = _setting(
        SWITCH, False, "Make our TracerProvider the global one when the application has none."
    )
    tracer_provider: Any = _setting(TRACER_PROVIDER, None, "Use this TracerProvider, whatever the global one is.")
    metrics: str = _setting(
        METRICS,
        "current",
        "Metrics, when there is a MeterProvider: under the names that backends chart today, or the latest ones.",
    )
    meter_provider: Any = _setting(METER_PROVIDER, None, "Use this MeterProvider, whatever the global one is.")
    events: bool | None = _setting(
        SWITCH,
        None,
        "Emit an event for each inference, when there is a LoggerProvider. Unset: when `capture_content` is EVENT_ONLY "
        "or SPAN_AND_EVENT.",
        "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT",
    )
    logger_provider: Any = _setting(LOGGER_PROVIDER, None, "Use this LoggerProvider, whatever the global one is.")

    def encryption_keys(self) -> tuple[Secret, ...]:
        """Give the keys to encrypt (the first) and to read with (all); raises `SettingError`."""
        if self.encryption_key_file is None:
            return self.encryption_key
        try:
            lines = self.encryption_key_file.read_text(encoding="ascii").split()
        except (OSError, ValueError) as error:
            raise SettingError(f"encryption_key_file can't be read: {error}") from None
        return (*self.encryption_key, *KEYS.read(f"encryption_key_file {self.encryption_key_file}", lines))

    def masking(self) -> Masking | None:
        """Give what hides secrets and personal data; None when nothing is to be hidden."""
        chosen = self.mask if self.mask is not None else Masking(("secrets",))
        mode, key = self.mask_mode or chosen.mode, self.mask_key or chosen.key
        return replace(chosen, mode=mode, key=key) if chosen.detectors else None

    @classmethod
    def load(cls, **given: object) -> Settings:
        """Make the settings: keyword, then environment (ours, then the aliases), then `.env`, then default.

        Raises:
            SettingError: A name is unknown or a value can't be used.
        """
        _refuse_unknown(given)
        values = {name: value for name, value, source in found(given) if source}
        return cls(**values)


def found(given: Mapping[str, object]) -> Iterator[tuple[str, Any, str]]:
    """Give each setting's name, its value and where that was found; nowhere, where it is the default.

    Raises:
        SettingError: A value can't be used.
    """
    sources = environment()
    for option in fields(Settings):
        source, value = _find(option, given, sources) or ("", None)
        yield option.name, option.metadata["kind"].read(source, value) if source else option.default, source


def variables(option: Field[Any]) -> tuple[str, ...]:
    """Give the environment variables of a setting, the first one first asked."""
    return (f"SPANTAPE_{option.name.upper()}", *option.metadata["aliases"])


def environment() -> Sources:
    """Give where variables are looked up, each with what an error adds to their names: the process's, then `.env`."""
    return ((os.environ, ""), (_dotenv(), " in .env"))


def look_up(names: Iterable[str], sources: Sources) -> tuple[str, str] | None:
    """Give the first of these variables that is set, as an error shall call it, and its value."""
    for source, where in sources:
        for name in names:
            if value := source.get(name):
                return name + where, value
    return None


def _find(option: Field[Any], given: Mapping[str, object], sources: Sources) -> tuple[str, object] | None:
    if given.get(option.name) is not None:
        return f"{option.name}=", given[option.name]
    return look_up(variables(option), sources)


def _refuse_unknown(given: Mapping[str, object]) -> None:
    known = [option.name for option in fields(Settings)]
    for name in given:
        if name not in known:
            raise SettingError(f"{name}= is no setting of spantape; there are {', '.join(known)}")


def _dotenv() -> Mapping[str, str | None]:
    from dotenv import dotenv_values, find_dotenv

    try:
        return dotenv_values(find_dotenv(usecwd=True), encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # no permission, no text: it may be meant for someone else
        guard.warn_once("dotenv", "spantape can't read the .env file, and goes on without it (%s)", error)
        return {}
