"""The record of a call: what its span tells, under the names and in the order of the files."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from . import jsontext, semconv, transcript
from .jsontext import Json
from .moments import local
from .places import HEADERS, KEYS, PLACES

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

Record: TypeAlias = dict[str, Json]
Found: TypeAlias = Mapping[str, Any]
"""A span's attributes."""
Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""Keys of a record, each with the attribute that stands there."""

_NAMESPACE = uuid.UUID("6f6a7a9e-0d5c-5c0f-9d5b-7b7e5d2f3a11").bytes
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_VARIABLES = "prompt_variables"
_NAMED = {_VARIABLES: semconv.PROMPT_VARIABLE, **HEADERS}
"""Sections whose names are the application's, and how their attributes begin."""
_EMPTY: Record = dict.fromkeys(KEYS)
_service: tuple[Any, Json] = (None, None)
_STATUSES = {"Timeout": "timeout", "Cancelled": "cancelled"}


def record_of(span: ReadableSpan, found: Found | None = None, *, verbatim: bool = False) -> Record:
    """Give the record of the call that a span of ours tells, ended or still running; `found` are its attributes.

    `verbatim` leaves what is on the span as it is, for `jsontext.dumps`: sequences, and messages that are JSON text.
    """
    end = span.end_time
    if found is None:
        found = attributes_of(span)
    if not verbatim:
        found = {key: list(value) if type(value) is tuple else value for key, value in found.items()}
    record = _sorted(found)
    _identify(record, span)
    _time(record, span.start_time, end, found.get(semconv.RESPONSE_TIME_TO_FIRST_CHUNK))
    _judge(record, found.get(semconv.STATUS), ended=bool(end))
    _quote(record, found, verbatim=verbatim)
    record["model"] = record["request"].get("model") or record["metadata"].get("model_used")
    record["metadata"] = _metadata(record["metadata"] | _headers(record), found, ended=bool(end))
    record["request"] = _request(record["request"], record.pop(_VARIABLES, None), found)
    record["usage"] = _usage(record["usage"], found)
    record["source"] = _source(record["source"], span)
    return record


def interaction_id(trace_id: str, span_id: str) -> str:
    """Derive a record's id from its span's ids (32 and 16 hex digits), so that each finds the other.

    It is the UUID that `uuid.uuid5` gives, which takes four times as long.
    """
    digits = hashlib.sha1(_NAMESPACE + f"{trace_id}-{span_id}".encode(), usedforsecurity=False).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"


