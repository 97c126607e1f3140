"""An interaction as an entry of the call log; pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from ...interaction import OWN_METADATA, Interaction
from ...jsontext import Json
from ...pricing.exchange import Exchange
from ...transcript import text_of

LOGGER = "llm_monitor"

_WHOSE = ("session_id", "user_id", "conversation_id", "agent_key", "role_name", "step_id", "round_index", "trace_id")
_USAGE = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens", "total_tokens": "total_tokens"}
_COST = {"prompt_cost_usd": "input", "completion_cost_usd": "output", "total_cost_usd": "total"}


def shaped(call: Interaction, exchange: Exchange) -> dict[str, Json]:
    """Give the entry of a call; what is not known is null."""
    timing = call.timing
    entry = {
        "timestamp": _utc(timing.get("end_time") or call.timestamp),
        "level": "ERROR" if call.success is False else "INFO",
        "logger": LOGGER,
        "event": "llm_api_call",
        "context": _context(call),
        "request": _request(call),
        "response": {
            "content_length": None if call.response is None else len(call.response),
            "finish_reason": next(iter(call.finish_reasons or ()), None),
        },
        "usage": _named(_USAGE, call.usage),
        "timing": {
            "duration_ms": None if timing.get("duration_ms") is None else round(timing["duration_ms"]),
            "start_time": _utc(timing.get("start_time")),
            "end_time": _utc(timing.get("end_time")),
        },
        "cost": _in_usd(call.cost or {}, exchange),
    }
    return entry | ({"error": call.error} if call.error else {})


def _context(call: Interaction) -> dict[str, Json]:
    service = (call.source or {}).get("service")
    known = {name: getattr(call, name) for name in _WHOSE} | {"interaction_id": call.id, "service": service}
    given = {name: value for name, value in call.metadata.items() if name not in OWN_METADATA}
    return {**given, **{name: value for name, value in known.items() if value is not None and name not in given}}


def _request(call: Interaction) -> dict[str, Json]:
    said = call.messages
    images = None if said is None else sum(part.get("modality") == "image" for part in _parts(said))
    return {
        "model": call.model,
        "temperature": call.request.get("temperature"),
        "max_tokens": call.request.get("max_tokens"),
        "messages_count": None if said is None else len(said),
        "system_prompt_length": _length(said, {"system", "developer"}),
        "user_prompt_length": _length(said, {"user"}),
        "has_images": None if images is None else images > 0,
        "image_count": images,
    }


def _length(messages: list[Json] | None, roles: set[str]) -> int | None:
    if messages is None:
        return None
    spoken = [one for one in messages if isinstance(one, dict) and one.get("role") in roles]
    return sum(
        len(text_of({"parts": [part for part in _parts([one]) if part.get("type") == "text"]})) for one in spoken
    )


def _parts(messages: list[Json]) -> Iterator[Mapping[str, Any]]:
    for message in messages:
        parts = message.get("parts") if isinstance(message, dict) else None
        yield from (part for part in parts or () if isinstance(part, dict))


def _named(names: Mapping[str, str], found: Mapping[str, Json] | None) -> dict[str, Json]:
    return {name: (found or {}).get(key) for name, key in names.items()}


def _in_usd(cost: Mapping[str, Json], exchange: Exchange) -> dict[str, Json]:
    amounts = {name: cost.get(key) for name, key in _COST.items()}
    currency = str(cost.get("currency"))
    return {name: None if one is None else exchange.in_usd(one, currency) for name, one in amounts.items()}


def _utc(time: str | None) -> str | None:
    if time is None:
        return None
    moment = datetime.fromisoformat(time).astimezone(timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
