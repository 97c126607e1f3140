"""`spantape status`: how much is recorded, what runs, and whether it can be written."""

from __future__ import annotations

import sys

import click

from ..sinks.files.reader import Recordings
from . import _format as form
from ._groups import money
from ._output import Output, output
from ._place import place
from ._progress import bar

_UNHEALTHY = 4
_FIELDS = "base_dir,status,total_interactions,failed_interactions,cost,disk_space_available"


@click.command("status")
@place
@output
def command(recordings: Recordings, output: Output) -> None:
    """Say how much is recorded, what runs, how large it is, and whether more can be written."""
    with bar("counting"):
        health, found = recordings.get_health_status(), recordings.get_statistics()
    kinds = [(name, each) for name, each in found["storage_info"].items() if each["count"]]
    rows = {
        "folder": str(recordings.base_dir.absolute()),
        "health": " · ".join([str(health["status"]), *health["problems"]]),
        "calls": f"{found['total_interactions']:,}, {found['failed_interactions']:,} failed",
        "running": str(len(recordings.get_running_interactions())),
        "cost": money(found.get("cost") or {}),
        "files": ", ".join(f"{name} {each['count']} ({form.size(each['size'])})" for name, each in kinds),
        "disk": f"{form.size(float(health['disk_space_available']))} free",
    }
    if output.is_asked_for:
        output.emit([{**found, **health, "base_dir": rows["folder"]}], {0: _FIELDS})
    else:
        for label, told in rows.items():
            click.echo(f"{label:<10}{told}")
    sys.exit(_UNHEALTHY if health["status"] == "unhealthy" else 0)
