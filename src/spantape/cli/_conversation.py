"""One call as a conversation: what was sent, what came back, what it cost, why it failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .. import jsontext
from ..filter import Record, status
from ..sinks._seal import is_sealed
from ..transcript import text_of
from . import _format as form
from ._columns import COLOURS, dig, outcome

_LABEL = 10
_ROLES = {"system": "magenta", "developer": "magenta", "user": "cyan", "assistant": "green", "tool": "yellow"}
_USAGE = {"input_tokens": "in", "output_tokens": "out"}
SEALED = "is encrypted: give the key that it was written with, SPANTAPE_ENCRYPTION_KEY"


class Row(NamedTuple):
    """A label, what it says, and the label's colour."""

    label: str
    text: str
    colour: str = ""


def rows(record: Record, before: Record | None = None) -> Iterator[Row]:
    """Tell a call; the messages that the call `before` sent already are folded."""
    yield Row(str(record.get("id"))[:8], _head(record), COLOURS.get(status(record), ""))
    told = {
        "why": _why(record),
        "tokens": _tokens(record),
        "cost": _cost(record),
        "asked": _parameters(record),
        "from": _source(record),
        "trace": _trace(record),
    }
    yield from (Row(label, text, "red" if label == "why" else "bright_black") for label, text in told.items() if text)
    yield Row("", "")
    yield from _sent(record, before)
    yield from _received(record)


def conversation(record: Record, before: Record | None) -> Iterator[Row]:
    """Tell a call as a part of a longer conversation: what is new in it, and a line about the call."""
    cost = form.money(dig(record, "cost.total"), dig(record, "cost.currency"))
    took = form.duration(dig(record, "timing.duration_ms"))
    about = [outcome(record), str(record.get("model")), form.clock(record.get("timestamp"), day=True), took, cost]
    yield Row(str(record.get("id"))[:8], "  ".join(about), COLOURS.get(status(record), ""))
    yield from _sent(record, before, told=False)
    yield from _received(record)
    if _why(record):
        yield Row("why", _why(record), "red")
    yield Row("", "")


def lines(told: Iterable[Row]) -> Iterator[tuple[str, str, str]]:
    """Give each row's lines, as label, text and colour; the label stands before the first one only."""
    for row in told:
        for number, text in enumerate(form.harmless(row.text).split("\n")):
            yield (row.label if number == 0 else "").ljust(_LABEL if text else 0), text, row.colour


def folded(record: Record, before: Record | None) -> int:
    """Count the messages at the start that the call before had sent or got, too."""
    if before is None:
        return 0
    known = [*(before.get("messages") or []), *(before.get("output_messages") or [])]
    same = 0
    for one, other in zip(record.get("messages") or [], known, strict=False):
        if _bare(one) != _bare(other):
            break
        same += 1
    return same


def _bare(message: Any) -> Any:
    return (message.get("role"), message.get("parts")) if isinstance(message, Mapping) else message


def _head(record: Record) -> str:
    used = dig(record, "metadata.model_used")
    model = str(record.get("model")) + (f" ({used})" if used and used != record.get("model") else "")
    about = [outcome(record), model, record.get("provider"), form.clock(record.get("timestamp"), day=True)]
    first = dig(record, "timing.time_to_first_chunk_ms")
    about.append(
        form.duration(dig(record, "timing.duration_ms")) + (f" (first {form.duration(first)})" if first else "")
    )
    named = (("session", "session_id"), ("user", "user_id"), ("agent", "agent_key"), ("role", "role_name"))
    about += [f"{label} {record[key]}" for label, key in named if record.get(key)]
    return "  ".join(str(each) for each in about if each)


def _why(record: Record) -> str:
    error = record.get("error")
    if not isinstance(error, Mapping):
        return ""
    code = [str(error[key]) for key in ("type", "status_code", "code") if error.get(key)]
    return "  ".join([*code, str(error.get("message") or "")])


def _tokens(record: Record) -> str:
    usage = record.get("usage")
    if not isinstance(usage, Mapping):
        return ""
    rest = {key: value for key, value in usage.items() if key not in {*_USAGE, "total_tokens", "estimated"} and value}
    said = [f"{usage[key]:,} {word}" for key, word in _USAGE.items() if isinstance(usage.get(key), int)]
    said += [f"{value:,} {key.removesuffix('_tokens').replace('_', ' ')}" for key, value in rest.items()]
    return " · ".join([*said, *(["estimated"] if usage.get("estimated") else [])])


def _cost(record: Record) -> str:
    cost = record.get("cost")
    if not isinstance(cost, Mapping):
        return ""
    parts = [f"{name} {form.money(cost[name], cost.get('currency'))}" for name in ("input", "output") if name in cost]
    return f"{form.money(cost.get('total'), cost.get('currency'))} = {' + '.join(parts)}  by {cost.get('source')}"


def _parameters(record: Record) -> str:
    request = record.get("request")
    given = {**request} if isinstance(request, Mapping) else {}
    given.pop("model", None)
    tools = given.pop("tools", None)
    said = [f"{key} {value if isinstance(value, str) else jsontext.text(value)}" for key, value in given.items()]
    names = [str(tool.get("name")) for tool in tools or [] if isinstance(tool, Mapping)]
    return " · ".join(said + ([f"tools {', '.join(names)}"] if names else []))


def _source(record: Record) -> str:
    source = record.get("source")
    if not isinstance(source, Mapping):
        return ""
    place = f"{source.get('file')}:{source.get('line')}" if source.get("file") else ""
    return "  ".join(filter(None, [source.get("function"), place, source.get("service")]))


def _trace(record: Record) -> str:
    ids = [str(record.get("trace_id") or ""), f"span {record.get('span_id')}"]
    return "  ".join(filter(None, [*ids, f"request {record['request_id']}" if record.get("request_id") else ""]))


def _sent(record: Record, before: Record | None, *, told: bool = True) -> Iterator[Row]:
    messages = record.get("messages")
    if not isinstance(messages, list):
        yield Row("sent", _whole(record.get("prompt")) or "nothing was kept of it")
        return
    same = folded(record, before)
    if same and told:
        yield Row("", f"… {same} messages as in {str((before or {}).get('id'))[:8]}", "bright_black")
    yield from map(_message, messages[same:])


def _received(record: Record) -> Iterator[Row]:
    messages = record.get("output_messages")
    if isinstance(messages, list) and messages:
        for message, reason in zip(
            messages, [*(record.get("finish_reasons") or []), *[None] * len(messages)], strict=False
        ):
            yield _message(message)
            if reason not in {None, "stop"}:
                yield Row("", f"finish: {reason}")
    else:
        yield Row("got", _whole(record.get("response")) or _nothing(record))


def _whole(said: Any) -> str:
    return f"it {SEALED}" if is_sealed(said) else str(said or "")


def _nothing(record: Record) -> str:
    return {"running": "nothing yet: it runs", "interrupted": "nothing: its process died"}.get(
        status(record), "nothing"
    )


def _message(message: Any) -> Row:
    role = str(message.get("role")) if isinstance(message, Mapping) else ""
    text = text_of(message) if isinstance(message, Mapping) else str(message)
    thought = [str(part.get("content")) for part in _reasoning(message)]
    return Row(
        role, "\n".join([*(f"(thinks) {each}" for each in thought), text] if thought else [text]), _ROLES.get(role, "")
    )


def _reasoning(message: Any) -> list[Mapping[str, Any]]:
    parts = message.get("parts") if isinstance(message, Mapping) else None
    return [part for part in parts or [] if isinstance(part, Mapping) and part.get("type") == "reasoning"]
