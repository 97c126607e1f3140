"""What of a prompt or response may be kept; decided at the source, before anything is set on a span."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from . import jsontext, semconv
from .binary import digest, may_hold_binary, without_binary
from .guard import silent_guard
from .jsontext import Json, whole
from .masking import Masking, keyed
from .masking.detector import has
from .masking.parameters import without_secrets
from .memo import Memo

if TYPE_CHECKING:
    from .settings import Settings

Attributes: TypeAlias = dict[str, Any]
Filter: TypeAlias = Callable[[str], "str | None"]

PARTS = frozenset(
    {semconv.SYSTEM_INSTRUCTIONS, semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES, semconv.TOOL_DEFINITIONS}
)
"""Attributes that hold messages, their parts, or tool definitions."""
CONTENT = PARTS | {
    *(semconv.REQUEST_PARAMETERS, semconv.ERROR_MESSAGE),
    *(semconv.TOOL_ARGUMENTS, semconv.TOOL_RESULT, semconv.RETRIEVAL_QUERY, semconv.RETRIEVAL_DOCUMENTS),
}
"""Attributes that hold what was said (an error's message quotes it): see `is_content`."""

_MESSAGES = frozenset({semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES})
_MOST_OF_ERROR = 10_000
_HIDDEN = "***"
_BLOB = b'"type":"blob"'
_NUMBERS = frozenset({int, float, bool})
_FILTERED = frozenset({semconv.METADATA, semconv.TOPIC})
_IDS = frozenset(
    {
        semconv.SESSION_ID,
        semconv.USER_ID,
        semconv.CONVERSATION_ID,
        semconv.AGENT_KEY,
        semconv.ROLE_NAME,
        semconv.STEP_ID,
        semconv.ROUND_INDEX,
        semconv.MESSAGE_ID,
    }
)
"""Names that the application gives: two of them must not become one, so masking hashes what it finds in them."""
_TEXTS = frozenset(
    {
        *(semconv.REQUEST_STOP_SEQUENCES, semconv.PROMPT_NAME, semconv.AGENT_NAME),
        *(semconv.WORKFLOW_NAME, semconv.TOOL_NAME, semconv.TOOL_DESCRIPTION, semconv.STEP_NAME),
        *(semconv.ERROR_CODE, semconv.PROVIDER_ERROR_TYPE, semconv.PERFORMANCE),
    }
)
"""Attributes that are no content, but free text: they are masked."""
_NAMES = _IDS | _TEXTS
_LABELS = frozenset({"type", "role", "id", "modality", "mime_type", "file_id", "finish_reason"})
"""Keys of messages and parts that say what they are; everything under another key was said."""


def is_content(name: str) -> bool:
    """Say whether an attribute holds what was said: it is absent when content is not captured."""
    return name in CONTENT or name.startswith(semconv.PROMPT_VARIABLE)


def _is_header(name: str) -> bool:
    """Say whether an attribute holds a header, which may be any text."""
    return name.startswith((semconv.REQUEST_HEADER, semconv.RESPONSE_HEADER))


def without_content(attributes: Mapping[str, Any]) -> Attributes:
    """Give the attributes but for what was said."""
    return {name: value for name, value in attributes.items() if not is_content(name)}


def _is_free(name: str) -> bool:
    """Say whether an attribute may hold anything, and so is looked at."""
    return name in _FILTERED or name in _NAMES or is_content(name) or _is_header(name)


_free = Memo(_is_free)


@dataclass(frozen=True)
class ContentPolicy:
    """Turns attributes with plain JSON values into what may be set on a span.

    Binary data becomes its media type, size and sha256; what the masking finds is hidden; the filter sees each text; a
    text over `max_chars` is cut and its message part marked; of messages of `without_roles` only the role is kept.
    Fails closed: an attribute whose masking or filter fails is dropped, and named in `spantape.content.dropped`.
    """

    capture: bool = True
    max_chars: int = 1_000_000
    filter: Filter | None = None
    masking: Masking | None = None
    without_roles: Collection[str] = ()

    @classmethod
    def of(cls, settings: Settings, *, capture: bool) -> ContentPolicy:
        """Make the policy that the settings ask for."""
        return cls(
            capture,
            settings.max_content_chars,
            settings.content_filter,
            settings.masking(),
            settings.without_roles,
        )

    def keep(self, attributes: Mapping[str, Any], keys: Collection[str] = ()) -> Attributes:
        """Give the attributes as they may be set: content as JSON text, or absent; `keys`, of requests, nowhere."""
        kept: Attributes = {}
        dropped: list[str] = []
        free = _free
        for name, value in attributes.items():
            kind = type(value)
            if (kind in _NUMBERS and name not in CONTENT) or (kind is str and not free[name] and value.isascii()):
                kept[name] = value  # as most are
            elif value is not None:
                dropped.append(name)
                with silent_guard:
                    clean = self._kept(name, value, keys)
                    if clean is not None:
                        kept[name] = clean
                    dropped.pop()
        if dropped:
            kept[semconv.CONTENT_DROPPED] = dropped
        return kept

    def _kept(self, name: str, value: Any, keys: Collection[str]) -> Any:
        if name in _NAMES or _is_header(name):
            return _sound(_masked(self._masking_of(name), value, keys))
        if not _free[name]:
            return _sound(value)
        if not self.capture and is_content(name):
            return None
        said = _unsaid_by(self.without_roles, name, value) if self.without_roles else value
        if name == semconv.REQUEST_PARAMETERS:
            said = without_secrets(said)
        if self.filter is None and not isinstance(said, str):
            data = jsontext.dumps(said)
            text = data.decode()
            if self._is_clean(text, data, keys):
                return text  # nothing in it is to be changed, as in most calls
        clean = self._cleaned(name, said, keys)
        if clean is None or isinstance(clean, str):
            return _sound(clean)
        return jsontext.text(clean) if self.masking is None else self.masking.json(jsontext.text(clean))

    def _masking_of(self, name: str) -> Masking | None:
        return self.masking.of_names if self.masking is not None and name in _IDS else self.masking

    def _is_clean(self, text: str, data: bytes, keys: Collection[str]) -> bool:
        """Say of JSON, as text and as UTF-8, that nothing in it is to be changed."""
        if len(text) > self.max_chars or has(data, _BLOB) or any(has(data, key.encode()) for key in keys):
            return False
        return not may_hold_binary(text) and (self.masking is None or self.masking.is_clean(text, data))

    def _cleaned(self, name: str, value: Json, keys: Collection[str]) -> Json:
        try:
            return _Cleaner(self, name, keys).clean(value)
        except RecursionError:  # it lies in itself, or is nested deeper than Python goes
            if self.filter is not None:
                raise
            return _Cleaner(self, name, keys).clean(jsontext.mended(value))


class _Cleaner:
    """Walks one JSON value; remembers for the message part at hand whether, and from what length, a text was cut."""

    def __init__(self, policy: ContentPolicy, name: str, keys: Collection[str]) -> None:
        self._policy = policy
        self._keys = keys
        self._structured = name in PARTS
        self._most = min(policy.max_chars, _MOST_OF_ERROR) if name == semconv.ERROR_MESSAGE else policy.max_chars
        self._cut_from = 0

    def clean(self, value: Json) -> Json:
        """Clean what an attribute holds."""
        return self.parts(value) if self._structured else self.said(value)

    def parts(self, value: Json) -> Json:
        """Clean messages, their parts, or tool definitions."""
        if isinstance(value, Mapping):
            return self._part(value)
        return [self.parts(item) for item in value] if isinstance(value, (list, tuple)) else self.said(value)

    def said(self, value: Json) -> Json:
        """Clean what somebody said, however it is nested."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.said(item) for item in value]
        if not isinstance(value, Mapping):
            return self._scalar(value)
        if value.get("type") == "blob" and "modality" in value:  # in what a tool has answered, say
            return self._part(value)
        return keyed((self._masked(key), self.said(item)) for key, item in value.items())

    def _part(self, value: Mapping[str, Json]) -> Json:
        around, self._cut_from = self._cut_from, 0
        is_blob = value.get("type") == "blob"
        content = value.get("content")
        blob = digest(content) if is_blob and isinstance(content, (str, bytes)) else {}
        part = {key: self._entry(key, item) for key, item in value.items() if not (is_blob and key == "content")}
        if self._cut_from:
            part |= {"truncated": True, "original_length": self._cut_from}
        self._cut_from = around
        return part | blob

    def _entry(self, key: str, value: Json) -> Json:
        if key == "parts":
            return self.parts(value)
        return value if key in _LABELS and isinstance(value, str) else self.said(value)

    def _scalar(self, value: Json) -> Json:
        if value is None or type(value) in _NUMBERS:
            return self._masked(value)
        plain = jsontext.loads(jsontext.dumps(value))  # an enumeration, say: it may stand for a text
        return self._text(plain) if isinstance(plain, str) else self._masked(plain)

    def _masked(self, value: Json) -> Json:
        return _masked(self._policy.masking, value, self._keys)

    def _text(self, value: str) -> str | None:
        # Masked before it is cut: half of a number would be found no more.
        text = _filtered(self._policy.filter, self._masked(without_binary(value)))
        if text is None or len(text) <= self._most:
            return text
        self._cut_from = max(self._cut_from, len(text))
        return text[: self._most] + ("" if self._structured else f"… [cut from {len(text)} characters]")


def _masked(masking: Masking | None, value: Json, keys: Collection[str]) -> Json:
    """Give a value with what is to be masked hidden, and the keys of requests."""
    if isinstance(value, (list, tuple)):
        return [_masked(masking, item, keys) for item in value]
    if isinstance(value, str):
        for key in keys:
            value = value.replace(key, _HIDDEN)
    return value if masking is None else masking.value(value)


def _unsaid_by(roles: Collection[str], name: str, value: Json) -> Json:
    """Give messages without what these roles said."""
    if name == semconv.SYSTEM_INSTRUCTIONS:
        return None if "system" in roles else value
    if name not in _MESSAGES or not isinstance(value, (list, tuple)):
        return value
    return [message | {"parts": []} if _is_by(roles, message) else message for message in value]


def _is_by(roles: Collection[str], message: Json) -> bool:
    if not isinstance(message, dict):
        return False
    role = message.get("role")
    return role in roles or (role == "developer" and "system" in roles)


def _filtered(keep: Filter | None, text: str) -> str | None:
    if keep is None:
        return text
    result = keep(whole(text))
    if result is not None and not isinstance(result, str):
        raise TypeError(f"content_filter gave {type(result).__name__}; give a str, or None to remove the text")
    return result


def _sound(value: Any) -> Any:
    """Give a value whose texts every encoder takes: one bad attribute would cost an exporter its whole batch."""
    if isinstance(value, str):
        return whole(value)
    return [_sound(item) for item in value] if isinstance(value, (list, tuple)) else value
