"""Ways to call the endpoints of images and audio, and what they must leave of a file and on disk."""

from __future__ import annotations

import asyncio
import base64
import inspect
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from openai.resources import Images
from openai.resources.audio import Transcriptions
from openai_ways import async_client, sync_client

import openai

Media = Callable[[str, Path], Any]
"""Makes a call to the server at a URL, with a folder to write to, and gives what the application has of it."""

needs_image_streams = pytest.mark.skipif(
    "stream" not in inspect.signature(Images.generate).parameters, reason="this openai streams no images"
)
needs_transcription_streams = pytest.mark.skipif(
    "stream" not in inspect.signature(Transcriptions.create).parameters, reason="this openai streams no transcriptions"
)


class Counting(io.BytesIO):
    """A file that remembers what was done with it."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name
        self.done: list[tuple[str, tuple[Any, ...]]] = []

    def read(self, *args: Any) -> bytes:
        self.done.append(("read", args))
        return super().read(*args)

    def seek(self, *args: Any) -> int:
        self.done.append(("seek", args))
        return super().seek(*args)

    def tell(self) -> int:
        self.done.append(("tell", ()))
        return super().tell()

    def __next__(self) -> bytes:
        self.done.append(("next", ()))
        return super().__next__()


def is_listed(model: str) -> bool:
    """Say whether the price list that is installed, which may be an old one, knows the usual prices of a model."""
    try:
        price = calc_price(Usage(input_tokens=1), model, provider_id="openai").model_price
    except LookupError:
        return False
    return price.input_mtok is not None and price.output_mtok is not None


def sync(use: Callable[[openai.OpenAI, Path], Any]) -> Media:
    def run(url: str, folder: Path) -> Any:
        with sync_client(url) as client:
            return use(client, folder)

    return run


def asynchronous(use: Callable[[openai.AsyncOpenAI, Path], Any]) -> Media:
    def run(url: str, folder: Path) -> Any:
        async def main() -> Any:
            async with async_client(url) as client:
                return await use(client, folder)

        return asyncio.run(main())

    return run


def ways(*functions: Callable[..., Any]) -> list[Any]:
    """Make parameters of functions of (client, folder), sync or async."""
    runs = [(asynchronous if inspect.iscoroutinefunction(one) else sync)(one) for one in functions]
    return [pytest.param(run, id=one.__name__) for run, one in zip(runs, functions, strict=True)]


def dumped(result: Any) -> Any:
    """Give all that is in a result, with the name of its class."""
    return type(result).__name__, result.model_dump() if hasattr(result, "model_dump") else result


def nowhere(recorded: Any, *secrets: bytes | str) -> bool:
    """Say whether none of some texts, nor bytes as base64, is on a span or on disk."""
    written = "".join(str(dict(span.attributes)) for span in recorded.spans)
    assert recorded.records
    written += "".join(file.read_text("utf-8") for file in recorded.base_dir.rglob("*") if file.is_file())
    texts = [base64.b64encode(one).decode()[:40] if isinstance(one, bytes) else one for one in secrets]
    return not any(text in written for text in texts)
