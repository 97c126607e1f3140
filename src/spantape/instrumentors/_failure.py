"""What an exception tells: its name, message and code, and how the call ended with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import semconv
from ..content import Attributes
from ..jsontext import Json, whole
from ._mapping import dig, text

_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
FAILED, TIMEOUT, CANCELLED = "failed", "timeout", "cancelled"

FAILURE = frozenset({
    *(semconv.STATUS, semconv.ERROR_TYPE, semconv.ERROR_MESSAGE, semconv.ERROR_CODE),
    *(semconv.PROVIDER_ERROR_TYPE, semconv.HTTP_STATUS),
})  # fmt: skip
"""What only a call that has failed says."""


def failure(error: BaseException) -> Attributes:
    """Give the attributes of an error."""
    status, body = getattr(error, "status_code", None), getattr(error, "body", None)
    return {
        semconv.STATUS: status_of(error),
        semconv.ERROR_TYPE: error_type(error),
        semconv.ERROR_MESSAGE: whole(_message(error)),
        semconv.ERROR_CODE: _code(_own_code(error) or dig(body, "code") or dig(body, "error.code")),
        semconv.PROVIDER_ERROR_TYPE: text(getattr(error, "type", None) or dig(body, "type") or dig(body, "error.type")),
        semconv.HTTP_STATUS: status if isinstance(status, int) else None,
        semconv.REQUEST_ID: text(getattr(error, "request_id", None)),
    }


def failure_told(error: Json) -> Attributes:
    """Give the attributes of an error that came as an answer, without an exception: an object with code and message."""
    code, kind, message = (dig(error, key) for key in ("code", "type", "message"))
    return {
        semconv.STATUS: FAILED,
        semconv.ERROR_TYPE: next(filter(None, map(_kind, (code, kind))), "_OTHER"),
        semconv.ERROR_MESSAGE: whole(message) if text(message) else None,
        semconv.ERROR_CODE: _code(code),
        semconv.PROVIDER_ERROR_TYPE: text(kind),
    }


def failure_answered(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of an error that came where an answer would: an object, or a text alone."""
    error = body.get("error")
    return failure_told({"message": error} if isinstance(error, str) else error) if error else {}


def error_type(error: BaseException) -> str:
    """Give an exception's name as people import it: `openai.RateLimitError`, `asyncio.CancelledError`, `ValueError`."""
    package = type(error).__module__.partition(".")[0]
    name = type(error).__qualname__
    return name if package == "builtins" else f"{package}.{name}"


def status_of(error: BaseException) -> str:
    """Say how a call ended with an error: failed, timeout or cancelled."""
    names = [kind.__name__ for kind in type(error).__mro__]
    if "CancelledError" in names or not isinstance(error, Exception):
        return CANCELLED
    return TIMEOUT if any("Timeout" in name for name in names) else FAILED


def _message(error: BaseException) -> str:
    """Give an exception's message; a task may have been cancelled with any object, which says nothing."""
    kind = type(error).__name__
    is_told = kind != "CancelledError" or all(isinstance(said, str) for said in error.args)
    return (str(error) if is_told else "") or kind


def _own_code(error: BaseException) -> Any:
    """Give an exception's own code; a closed websocket's is in its last frame: asking itself warns."""
    holder = error.rcvd if hasattr(error, "rcvd") else error
    return getattr(holder, "code", None)


def _kind(value: Any) -> str | None:
    """Read a code as a kind of error, which metrics are told by: some servers put a whole sentence there."""
    code = _code(value)
    return code if code is not None and _IDENTIFIER.fullmatch(code) else None


def _code(value: Any) -> str | None:
    """Read an error's code: text, or the number that some compatible servers give."""
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "" else None
