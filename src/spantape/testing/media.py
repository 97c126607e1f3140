"""What the server answers about images and audio when nothing is queued: as small as they can be, but real."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

from .replies import CREATED, Reply, error, in_pieces, tokens
from .request import Request

SOUND = b"ID3\x04\x00\x00\x00\x00\x00\x00" + bytes(range(256))
IMAGE_TOKENS, TEXT_FORMATS = 1056, {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}


def picture(number: int = 0) -> bytes:
    """Give a PNG of one grey pixel; each number has its own."""
    pixel = zlib.compress(bytes([0, number % 256]))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), (b"IDAT", pixel), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def images(request: Request) -> Reply:
    """Answer `/images/generations`, `/images/edits` or `/images/variations`."""
    body, kind = request.body, request.path.partition("?")[0].rpartition("/")[2]
    if not isinstance(body, dict) or (kind != "variations" and not body.get("prompt")):
        return error(400, "Missing required parameter: 'prompt'.", code="missing_required_parameter")
    n, is_gpt = int(body.get("n") or 1), "image" in str(body.get("model"))
    if body.get("stream") in (True, "true"):
        return _picture_events(body, "image_generation" if kind == "generations" else "image_edit")
    data: list[dict[str, Any]]
    if is_gpt or body.get("response_format") == "b64_json":
        data = [{"b64_json": _packed(picture(index))} for index in range(n)]
    else:
        data = [{"url": f"https://images.test/{index}.png", "revised_prompt": body.get("prompt")} for index in range(n)]
    more = {"output_format": "png", "quality": "low", "size": "1024x1024", "usage": _image_usage(body, n)}
    return Reply({"created": CREATED, "data": data} | (more if is_gpt else {}))


def speech(request: Request) -> Reply:
    """Answer `/audio/speech`."""
    body = request.body
    if not isinstance(body, dict) or not body.get("input"):
        return error(400, "Missing required parameter: 'input'.", code="missing_required_parameter")
    if body.get("stream_format") != "sse":
        form = body.get("response_format") or "mp3"
        return Reply(raw=SOUND, content_type="audio/mpeg" if form == "mp3" else f"audio/{form}")
    sounds = [SOUND[at : at + 100] for at in range(0, len(SOUND), 100)]
    usage = _counted(tokens(body["input"]), len(sounds))
    deltas = [{"type": "speech.audio.delta", "audio": _packed(sound)} for sound in sounds]
    return Reply(chunks=[*deltas, {"type": "speech.audio.done", "usage": usage}], done=False)


def heard(request: Request) -> Reply:
    """Answer `/audio/transcriptions` or `/audio/translations`."""
    body = request.body
    if not isinstance(body, dict) or not isinstance(body.get("file"), dict):
        return error(400, "Missing required parameter: 'file'.", code="missing_required_parameter")
    text = f"You sent: {body['file']['filename']}"
    form, usage = body.get("response_format") or "json", _heard_usage(body, text)
    if body.get("stream") in (True, "true"):
        deltas = [{"type": "transcript.text.delta", "delta": piece} for piece in in_pieces(text)]
        return Reply(chunks=[*deltas, {"type": "transcript.text.done", "text": text, "usage": usage}])
    if form in TEXT_FORMATS:
        written = text if form == "text" else f"1\n00:00:00,000 --> 00:00:02,000\n{text}\n"
        return Reply(raw=f"{written}\n".encode(), content_type=f"{TEXT_FORMATS[form]}; charset=utf-8")
    verbose = {"task": "transcribe", "language": "english", "duration": 1.5, "segments": []}
    return Reply((verbose if form == "verbose_json" else {}) | {"text": text, "usage": usage})


def _picture_events(body: dict[str, Any], kind: str) -> Reply:
    about = {"background": "opaque", "created_at": CREATED, "output_format": "png", "quality": "low"}
    about |= {"size": "1024x1024"}
    partials = [
        {"type": f"{kind}.partial_image", "b64_json": _packed(picture(index)), "partial_image_index": index, **about}
        for index in range(int(body.get("partial_images") or 0))
    ]
    usage = {name: value for name, value in _image_usage(body, 1).items() if name != "output_tokens_details"}
    last = {"type": f"{kind}.completed", "b64_json": _packed(picture(255)), "usage": usage, **about}
    return Reply(chunks=[*partials, last], done=False)


def _image_usage(body: dict[str, Any], n: int) -> dict[str, Any]:
    written = tokens(str(body.get("prompt") or ""))
    seen = sum(100 for value in body.values() if isinstance(value, dict) and "filename" in value)
    return _counted(written + seen, IMAGE_TOKENS * n) | {
        "input_tokens_details": {"text_tokens": written, "image_tokens": seen},
        "output_tokens_details": {"text_tokens": 0, "image_tokens": IMAGE_TOKENS * n},
    }


def _heard_usage(body: dict[str, Any], text: str) -> dict[str, Any]:
    if "whisper" in str(body.get("model")):
        return {"type": "duration", "seconds": 2}
    details = {"audio_tokens": 14, "text_tokens": 0}
    return {"type": "tokens", **_counted(14, tokens(text)), "input_token_details": details}


def _counted(sent: int, received: int) -> dict[str, Any]:
    return {"input_tokens": sent, "output_tokens": received, "total_tokens": sent + received}


def _packed(data: bytes) -> str:
    return base64.b64encode(data).decode()
