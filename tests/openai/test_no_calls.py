"""Listing models, files and the like is no call of a model: it makes no span, and gives what it gave without us."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from openai_calls import resource, there
from openai_ways import async_client, sync_client

import openai
from recorded import Recorded
from spantape.testing import Reply, ScriptedServer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PAGE: dict[str, Any] = {"object": "list", "data": [{"id": "x_1", "object": "thing"}], "has_more": False}
ONE = {"id": "x_1", "object": "thing", "created_at": 1}
OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "models.list": ({}, PAGE),
    "models.retrieve": ({"model": "gpt-4o"}, ONE),
    "models.delete": ({"model": "ft:x"}, ONE),
    "files.list": ({}, PAGE),
    "files.create": ({"file": ("a.jsonl", b"{}"), "purpose": "batch"}, ONE),
    "files.retrieve": ({"file_id": "file-1"}, ONE),
    "files.delete": ({"file_id": "file-1"}, ONE),
    "uploads.create": ({"bytes": 1, "filename": "a", "mime_type": "text/plain", "purpose": "batch"}, ONE),
    "batches.list": ({}, PAGE),
    "fine_tuning.jobs.list": ({}, PAGE),
    "fine_tuning.jobs.create": ({"model": "gpt-4o", "training_file": "file-1"}, ONE),
    "vector_stores.list": ({}, PAGE),
    "vector_stores.create": ({"name": "x"}, ONE),
    "vector_stores.search": ({"vector_store_id": "vs_1", "query": "x"}, PAGE),
    "vector_stores.file_batches.retrieve": ({"vector_store_id": "vs_1", "batch_id": "b"}, ONE),
    "evals.list": ({}, PAGE),
    "evals.runs.list": ({"eval_id": "e_1"}, PAGE),
    "containers.list": ({}, PAGE),
    "containers.create": ({"name": "x"}, ONE),
    "conversations.create": ({}, ONE),
    "conversations.items.list": ({"conversation_id": "conv_1"}, PAGE),
    "content_provenance_checks.create": ({"file": ("a.png", b"x")}, ONE),
    "chat.completions.list": ({}, PAGE),
    "beta.assistants.create": ({"model": "gpt-4o"}, ONE),
    "beta.threads.create": ({}, ONE),
    "beta.threads.retrieve": ({"thread_id": "t_1"}, ONE),
    "beta.threads.update": ({"thread_id": "t_1", "metadata": {}}, ONE),
    "beta.threads.messages.create": ({"thread_id": "t_1", "role": "user", "content": "hi"}, ONE),
    "beta.threads.messages.list": ({"thread_id": "t_1"}, PAGE),
    "beta.threads.runs.retrieve": ({"thread_id": "t_1", "run_id": "r_1"}, ONE),
    "beta.threads.runs.list": ({"thread_id": "t_1"}, PAGE),
    "beta.threads.runs.cancel": ({"thread_id": "t_1", "run_id": "r_1"}, ONE),
}


@pytest.fixture(params=OTHERS)
def path(request: pytest.FixtureRequest) -> str:
    if not there(request.param):
        pytest.skip(f"openai {openai.__version__} has no {request.param}")
    return request.param


def ask(server: ScriptedServer, path: str) -> tuple[str, Any]:
    arguments, answer = OTHERS[path]
    server.replies(Reply(answer))
    with sync_client(server.url) as client:
        result = resource(client, path)(**arguments)
        return type(result).__name__, result.model_dump(mode="json")


async def ask_async(server: ScriptedServer, path: str) -> tuple[str, Any]:
    arguments, answer = OTHERS[path]
    server.replies(Reply(answer))
    async with async_client(server.url) as client:
        result = await resource(client, path)(**arguments)
        return type(result).__name__, result.model_dump(mode="json")


def test_no_span_and_the_same_result(path: str, server: ScriptedServer, tmp_path: Path) -> None:
    bare = ask(server, path), asyncio.run(ask_async(server, path))
    recorded = Recorded(tmp_path)
    assert (ask(server, path), asyncio.run(ask_async(server, path))) == bare
    assert recorded.spans == []
    assert recorded.records == []


def test_pages_go_on(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(Reply(PAGE | {"has_more": True}), Reply(PAGE))
    with sync_client(server.url) as client:
        assert len(list(client.files.list())) >= 1
    assert recorded.spans == []
