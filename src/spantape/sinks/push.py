"""Recorded spans to the collector that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PushError

if TYPE_CHECKING:
    from ..settings import Settings
    from .traces.push import Pushed


def push(base_dir: Path, settings: Settings, *, force: bool) -> Pushed:
    """Send the spans below a folder that were not sent yet, or with `force` all of them.

    Raises:
        PushError: There is nowhere to send to, or the receiver takes nothing now.
        SealError: What was said is encrypted, and there is no key that opens it.
    """
    from . import otlp, traces
    from .traces.post import Post
    from .traces.push import push as send

    target = otlp.endpoint(settings)
    if target is None:
        raise PushError("there is nowhere to send spans to: give an endpoint, like http://localhost:4318")
    return send(base_dir / traces.FOLDER, Post(target), settings, force=force)
