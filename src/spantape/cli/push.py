"""`spantape push`: recorded spans go to a collector, later."""

from __future__ import annotations

import click

from ..errors import PushError
from ..settings import Settings
from ..sinks.files.reader import Recordings
from ._place import place
from ._progress import bar


@click.command("push")
@click.option("--endpoint", metavar="URL", help="Where to, over OTLP/HTTP; without it what the settings say.")
@click.option("--force", is_flag=True, help="Send again what was sent there already.")
@place
def command(recordings: Recordings, endpoint: str | None, *, force: bool) -> None:
    """Send the spans in `traces/` to a collector, ids and times unchanged, each at most once."""
    from ..sinks import otlp, traces
    from ..sinks.traces.post import Post
    from ..sinks.traces.push import push

    settings = Settings.load(otlp_endpoint=endpoint)
    target = otlp.endpoint(settings)
    if target is None:
        raise PushError("there is nowhere to send spans to: give --endpoint http://localhost:4318")
    with bar("sending"):
        sent = push(recordings.base_dir / traces.FOLDER, Post(target), force=force, content=settings.otlp_content)
    click.echo(f"{sent.sent} spans sent, {sent.refused} refused, {sent.damaged} lines that could not be read")