def id_of(context: SpanContext) -> str | None:
    """Give a span's record's id; None for a span that is none."""
    return interaction_id(f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """Give a copy of a span's attributes: each look at those that the SDK holds goes through four of its functions."""
    found: Any = span.attributes
    try:
        return found.copy()  # type: ignore[no-any-return]  # as the SDK's have it: in one step, whoever changes them
    except AttributeError:
        return dict(found or {})


def _sorted(found: Found) -> Record:
    record: Record = _EMPTY.copy()
    plain, sections = _places(tuple(found))
    for name, key in plain:
        record[name] = found[key]
    for section, pairs in sections:
        part = record[section] = {}
        for name, key in pairs:
            part[name] = found[key]
    return record


@lru_cache(maxsize=256)
def _places(keys: tuple[str, ...]) -> tuple[Pairs, list[tuple[str, Pairs]]]:
    """Give where these attributes stand, in the record and in its sections: looked up once for all calls alike."""
    sections: dict[str, dict[str, str]] = {"": {}, "metadata": {}, "request": {}}
    for key in keys:
        if key in PLACES:
            section, name = PLACES[key]
            sections.setdefault(section, {})[name] = key
        for section, prefix in _NAMED.items():
            if key.startswith(prefix):
                sections.setdefault(section, {})[key[len(prefix) :]] = key
    (_, plain), *others = [(section, tuple(pairs.items())) for section, pairs in sections.items()]
    return plain, others


def _identify(record: Record, span: ReadableSpan) -> None:
    context, parent = span.context, span.parent
    trace_id = record["trace_id"] = f"{context.trace_id:032x}"
    span_id = record["span_id"] = f"{context.span_id:016x}"
    record["id"] = interaction_id(trace_id, span_id)
    record["parent_span_id"] = f"{parent.span_id:016x}" if parent else None


def _time(record: Record, start: int | None, end: int | None, first: object) -> None:
    began = local(start) if start else None
    ended = local(end) if end else None
    record["timestamp"] = began or ended
    record["timing"] = {
        "start_time": began,
        "end_time": ended,
        # Who tells us of a call's end only may not know when it began.
        "duration_ms": (end - start) // 1000 / 1000 if end and start else None,
        "time_to_first_chunk_ms": round(first * 1000, 3) if isinstance(first, (int, float)) else None,
    }


def _judge(record: Record, status: object, *, ended: bool) -> None:
    error = record["error"] or {}
    kind = error.get("type")
    if kind is None:  # a status code alone is no failure
        record["error"] = None
    else:
        record["error_message"] = error.get("message")
    if ended:
        record["success"], record["status"] = kind is None, status or _status(kind)


def _status(error_type: object) -> str:
    if error_type is None:
        return "success"
    kinds = (status for name, status in _STATUSES.items() if name in str(error_type))
    return next(kinds, "failed")


def _quote(record: Record, found: Found, *, verbatim: bool) -> None:
    asked = transcript.prompt(found.get(semconv.INPUT_MESSAGES), found.get(semconv.SYSTEM_INSTRUCTIONS))
    answered = transcript.response(found.get(semconv.OUTPUT_MESSAGES))
    prompt = record["prompt"] = asked.text
    response = record["response"] = answered.text
    record["messages"] = asked.verbatim() if verbatim else asked.messages
    record["output_messages"] = answered.verbatim() if verbatim else answered.messages
    ran = record["timing"]["duration_ms"]
    metrics = record["performance_metrics"] = {
        "response_time_ms": None if ran is None else round(ran),
        "prompt_length": None if prompt is None else len(prompt),
        "response_length": None if response is None else len(response),
        "history_messages_count": None if asked.messages is None else max(0, asked.turns - 1),
    }
    given = jsontext.loads_or(found.get(semconv.PERFORMANCE))
    if isinstance(given, dict):
        metrics.update(given)


def _headers(record: Record) -> Record:
    """Take out the headers, each of which may have come more than once."""
    found = {section: record.pop(section) for section in HEADERS if section in record}
    return {
        section: {name: ", ".join(map(str, said)) for name, said in heads.items()} for section, heads in found.items()
    }


def _metadata(own: Record, found: Found, *, ended: bool) -> Record:
    said = {"stage": found.get(semconv.STAGE, "completed") if ended else "started", **own}
    given = jsontext.loads_or(found.get(semconv.METADATA))
    return {**said, **given, **said} if isinstance(given, dict) else said


def _request(named: Record, texts: Json, found: Found) -> Record:
    sent = jsontext.loads_or(found.get(semconv.REQUEST_PARAMETERS))
    tools = jsontext.loads_or(found.get(semconv.TOOL_DEFINITIONS))
    request = named | sent if isinstance(sent, dict) else named
    if texts:  # those that are no texts are among the parameters
        others = request.get(_VARIABLES)
        request[_VARIABLES] = texts | others if isinstance(others, dict) else texts
    return request | {"tools": tools} if tools else request


def _usage(usage: Record | None, found: Found) -> Record | None:
    usage = usage or {}
    asked, answered = usage.get("input_tokens"), usage.get("output_tokens")
    if isinstance(asked, int) and isinstance(answered, int):
        usage["total_tokens"] = asked + answered
    if found.get(semconv.USAGE_ESTIMATED) is True:
        usage["estimated"] = True
    return usage or None


def _source(code: Record | None, span: ReadableSpan) -> Record | None:
    global _service  # noqa: PLW0603 - the spans of a process have one resource, and the SDK is slow to look into it
    if _service[0] is not span.resource:
        _service = span.resource, _named(span.resource)
    service = _service[1]
    return code if service is None else {"service": service, **(code or {})}


def _named(resource: Any) -> Json:
    service = resource.attributes.get("service.name") if resource else None
    return None if not service or str(service).startswith("unknown_service") else service
