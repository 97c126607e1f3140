"""Recorded spans to the collector that is given, or that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PushError
from ..settings import Settings

if TYPE_CHECKING:
    from .traces.push import Pushed


def push(base_dir: Path, endpoint: str | None, *, force: bool) -> Pushed:
    """Send the spans below a folder that were not sent yet, or with `force` all of them.

    Raises:
        PushError: There is nowhere to send to, or the receiver takes nothing now.
    """
    from . import otlp, traces
    from .traces.post import Post
    from .traces.push import push as send

    settings = Settings.load(otlp_endpoint=endpoint)
    target = otlp.endpoint(settings)
    if target is None:
        raise PushError("there is nowhere to send spans to: give an endpoint, like http://localhost:4318")
    return send(base_dir / traces.FOLDER, Post(target), force=force, content=settings.otlp_content)
