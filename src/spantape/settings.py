"""Every setting in one table: the fields of `Settings`. The documentation's table is made from it."""

# ruff: noqa: RUF009 - _setting() gives a field, as dataclasses.field() does

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import kinds
from .environment import Sources, environment, look_up
from .errors import SettingError
from .kinds import Capture, Kind, Secret

if TYPE_CHECKING:
    from .masking import Masking

_OTEL_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def _setting(kind: Kind, default: Any, text: str, *aliases: str) -> Any:
    return field(default=default, repr=kind is not kinds.KEY, metadata={"kind": kind, "help": text, "aliases": aliases})


@dataclass(frozen=True)
class Settings:
    """What `instrument()` was told, complete and checked."""

    enabled: bool = _setting(
        kinds.SWITCH, True, "Record at all. Off: nothing is instrumented.", "LLM_RECORDS_ENABLED", "LLM_LOG_ENABLE"
    )
    base_dir: Path = _setting(
        kinds.PATH, Path("logs/llm_interactions"), "The folder that the records are written to.", "LLM_RECORDS_BASE_DIR"
    )
    files: bool = _setting(
        kinds.SWITCH, True, "Write records to files. Off: only OTLP and your own exporters get the spans."
    )
    file_content: bool = _setting(
        kinds.SWITCH,
        True,
        "Write prompts and responses to the files, too. Off: records go without them, OTLP has them.",
    )
    capture_content: Capture = _setting(
        kinds.CAPTURE,
        Capture.SPAN_ONLY,
        "Keep what was said: prompts, responses, tools, messages of errors.",
        _OTEL_CAPTURE,
    )
    max_content_chars: int = _setting(
        kinds.whole(1),
        1_000_000,
        "The most characters of one text that are kept; the cut is marked in its message part.",
    )
    content_filter: Callable[[str], str | None] | None = _setting(
        kinds.FUNCTION, None, "Called with each text before it is kept: gives the text to keep, or None to remove it."
    )
    mask: Masking | None = _setting(
        kinds.MASK,
        None,
        "Hide personal data in what is kept: true for all kinds, or the kinds. Unset: only secrets (keys, tokens, "
        "passwords). False: nothing is hidden.",
    )
    mask_mode: str | None = _setting(
        kinds.MODE,
        None,
        "What is shown of what was masked: its shape (`mask`, when unset), a keyed hash, or only its kind.",
    )
    mask_key: str | bytes | None = _setting(
        kinds.KEY, None, "The key of the hashes. Unset: a random one, and hashes differ from process to process."
    )
    without_roles: tuple[str, ...] = _setting(
        kinds.NAMES, (), "Roles whose messages are kept without what they say; `system` is `developer`, too."
    )
    without_content_of: tuple[str, ...] = _setting(
        kinds.NAMES, (), "Providers and models (`*` for any characters) of whose calls no content is kept."
    )
    capture_headers: tuple[str, ...] = _setting(
        kinds.NAMES,
        (),
        "Headers of requests and responses that are kept (`*` for any characters), such as `x-tenant,x-ratelimit-*`; "
        "never cookies, nor those that keys are sent in.",
    )
    capture_source: bool = _setting(
        kinds.SWITCH, True, "Keep the function, file and line of the application that made the call."
    )
    cost: bool = _setting(kinds.SWITCH, True, "Price each call from its usage.")
    prices: Path | list[Any] | None = _setting(
        kinds.PRICES, None, "A price table of your own, which is asked first (docs/cost.md)."
    )
    exchange_rates: Mapping[str, Decimal] | None = _setting(
        kinds.EXCHANGE_RATES,
        None,
        "Rates to give costs in another currency: `USD/CNY=7.1` gives CNY where the price is in USD.",
    )
    sample_rate: float = _setting(
        kinds.SHARE,
        1.0,
        "The part of all sessions (or traces, outside of sessions) that is recorded: to files and the call log. Calls "
        "that failed or were slow are recorded all the same.",
        "LLM_LOG_SAMPLE_RATE",
    )
    slow_call: float = _setting(
        kinds.SECONDS, 30.0, "A call that takes this many seconds is recorded, whatever `sample_rate` says."
    )
    estimate_usage: bool = _setting(
        kinds.SWITCH,
        True,
        "Estimate the tokens of a stream that gives no usage, if tiktoken is installed (`spantape[estimate]`) and has "
        "its encoding on disk. Marked by `spantape.usage.estimated`.",
    )
    include_usage: tuple[str, ...] = _setting(
        kinds.HOSTS,
        (),
        "Hosts whose streams are asked for usage (`stream_options.include_usage`) where the application does not ask; "
        "the extra chunk is kept from it.",
    )
    langchain_spans: str = _setting(
        kinds.STEPS,
        "all",
        "Spans of LangChain and LangGraph: all, or only the essential ones. Left out are inner chains, prompts and "
        "parsers; agents, workflows, nodes, tools, retrievers and models stay.",
    )
    buffer_size: int = _setting(kinds.whole(1), 100, "Write or send the buffer as soon as it holds this many records.")
    buffer_bytes: int = _setting(
        kinds.whole(64 * 1024),
        64 * 1024 * 1024,
        "The most bytes that wait to be written. At a tenth of it the buffer is written; at all of it, or at ten times "
        "`buffer_size`, whoever ends a call writes.",
    )
    flush_interval: float = _setting(kinds.SECONDS, 1.0, "Write or send the buffer at least this often, in seconds.")
    durable: bool = _setting(
        kinds.SWITCH,
        False,
        "Have each call written, and on the disk (fsync), before it returns. Costs milliseconds a call.",
    )
    flush_on_sigterm: bool = _setting(
        kinds.SWITCH,
        True,
        "Write the buffer when SIGTERM ends the process, where nothing else handles that signal as `instrument()` is "
        "called in the main thread.",
    )
    latest_size: int = _setting(kinds.whole(1), 50, "How many finished calls `real_time/latest.json` shows.")
    upkeep: bool = _setting(
        kinds.SWITCH,
        True,
        "Compress archives and delete what is too old or too much, in the background, at most hourly.",
    )
    max_file_size: int = _setting(
        kinds.whole(1024),
        100 * 1024 * 1024,
        "How many bytes a file may grow to before it goes to `archive/`.",
        "LLM_RECORDS_MAX_FILE_SIZE",
    )
    retention_days: int = _setting(
        kinds.whole(1), 90, "How many days session files are kept.", "LLM_RECORDS_RETENTION_DAYS"
    )
    error_retention_days: int = _setting(kinds.whole(1), 30, "How many days the files in `errors/` are kept.")
    date_retention_days: int = _setting(kinds.whole(1), 90, "How many days the files in `by_date/` are kept.")
    content_retention_days: int | None = _setting(
        kinds.whole(1),
        None,
        "How many days prompts and responses are kept; then the records stay without them, in archives too. Unset: as "
        "long as their files.",
    )
    archive_max_bytes: int | None = _setting(
        kinds.whole(0), None, "How many bytes `archive/` may hold; the oldest files go first. Unset: all are kept."
    )
    max_total_bytes: int | None = _setting(
        kinds.whole(0),
        None,
        "How many bytes all files may hold; the oldest days go first, today's stay. Unset: no limit.",
    )
    encryption_key: tuple[Secret, ...] = _setting(
        kinds.KEYS,
        (),
        "Encrypt prompts and responses in the files with the first of these keys, and read with all of them "
        "(`spantape[encryption]`).",
    )
    encryption_key_file: Path | None = _setting(
        kinds.PATH, None, "The same, from a file with one key a line; the keys of `encryption_key` come before them."
    )
    jsonl: bool = _setting(kinds.SWITCH, False, "Write each call as one line of JSON to `jsonl_path`, too: a call log.")
    jsonl_path: Path = _setting(kinds.PATH, Path("logs/llm_calls.jsonl"), "The file of the call log.")
    jsonl_max_bytes: int = _setting(
        kinds.whole(1024), 10 * 1024 * 1024, "How many bytes the call log may grow to before it becomes `<name>.1`."
    )
    jsonl_backups: int = _setting(kinds.whole(0), 5, "How many older call logs are kept.")
    log_calls: bool = _setting(
        kinds.SWITCH,
        False,
        "Log each call, as the line of the call log, to the standard library's logger `llm_monitor`.",
    )
    traces: bool = _setting(
        kinds.SWITCH,
        False,
        "Write whole spans to `traces/<date>.jsonl` below `base_dir`, in OTLP's file format, for `spantape.push()`.",
    )
    otlp_endpoint: str | None = _setting(
        kinds.URL, None, "Send spans there over OTLP; OpenTelemetry's OTEL_EXPORTER_OTLP_* variables do the same."
    )
    otlp_protocol: str | None = _setting(
        kinds.PROTOCOL,
        None,
        "The OTLP protocol. Unset: OpenTelemetry's variable, else http/protobuf on port 4318, else grpc.",
    )
    otlp_content: bool = _setting(
        kinds.SWITCH, True, "Send prompts and responses over OTLP, too. Off: spans go without them, files keep them."
    )
    otlp_max_bytes: int = _setting(
        kinds.whole(16 * 1024),
        4 * 1024 * 1024,
        "The most bytes of one OTLP request: a larger batch goes in parts, a larger span with its longest texts cut.",
    )
    otlp_shutdown_timeout: float = _setting(
        kinds.SECONDS, 2.0, "How long the end of the process may wait for spans to be sent, in seconds."
    )
    global_provider: bool = _setting(
        kinds.SWITCH, False, "Make our TracerProvider the global one when the application has none."
    )
    tracer_provider: Any = _setting(kinds.TRACER_PROVIDER, None, "Use this TracerProvider, whatever the global one is.")
    metrics: str = _setting(
        kinds.METRICS,
        "current",
        "Metrics, when there is a MeterProvider: under the names that backends chart today, or the latest ones.",
    )
    meter_provider: Any = _setting(kinds.METER_PROVIDER, None, "Use this MeterProvider, whatever the global one is.")
    events: bool | None = _setting(
        kinds.SWITCH,
        None,
        "Emit an event for each inference, when there is a LoggerProvider. Unset: when `capture_content` is EVENT_ONLY "
        "or SPAN_AND_EVENT.",
        "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT",
    )
    logger_provider: Any = _setting(kinds.LOGGER_PROVIDER, None, "Use this LoggerProvider, whatever the global one is.")

    def encryption_keys(self) -> tuple[Secret, ...]:
        """Give the keys to encrypt (the first) and to read with (all); raises `SettingError`."""
        if self.encryption_key_file is None:
            return self.encryption_key
        try:
            lines = self.encryption_key_file.read_text(encoding="ascii").split()
        except (OSError, ValueError) as error:
            raise SettingError(f"encryption_key_file can't be read: {error}") from None
        return (*self.encryption_key, *kinds.KEYS.read(f"encryption_key_file {self.encryption_key_file}", lines))

    def masking(self) -> Masking | None:
        """Give what hides secrets and personal data; None when nothing is to be hidden."""
        from .masking import Masking

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


def _find(option: Field[Any], given: Mapping[str, object], sources: Sources) -> tuple[str, object] | None:
    if given.get(option.name) is not None:
        return f"{option.name}=", given[option.name]
    return look_up(variables(option), sources)


def _refuse_unknown(given: Mapping[str, object]) -> None:
    known = [option.name for option in fields(Settings)]
    for name in given:
        if name not in known:
            raise SettingError(f"{name}= is no setting of spantape; there are {', '.join(known)}")
