"""`Dialogue`: what was said to the model on a realtime connection since the last turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeAlias

from ... import semconv
from ...jsontext import Json
from .._endpoint import Reader
from .._mapping import dig, fields, given, text
from .._messages import Message, text_part
from .realtime import audio_part, message

Said: TypeAlias = Callable[[Reader], Reader]

_MOST_WAITING = 1000
_MOST_UNHEARD = 64


class Dialogue:
    """Keeps the messages that wait for the next turn. Audio is counted, never kept; without capture nothing is kept."""

    def __init__(self, said: Said) -> None:
        self._said = said
        self._keeps = bool(said(lambda _: {"": True})({}))
        self.session: Mapping[str, Json] = {}
        self._waiting: deque[Message] = deque(maxlen=_MOST_WAITING)
        self._audio = 0
        # Spoken by us and not yet named by the server; named, and not yet transcribed.
        self._unnamed: deque[Message] = deque(maxlen=_MOST_UNHEARD)
        self._unheard: dict[str, Message] = {}

    def configure(self, session: Json, *, whole: bool) -> None:
        """Take the session as the server tells it, or what the application changes of it."""
        now = given(fields(session))
        self.session = now if whole else {**self.session, **now}

    def add(self, item: Json) -> None:
        """Take an item that the application adds to the conversation."""
        said = self._said(lambda body: {semconv.INPUT_MESSAGES: [message(body)]})(fields(item))
        self._waiting.extend(said.get(semconv.INPUT_MESSAGES, ()))

    def count(self, size: int) -> None:
        """Take audio that was put into the input buffer."""
        self._audio += size

    def clear(self) -> None:
        """Forget the audio in the buffer."""
        self._audio = 0

    def commit(self) -> None:
        """Make a message of the audio in the buffer."""
        self._unnamed.append(self._speak())

    def committed(self, item_id: Json) -> bool:
        """Take the server's word that the buffer has become an item; gives whether that was the server's own doing."""
        alone = not self._unnamed
        spoken = self._speak() if alone else self._unnamed.popleft()
        if self._keeps and isinstance(item_id, str):
            while len(self._unheard) >= _MOST_UNHEARD:
                del self._unheard[next(iter(self._unheard))]
            self._unheard[item_id] = spoken
        return alone

    def transcribed(self, item_id: Json, transcript: Json) -> None:
        """Take what was said in audio; the turn that has its message shows it too."""
        spoken = self._unheard.pop(str(item_id), None)
        if spoken is not None and text(transcript):
            spoken["parts"].append(text_part(str(transcript)))

    def take(self) -> list[Message]:
        """Give the messages that wait: they belong to the turn that now begins."""
        messages = list(self._waiting)
        self._waiting.clear()
        return messages

    def _speak(self) -> Message:
        form = text(dig(self.session, "audio.input.format.type")) or text(self.session.get("input_audio_format"))
        spoken: Message = {"role": "user", "parts": [audio_part(self._audio or None, form)]}
        self._audio = 0
        if self._keeps:
            self._waiting.append(spoken)
        return spoken
