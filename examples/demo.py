"""`make demo`: record the calls of examples/app.py and show what was recorded.

Without arguments the calls go to a scripted server on loopback: no key, no network. With `--live` they go to the real
API, with the key in OPENAI_API_KEY.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import app
from receiver import Receiver
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

import openai
import spantape
from spantape.testing import ScriptedServer, error

RECORDS = Path("demo-records")


def main() -> int:
    live = "--live" in sys.argv
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    shutil.rmtree(RECORDS, ignore_errors=True)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("spantape").setLevel(logging.INFO)

    os.environ.setdefault("OTEL_SERVICE_NAME", "spantape-demo")

    with Receiver() as receiver:
        # With a Collector or a Jaeger of your own, say so by OpenTelemetry's variable.
        elsewhere = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        protocol = None if elsewhere else "http/protobuf"
        spantape.instrument(base_dir=RECORDS, otlp_endpoint=elsewhere or receiver.url, otlp_protocol=protocol)
        with nullcontext() if live else ScriptedServer() as server:
            call_the_model(server)
        spantape.flush()

    records = spantape.recordings().get_latest_interactions()[::-1]
    console.print("\n[bold]What is on disk[/bold]", tree(RECORDS), "")
    wide = console.width >= 110
    console.print(table(records, wide=wide))
    for record in [] if wide else records:
        console.print(f"{record['timestamp'][11:19]}  {said(record)}")
    arrived = {record["span_id"] for record in records} & set(receiver.span_ids)
    target = elsewhere or f"{receiver.url}, the demo's own receiver: {len(arrived)} of {len(records)} spans arrived"
    console.print(f"\n[bold]Sent over OTLP[/bold] to {target}")
    where_next(console, records)
    return 0 if records else 1


def call_the_model(server: ScriptedServer | None) -> None:
    options: dict[str, Any] = {"base_url": server.url, "api_key": "demo"} if server else {}
    if server:
        # The first request is told to come again, and the server knows no model of that name.
        server.replies(error(429, "Too many requests", type="rate_limit_error", headers={"retry-after-ms": "20"}))
    with openai.OpenAI(**options) as client:
        app.run(client, openai.AsyncOpenAI(**options))


def tree(folder: Path) -> Tree:
    grown = Tree(f"{folder.name}/")
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            grown.add(tree(path))
        elif not path.name.startswith("."):
            grown.add(f"{path.name}  [dim]{path.stat().st_size:,} bytes[/dim]")
    return grown


def table(records: list[dict[str, Any]], *, wide: bool) -> Table:
    shown = Table(title="What was recorded", title_justify="left", title_style="bold")
    for name in ("time", "status", "session", "model"):
        shown.add_column(name, no_wrap=True)
    for name in ("tokens", "cost", "latency"):
        shown.add_column(name, justify="right", no_wrap=True)
    if wide:
        shown.add_column("prompt → response", overflow="fold")
    for record in records:
        shown.add_row(*figures(record), *([said(record)] if wide else []))
    return shown


def figures(record: dict[str, Any]) -> tuple[str, ...]:
    usage, cost = record["usage"] or {}, record["cost"] or {}
    retried = f" ↻{record['retries']}" if record["retries"] else ""
    return (
        record["timestamp"][11:19],
        f"[green]ok[/green]{retried}"
        if record["success"]
        else f"[red]{record['error'].get('status_code', 'ERR')}[/red]",
        record["session_id"] or "–",
        record["model"],
        f"{usage['input_tokens']} › {usage['output_tokens']}" if usage else "–",
        f"{cost['total']:.6f} {cost['currency']}" if cost else "–",
        f"{record['timing']['duration_ms']:,.0f} ms",
    )


def said(record: dict[str, Any]) -> str:
    return f"{short(last_message(record))} → {short(record['response'] or record['error_message'] or '')}"


def last_message(record: dict[str, Any]) -> str:
    return (record["prompt"] or "").rpartition("\n\n")[2]


def short(text: str, most: int = 44) -> str:
    line = " ".join(text.split()).replace("[", "\\[")
    return line if len(line) <= most else line[: most - 1] + "…"


def where_next(console: Console, records: list[dict[str, Any]]) -> None:
    session = RECORDS / "by_session" / "session_5"
    console.print(
        "",
        "[bold]Where to look next[/bold]",
        f"  one session      {next(session.glob('*.json'))}",
        f"  what failed      {next((RECORDS / 'errors').glob('*.json'), 'nothing did')}",
        f"  from Python      spantape.recordings('{RECORDS}').get_session_interactions('5')",
        f"  a trace id       {records[0]['trace_id']}",
        "  with Jaeger      docker compose up -d; OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 make demo",
        "                   then http://localhost:16686, service spantape-demo",
        sep="\n",
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(main())
