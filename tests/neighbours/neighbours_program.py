"""A program with two instrumentations: `neighbours_program.py <vendor> <joins first> <leaves first>`.

Prints what each way to call gave the application plain, with theirs alone, with theirs and ours, and after one and
both have left; and what was recorded, logged, and left in openai's classes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "openai"))

import openai_ways as ways
from openai._base_client import AsyncAPIClient, SyncAPIClient
from openai_ways import WAYS, async_client, sync_client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import spantape
from spantape.testing import Reply, ScriptedServer, completion, error, stream

STREAMED, WHOLE = stream(["你好", "!"]), completion('{"text": "你好!"}')
CHOSEN = ["create", "async create", "stream", "async stream", "parse", "async parse", "raw", "raw stream"]
CHOSEN += ["async raw", "async raw stream", "stream helper", "async stream helper", "next() by hand"]
CHOSEN += ["streaming response", "streaming response, lines", "async streaming response", "client.post"]

Outcome = list[str]


def asked(name: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": name}]


def abandoned(url: str) -> Outcome:
    with sync_client(url) as client:
        begun = client.chat.completions.create(model="gpt-4o-mini", messages=asked("abandoned"), stream=True)
        said = ways.delta(next(iter(begun)))
        del begun
        gc.collect()
        return ["abandoned", said]


def closed(url: str) -> Outcome:
    async def main() -> Outcome:
        async with async_client(url) as client:
            begun = await client.chat.completions.create(model="gpt-4o-mini", messages=asked("closed"), stream=True)
            async for chunk in begun:
                await begun.close()
                return ["closed", ways.delta(chunk)]
        return []

    return asyncio.run(main())


def failing(url: str) -> Outcome:
    with sync_client(url, max_retries=0) as client:
        client.chat.completions.create(model="gpt-4o-mini", messages=asked("failing"))
    return []


def failing_async(url: str) -> Outcome:
    async def main() -> None:
        async with async_client(url, max_retries=0) as client:
            await client.chat.completions.create(model="gpt-4o-mini", messages=asked("failing async"), stream=True)

    asyncio.run(main())
    return []


def usual(name: str) -> Callable[[str], Outcome]:
    return lambda url: list(WAYS[name].run(url, messages=asked(name)))


RUNS: dict[str, tuple[Reply, Callable[[str], Outcome]]] = {
    **{name: (STREAMED if WAYS[name].streams else WHOLE, usual(name)) for name in CHOSEN},
    "stream helper": (stream(['{"text": ', '"你好!"}']), usual("stream helper")),
    "abandoned": (STREAMED, abandoned),
    "closed": (STREAMED, closed),
    "failing": (error(429, "slow down"), failing),
    "failing async": (error(400, "no"), failing_async),
}


def outcomes(server: ScriptedServer) -> dict[str, Outcome]:
    return {name: outcome(server, reply, run) for name, (reply, run) in RUNS.items()}


def outcome(server: ScriptedServer, reply: Reply, run: Callable[[str], Outcome]) -> Outcome:
    server.replies(reply)
    try:
        return run(server.url)
    except Exception as failure:
        return ["raised", type(failure).__name__, str(failure)]


class Theirs:
    """Another instrumentation, in and out."""

    def __init__(self, vendor: str) -> None:
        self.vendor = vendor
        self.leaving: Any = None

    def join(self) -> None:
        if self.vendor == "logfire":
            import logfire

            self.leaving = logfire.instrument_openai()
            self.leaving.__enter__()
        else:
            self.leaving = self._instrumentor()
            self.leaving.instrument(skip_dep_check=True)

    def leave(self) -> None:
        if self.vendor == "logfire":
            self.leaving.__exit__(None, None, None)
        else:
            self.leaving.uninstrument()

    def _instrumentor(self) -> Any:
        if self.vendor == "official":
            from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
        elif self.vendor == "openinference":
            from openinference.instrumentation.openai import OpenAIInstrumentor
        else:
            from opentelemetry.instrumentation.openai import OpenAIInstrumentor
        return OpenAIInstrumentor()


class Ours:
    def join(self) -> None:
        spantape.instrument(base_dir="records")

    def leave(self) -> None:
        assert spantape.flush()
        spantape.uninstrument()


class Said(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        logging.getLogger("spantape").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def set_up(vendor: str) -> None:
    if vendor == "logfire":
        import logfire

        logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
    else:
        trace.set_tracer_provider(TracerProvider())


def recorded(folder: str) -> list[dict[str, Any]]:
    assert spantape.flush()
    return spantape.recordings(folder).get_latest_interactions(1000)


def main(vendor: str, first: str, out_first: str) -> None:
    set_up(vendor)
    said, theirs = Said(), Theirs(vendor)
    both: dict[str, Any] = {"theirs": theirs, "ours": Ours()}
    found: dict[str, Any] = {}
    places = {owner: owner.__dict__["request"] for owner in (SyncAPIClient, AsyncAPIClient)}
    with ScriptedServer() as server:
        found["plain"] = outcomes(server)
        theirs.join()
        found["alone"] = outcomes(server)
        theirs.leave()
        found["they left"] = outcomes(server)
        for one in sorted(both, key=lambda name: name != first):
            both[one].join()
        found["together"] = outcomes(server)
        records = recorded("records")
        both[out_first].leave()
        outcome(server, WHOLE, usual("create"))  # the one call that may be missed: see docs/neighbours.md
        missed = len(recorded("records"))
        found["one left"] = outcomes(server)
        found["more records"] = len(recorded("records")) - missed
        both["ours" if out_first == "theirs" else "theirs"].leave()
        found["both left"] = outcomes(server)
    found["records"] = sorted(record["prompt"] for record in records)
    found["errors"] = sorted(record["prompt"] for record in records if not record["success"])
    found["logged"] = said.lines
    found["changed"] = [owner.__name__ for owner, was in places.items() if owner.__dict__["request"] is not was]
    print(json.dumps(found))  # noqa: T201


main(*sys.argv[1:])
