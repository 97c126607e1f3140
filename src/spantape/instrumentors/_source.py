"""Where in the application a call was made: function, file and line."""

from __future__ import annotations

import sys
from types import FrameType

from .. import semconv
from ..content import Attributes
from ..memo import Memo

BETWEEN, BEYOND, HERE = "between", "beyond", "here"

_FRAMES = range(200)
# Frames of these stand between the application and the call; a layer that the application uses is not who called.
_BETWEEN = frozenset({
    *("spantape", "wrapt", "opentelemetry", "openai", "contextlib", "functools", "tenacity", "backoff"),
    *("langchain", "langchain_classic", "langchain_community", "langchain_core", "langchain_openai", "langgraph"),
    *("agents", "instructor", "litellm", "llama_index"),
    *("typing_extensions", "warnings", "_py_warnings"),  # whatever is marked as deprecated is called through these
})  # fmt: skip
# Of these, what is not installed is the application's own: many call a package of theirs so.
_COMMON_NAMES = frozenset({"agents"})
# Behind these nobody of the application is left: a task or a thread began with the call itself.
_BEYOND = frozenset({"anyio", "asyncio", "concurrent", "gevent", "threading", "trio", "uvloop"})


def caller(_: object = None) -> Attributes:
    """Give the innermost frame that is the application's; nothing where there is none."""
    frame: FrameType | None = sys._getframe(1)
    kinds = _kinds  # an agent's calls have fifty frames above them
    for _ in _FRAMES:
        if frame is None:
            break
        kind = kinds[frame.f_globals.get("__name__")]
        if kind is not BETWEEN:
            return _place(frame) if kind is HERE else {}
        frame = frame.f_back
    return {}


def _kind(module: object) -> str:
    package = str(module).partition(".")[0]
    if package in _BETWEEN:
        return HERE if package in _COMMON_NAMES and not _is_installed(package) else BETWEEN
    return BEYOND if package in _BEYOND else HERE


_kinds = Memo(_kind)


def _is_installed(package: str) -> bool:
    return "-packages" in str(getattr(sys.modules.get(package), "__file__", None))


def _place(frame: FrameType) -> Attributes:
    code = frame.f_code
    name = getattr(code, "co_qualname", code.co_name)  # Python 3.10 knows no qualified name
    return {
        semconv.CODE_FUNCTION: f"{frame.f_globals.get('__name__')}.{name}",
        semconv.CODE_FILE: code.co_filename,
        semconv.CODE_LINE: frame.f_lineno,
    }
