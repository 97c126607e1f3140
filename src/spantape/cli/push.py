"""`spantape push`: recorded spans go to a collector, later."""

from __future__ import annotations

import click

from ..sinks.files.reader import Recordings
from ._place import place
from ._progress import bar


@click.command("push")
@click.option("--endpoint", metavar="URL", help="Where to, over OTLP/HTTP; without it what the settings say.")
@click.option("--force", is_flag=True, help="Send again what was sent there already.")
@place
def command(recordings: Recordings, endpoint: str | None, *, force: bool) -> None:
    """Send the spans in `traces/` to a collector, ids and times unchanged, each at most once."""
    from ..settings import Settings
    from ..sinks.push import push

    settings = Settings.load(otlp_endpoint=endpoint)
    with bar("sending"):
        sent = push(recordings.base_dir, settings, force=force)
    click.echo(f"{sent.sent} spans sent, {sent.refused} refused, {sent.damaged} lines that could not be read")
