"""Checks of spans, metrics and events against the tables; each gives what deviates, in sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import message_schema
from conventions import (
    ANY,
    AT_CREATION,
    ATTRIBUTES,
    CONTENT,
    DEBUG,
    EVENT,
    EVERY_METRIC,
    GENERAL,
    METRICS,
    OURS,
    REQUIRED,
    STRING,
    VARIABLE,
    Attribute,
    Metric,
    Operation,
    is_of,
    operation,
)
from made import MAY, Made, due

from spantape import semconv

OWN = frozenset(value for value in vars(semconv).values() if isinstance(value, str) and value.startswith(OURS))
SCOPE = "spantape.openai"


def attribute(name: str) -> Attribute | None:
    """Find what is known of a name; None for a name that nobody has given."""
    if name.startswith(VARIABLE):
        return Attribute(STRING)
    return ATTRIBUTES.get(name) or GENERAL.get(name) or (Attribute(ANY) if name in OWN else None)


def is_content(name: str) -> bool:
    return name in CONTENT or name.startswith(VARIABLE)


def values(attributes: Mapping[str, Any]) -> Iterable[str]:
    """Check names, types and closed sets of values."""
    for name, value in attributes.items():
        known = attribute(name)
        if known is None:
            yield f"{name} is a name of nobody's"
        elif not is_of(known.type, value):
            yield f"{name} is {value!r}, not a {known.type}"
        elif known.closed and value not in known.closed:
            yield f"{name} is {value!r}, not one of {sorted(known.closed)}"


def span(found: Any, at_creation: Mapping[str, Any], made: Made) -> Iterable[str]:
    """Check a span by the call that it is of."""
    row, attributes = operation(made.request), dict(found.attributes)
    yield from values(attributes)
    yield from _levels(row, attributes, made)
    yield from _shape(found, row, attributes)
    for name in AT_CREATION & attributes.keys():
        if at_creation.get(name) != attributes[name]:
            yield f"{name} is {attributes[name]!r}, but was {at_creation.get(name)!r} when the span was started"
    for name, check in message_schema.CHECKS.items():
        if name in attributes:
            yield from check(json.loads(attributes[name]), name)
    if not made.content:
        yield from (f"{name} is there without content" for name in attributes if is_content(name))


def _shape(found: Any, row: Operation, attributes: Mapping[str, Any]) -> Iterable[str]:
    name = f"{row.name} {attributes.get(row.named_by, '')}".strip()
    status = "ERROR" if "error.type" in attributes else "UNSET"
    expected = {"name": name, "kind": "CLIENT", "status": status, "events": 0, "scope": SCOPE, "schema": ""}
    seen = {
        "name": found.name,
        "kind": found.kind.name,
        "status": found.status.status_code.name,
        "events": len(found.events),
        "scope": found.instrumentation_scope.name,
        "schema": found.instrumentation_scope.schema_url or "",
    }
    yield from (f"{key} is {seen[key]!r}, not {value!r}" for key, value in expected.items() if seen[key] != value)


def _levels(row: Operation, attributes: Mapping[str, Any], made: Made) -> Iterable[str]:
    """Check that all is there that has to be, and nothing that nobody told."""
    wanted = {name: value for name, value in due(made).items() if not re.search(row.lacks, name)}
    theirs = {name for name in attributes if name in ATTRIBUTES or name.startswith(VARIABLE)}
    for name in sorted({*row.span, *theirs, *(name for name in wanted if name.startswith(VARIABLE))}):
        level = row.span.get(name)
        if level is None and not name.startswith(VARIABLE):
            yield f"{name} is no attribute of such a span"
        elif name not in attributes and (level == REQUIRED or wanted.get(name, MAY) != MAY):
            yield f"{name} ({level}) is missing"
        elif name in attributes and name not in wanted and level != REQUIRED:
            yield f"{name} ({level}) is {attributes[name]!r}, which nobody told"
        elif name in attributes and wanted.get(name, True) not in (True, MAY, attributes[name]):
            yield f"{name} is {attributes[name]!r}, not {wanted[name]!r}"


def metrics(found: Mapping[str, Any], attributes: Mapping[str, Any], made: Made, names: str) -> Iterable[str]:
    """Check the metrics of one call, each given by its name."""
    row = operation(made.request)
    table = METRICS[names, row.is_inference]
    yield from (f"{name} is no metric of the {names} names" for name in found if name not in table)
    for name in sorted(_expected(row, attributes, names) - set(found)):
        yield f"the metric {name} is missing"
    for name, metric in found.items():
        if name in table:
            yield from _metric(metric, table[name], attributes)
            yield from _amount(metric, attributes)


def _expected(row: Operation, attributes: Mapping[str, Any], names: str) -> set[str]:
    family = "gen_ai.client.inference" if names == "latest" and row.is_inference else "gen_ai.client.operation"
    wanted = {f"{family}.duration"}
    used = {key for key in ("input_tokens", "output_tokens") if f"gen_ai.usage.{key}" in attributes}
    if names == "current":
        wanted |= {"gen_ai.client.token.usage"} if used else set()
    elif row.is_inference:
        wanted |= {f"{family}.usage.input_tokens", f"{family}.usage.output_tokens"}
        wanted |= {f"{family}.operation.{key}" for key in used}
    if "gen_ai.response.time_to_first_chunk" in attributes and (row.is_inference or names == "current"):
        wanted.add(f"{family}.time_to_first_chunk")
    return wanted


def _metric(found: Any, known: Metric, attributes: Mapping[str, Any]) -> Iterable[str]:
    if (type(found.data).__name__, found.unit) != (known.instrument, known.unit):
        yield f"{found.name} is a {type(found.data).__name__} of {found.unit!r}"
    for point in found.data.data_points:
        if known.buckets and tuple(point.explicit_bounds) != known.buckets:
            yield f"{found.name} has the buckets {point.explicit_bounds}"
        yield from (f"{found.name}: {wrong}" for wrong in values(point.attributes))
        wanted = {name for name in {*EVERY_METRIC, *known.more} if name in attributes or name not in ATTRIBUTES}
        wanted |= known.more - {"error.type"}
        for name in sorted(wanted ^ set(point.attributes)):
            yield f"{found.name}: {name} is {'missing' if name in wanted else 'no attribute of it'}"
        for name in sorted(wanted & set(point.attributes) & set(attributes)):
            if point.attributes[name] != attributes[name]:
                yield f"{found.name}: {name} is {point.attributes[name]!r}, on the span {attributes[name]!r}"


def _amount(found: Any, attributes: Mapping[str, Any]) -> Iterable[str]:
    """Check that what was counted is what the span tells, once."""
    points = list(found.data.data_points)
    if found.name.endswith(("duration", "first_chunk")) and [point.count for point in points] != [1]:
        yield f"{found.name} was recorded {[point.count for point in points]} times"
    for key in ("input", "output"):
        told = attributes.get(f"gen_ai.usage.{key}_tokens", 0)
        theirs = [point for point in points if point.attributes.get("gen_ai.token.type") == key]
        if found.name.endswith((f"usage.{key}_tokens", f"operation.{key}_tokens")):
            theirs = points
        counted = sum(getattr(point, "value", None) or getattr(point, "sum", 0) for point in theirs)
        if theirs and counted != told:
            yield f"{found.name} has counted {counted} {key} tokens, the span {told}"


def event(found: Any, attributes: Mapping[str, Any], span_id: int, *, content: bool) -> Iterable[str]:
    """Check the event of a call by the attributes of its span."""
    told = dict(found.attributes) | dict(found.body or {})  # SDKs before 1.35 take structures in the body only
    name = getattr(found, "event_name", None) or told.pop("event.name", None)
    if (name, found.severity_number.value, found.span_id) != (EVENT, DEBUG, span_id):
        yield f"the event is {name!r} of severity {found.severity_number}, of span {found.span_id}"
    yield from (f"the event: {wrong}" for wrong in values(told))
    for key in sorted({*told, *attributes}):
        if is_content(key) and not content:
            if key in told:
                yield f"the event has {key} without content"
        elif _structure(told.get(key)) != _parsed(key, attributes.get(key)):
            yield f"the event's {key} is {told.get(key)!r}, the span's {attributes.get(key)!r}"
    for key, check in message_schema.CHECKS.items():
        if key in told:
            yield from check(_structure(told[key]), f"the event's {key}")


def _parsed(name: str, value: Any) -> Any:
    if isinstance(value, str) and (name in message_schema.CHECKS or name == "spantape.request.parameters"):
        return json.loads(value)
    return _structure(value)


def _structure(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_structure(item) for item in value]
    return {key: _structure(item) for key, item in value.items()} if hasattr(value, "items") else value
