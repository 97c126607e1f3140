"""Images: made, edited, varied; what is kept of a picture is its type, size and digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._mapping import Table, fields, flag, items, others, pick, plain, text, whole
from .._messages import Message, Part, blob_part, file_part, text_part, upload_part, uri_part
from .usage import tokens

_REQUEST = Table({"stream": (semconv.REQUEST_STREAM, flag)})
# Who draws as SVG has a second model write it, which has its own prices.
_SVG_USAGE = Table(
    {
        "input_tokens": (semconv.SVG_INPUT_TOKENS, whole),
        "output_tokens": (semconv.SVG_OUTPUT_TOKENS, whole),
    }
)
_TOP = ("usage", "svg_usage", "output_format")
_PICTURES = ("image", "images", "mask")
_ELSEWHERE = frozenset({"model", "prompt", "n", "files", *_PICTURES, *_REQUEST})
_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif", "svg": "image/svg+xml"}


def request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what is about to be sent."""
    count = whole(body.get("n"))
    return pick(_REQUEST, body) | {
        semconv.REQUEST_CHOICE_COUNT: count if count != 1 else None,
        semconv.OUTPUT_TYPE: "image",
    }


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give what was asked for, and the pictures that were sent along."""
    parts = list(_asked(body))
    parameters = others(body, _ELSEWHERE)
    return {
        semconv.INPUT_MESSAGES: [{"role": "user", "parts": parts}] if parts else None,
        semconv.REQUEST_PARAMETERS: parameters or None,
    }


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back, whole or joined from events."""
    return tokens(body.get("usage")) | pick(_SVG_USAGE, body.get("svg_usage"))


def answered(body: Mapping[str, Json]) -> Attributes:
    """Give the pictures, each with the prompt that it was made from if that was revised."""
    mime_type = _TYPES.get(str(body.get("output_format")))
    return {semconv.OUTPUT_MESSAGES: [_output(one, mime_type) for one in items(body.get("data"))] or None}


class Join:
    """Keeps the finished pictures of a stream; of the unfinished ones nothing, as each is as large."""

    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._data: list[Json] = []

    def add(self, chunks: Iterable[Any]) -> None:
        """Take the next events, the client's objects or plain JSON."""
        for chunk in chunks:
            event = fields(chunk)
            if str(event.get("type")).endswith(".completed"):
                self._top.update({key: event[key] for key in _TOP if event.get(key)})
                self._data.append({"b64_json": event.get("b64_json"), "url": event.get("url")})

    def body(self) -> dict[str, Json]:
        """Give the response so far."""
        return {**plain(self._top), "data": self._data}


def _asked(body: Mapping[str, Json]) -> Iterable[Part]:
    if text(body.get("prompt")):
        yield text_part(body["prompt"])
    for file in items(body.get("files")):
        yield upload_part("image", file)
    for key in _PICTURES:
        value = body.get(key)
        for picture in value if isinstance(value, (list, tuple)) else [value]:
            yield from _sent(picture)


def _sent(picture: Json) -> Iterable[Part]:
    """Give a picture that is sent as JSON: an address, base64, or an object with an address or a file's id."""
    reference = fields(picture)
    address = picture if isinstance(picture, str) else reference.get("image_url")
    if isinstance(address, str) and address:
        is_address = address.startswith(("data:", "http:", "https:"))
        yield uri_part("image", address) if is_address else blob_part("image", None, address)
    elif text(reference.get("file_id")):
        yield file_part("image", reference["file_id"])


def _output(image: Mapping[str, Json], mime_type: str | None) -> Message:
    parts: list[Part] = []
    if text(image.get("revised_prompt")):
        parts.append(text_part(image["revised_prompt"]))
    if text(image.get("url")):
        parts.append(uri_part("image", image["url"]))
    if text(image.get("b64_json")):
        parts.append(blob_part("image", mime_type, image["b64_json"]))
    return {"role": "assistant", "parts": parts}


def _endpoint(operation: str) -> Endpoint:
    return Endpoint(operation, request, response, asked, answered, Join, held=1)


GENERATION = _endpoint(semconv.IMAGE_GENERATION)
EDIT = _endpoint(semconv.IMAGE_EDIT)
VARIATION = _endpoint(semconv.IMAGE_VARIATION)
