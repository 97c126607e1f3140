"""An estimate of the tokens of a stream that gave no usage, counted by tiktoken where it is installed."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import jsontext, semconv
from ..content import Attributes
from ..guard import guard
from ..jsontext import Json
from ..transcript import text_of
from ._messages import Message

_PLACE = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
_USUAL = ("o200k_base", "cl100k_base")
_MOST_MODELS = 64
# tiktoken takes time that grows with the square of a word's length: what has no spaces is counted in pieces.
_PIECE = 4000
_MOST_CHARS = 2_000_000


class Estimator:
    """Counts with an encoding that is in memory or on disk; never asks the network for one.

    Loading one takes a good part of a second. It is done in a thread while the first stream runs that may need it, so
    that no call waits: what ends before then has no estimate.
    """

    def __init__(self) -> None:
        self._encodings: dict[str, Any] = {}

    def warm(self, model: str) -> None:
        """Have the encoding of a model ready soon."""
        if model not in self._encodings and len(self._encodings) < _MOST_MODELS:
            self._encodings[model] = None
            threading.Thread(target=self._load, args=(model,), name="spantape-tiktoken", daemon=True).start()

    def usage(self, model: str, asked: Attributes, answered: Attributes, framing: int) -> Attributes:
        """Give the attributes of an estimated usage; nothing without an encoding.

        `framing` tokens are put around each message and around the reply.
        """
        encoding = self._encodings.get(model)
        sent, said = asked.get(semconv.INPUT_MESSAGES), answered.get(semconv.OUTPUT_MESSAGES)
        if encoding is None or not sent:
            return {}
        tools = asked.get(semconv.TOOL_DEFINITIONS)
        texts = [*_texts(sent), *([jsontext.text(tools)] if tools else [])]
        return {
            semconv.INPUT_TOKENS: _count(encoding, texts) + _counted(sent) + framing * (len(sent) + 1),
            semconv.OUTPUT_TOKENS: _count(encoding, map(text_of, said or ())),
            semconv.USAGE_ESTIMATED: True,
        }

    def _load(self, model: str) -> None:
        with guard:
            import tiktoken

            name = _encoding_of(model)
            if name is not None:
                self._encodings[model] = tiktoken.get_encoding(name)


class NoEstimator(Estimator):
    """Estimates nothing: tiktoken is not installed, or the setting says no."""

    def warm(self, model: str) -> None:
        """Do nothing."""

    def usage(self, model: str, asked: Attributes, answered: Attributes, framing: int) -> Attributes:  # noqa: ARG002
        """Give nothing."""
        return {}


def estimator(*, wanted: bool) -> Estimator:
    """Give what estimates, if it is wanted and tiktoken is installed."""
    return Estimator() if wanted and importlib.util.find_spec("tiktoken") is not None else NoEstimator()


def _encoding_of(model: str) -> str | None:
    """Give the name of a model's encoding if it is at hand; for a model that tiktoken doesn't know, a usual one."""
    from tiktoken.model import encoding_name_for_model
    from tiktoken.registry import ENCODINGS

    names: tuple[str, ...] = _USUAL
    with contextlib.suppress(KeyError):
        names = (encoding_name_for_model(model),)
    return next((name for name in names if name in ENCODINGS or _is_on_disk(name)), None)


def _is_on_disk(name: str) -> bool:
    """Say whether tiktoken finds an encoding in its cache, and so will not fetch it."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    folder = str(Path(tempfile.gettempdir()) / "data-gym-cache") if folder is None else folder
    key = hashlib.sha1(_PLACE.format(name).encode(), usedforsecurity=False).hexdigest()
    return bool(folder) and (Path(folder) / key).is_file()


def _texts(messages: list[Message]) -> list[str]:
    return [text_of(message) for message in messages if not _counted([message])]


def _counted(messages: list[Message]) -> int:
    """Give how many tokens were sent as such."""
    return sum(int(part["count"]) for message in messages for part in message["parts"] if part["type"] == "tokens")


def _count(encoding: Any, texts: Iterable[Json]) -> int:
    text = "\n".join(texts)[:_MOST_CHARS]
    pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
    return sum(len(encoding.encode_ordinary(piece)) for piece in pieces)
