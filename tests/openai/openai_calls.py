"""One call of each endpoint besides chat, and every way to make it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from openai_ways import async_client, sync_client

import openai

SAID = "no violence, 你好 🎉"


@dataclass(frozen=True)
class Case:
    """A method of the client as its path (`beta.threads.create_and_run`), its arguments, and what is to be seen."""

    path: str
    arguments: Mapping[str, Any]
    name: str
    prompt: str | None = None
    response: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


CASES: dict[str, Case] = {
    "embeddings": Case(
        "embeddings.create",
        {"model": "text-embedding-3-small", "input": ["one", SAID]},
        "embeddings text-embedding-3-small",
        prompt=f"one\n{SAID}",
        attributes={"gen_ai.embeddings.dimension.count": 8, "gen_ai.response.model": "text-embedding-3-small"},
    ),
    "completions": Case(
        "completions.create",
        {"model": "gpt-3.5-turbo-instruct", "prompt": SAID, "temperature": 0.5},
        "text_completion gpt-3.5-turbo-instruct",
        prompt=SAID,
        response=f" You said: {SAID}",
        attributes={"gen_ai.request.temperature": 0.5, "gen_ai.response.finish_reasons": ("stop",)},
    ),
    "moderations": Case(
        "moderations.create",
        {"model": "omni-moderation-latest", "input": SAID},
        "moderation omni-moderation-latest",
        prompt=SAID,
        response='"categories":["violence"]',
        attributes={"spantape.moderation.flagged": True, "gen_ai.response.id": "modr-1"},
    ),
    "decisions": Case(
        "decisions.create",
        {"model": "gpt-6-luna", "input": SAID, "questions": [{"type": "predicate", "instructions": "rude?"}]},
        "decision gpt-6-luna",
        prompt=SAID,
        response='"probability":0.5',
        attributes={"gen_ai.usage.output_tokens": 1},
    ),
    "batches": Case(
        "batches.create",
        {"input_file_id": "file-9", "endpoint": "/v1/embeddings", "completion_window": "24h"},
        "create_batch",
        response='"status":"validating"',
        attributes={"spantape.batch.id": "batch_1", "spantape.batch.input_file_id": "file-9"},
    ),
    "a batch": Case(
        "batches.retrieve",
        {"batch_id": "batch_7"},
        "fetch_batch",
        response='"status":"completed"',
        attributes={"spantape.batch.id": "batch_7", "spantape.batch.status": "completed"},
    ),
    "a batch cancelled": Case(
        "batches.cancel",
        {"batch_id": "batch_7"},
        "cancel_batch",
        response='"status":"cancelling"',
        attributes={"spantape.batch.id": "batch_7", "spantape.batch.status": "cancelling"},
    ),
    "a thread and its run": Case(
        "beta.threads.create_and_run",
        {"assistant_id": "asst_7", "thread": {"messages": [{"role": "user", "content": SAID}]}},
        "invoke_agent",
        prompt=SAID,
        attributes={"gen_ai.agent.id": "asst_7", "gen_ai.conversation.id": "thread_1", "spantape.run.status": "queued"},
    ),
    "a run": Case(
        "beta.threads.runs.create",
        {"thread_id": "thread_7", "assistant_id": "asst_7", "model": "gpt-4o"},
        "invoke_agent",
        attributes={"gen_ai.conversation.id": "thread_7", "gen_ai.request.model": "gpt-4o"},
    ),
    "tool outputs": Case(
        "beta.threads.runs.submit_tool_outputs",
        {"thread_id": "thread_7", "run_id": "run_7", "tool_outputs": [{"tool_call_id": "call_1", "output": SAID}]},
        "invoke_agent",
        prompt=SAID,
        attributes={"gen_ai.conversation.id": "thread_7"},
    ),
}


def resource(client: Any, path: str) -> Any:
    for part in path.split("."):
        client = getattr(client, part)
    return client


def there(path: str) -> bool:
    """Say whether this version of the client has a method."""
    with sync_client("http://127.0.0.1:9") as client:
        try:
            resource(client, path)
        except AttributeError:
            return False
        return True


def case(name: str) -> Case:
    found = CASES[name]
    if not there(found.path):
        pytest.skip(f"openai {openai.__version__} has no {found.path}")
    return found


def seen(result: Any) -> tuple[str, Any]:
    return type(result).__name__, result.model_dump(mode="json", by_alias=True)


def named(case: Case, between: str = "") -> tuple[str, str]:
    owner, _, method = case.path.rpartition(".")
    return f"{owner}{between}", method


def _create(client: Any, case: Case) -> Any:
    return seen(resource(client, case.path)(**case.arguments))


async def _async_create(client: Any, case: Case) -> Any:
    return seen(await resource(client, case.path)(**case.arguments))


def _raw(client: Any, case: Case) -> Any:
    owner, method = named(case, ".with_raw_response")
    raw = getattr(resource(client, owner), method)(**case.arguments)
    return type(raw).__name__, json.loads(raw.text), seen(raw.parse())


def _raw_unparsed(client: Any, case: Case) -> Any:
    owner, method = named(case, ".with_raw_response")
    raw = getattr(resource(client, owner), method)(**case.arguments)
    return type(raw).__name__, json.loads(raw.text)


async def _async_raw(client: Any, case: Case) -> Any:
    owner, method = named(case, ".with_raw_response")
    raw = await getattr(resource(client, owner), method)(**case.arguments)
    return type(raw).__name__, seen(raw.parse())


def _streaming(client: Any, case: Case) -> Any:
    owner, method = named(case, ".with_streaming_response")
    with getattr(resource(client, owner), method)(**case.arguments) as response:
        return type(response).__name__, seen(response.parse())


def _streaming_bytes(client: Any, case: Case) -> Any:
    owner, method = named(case, ".with_streaming_response")
    with getattr(resource(client, owner), method)(**case.arguments) as response:
        return type(response).__name__, json.loads(b"".join(response.iter_bytes()))


async def _async_streaming(client: Any, case: Case) -> Any:
    owner, method = named(case, ".with_streaming_response")
    async with getattr(resource(client, owner), method)(**case.arguments) as response:
        return type(response).__name__, seen(await response.parse())


MANNERS: dict[str, Callable[..., Any]] = {
    "create": _create,
    "async create": _async_create,
    "raw": _raw,
    "raw, never parsed": _raw_unparsed,
    "async raw": _async_raw,
    "streaming response": _streaming,
    "streaming response, bytes": _streaming_bytes,
    "async streaming response": _async_streaming,
}


def make(manner: str, case: Case, url: str, **options: Any) -> Any:
    """Make a call in one of the manners; gives what the application sees."""
    function = MANNERS[manner]
    if not asyncio.iscoroutinefunction(function):
        with sync_client(url, **options) as client:
            return function(client, case)

    async def main() -> Any:
        async with async_client(url, **options) as client:
            return await function(client, case)

    return asyncio.run(main())
