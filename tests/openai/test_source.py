"""Where in the application a call was made, and how it ended."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai_ways import BODY, async_client, sync_client

import openai
from recorded import Recorded
from spantape.instrumentors import _source
from spantape.testing import Reply, ScriptedServer, completion, error

NAMED = sys.version_info >= (3, 11)


def ask(server: ScriptedServer) -> int:
    with sync_client(server.url, max_retries=0) as client:
        client.chat.completions.create(**BODY)
        return line() - 1


async def ask_async(server: ScriptedServer) -> int:
    async with async_client(server.url, max_retries=0) as client:
        await client.chat.completions.create(**BODY)
        return line() - 1


def ask_by_await(server: ScriptedServer) -> int:
    return asyncio.run(ask_async(server))


def ask_in_a_stream(server: ScriptedServer) -> int:
    with sync_client(server.url) as client:
        stream = client.chat.completions.create(**BODY, stream=True)
        here = line() - 1
        list(stream)
        return here


def line() -> int:
    return sys._getframe(1).f_lineno


@pytest.mark.parametrize("way", [ask, ask_by_await, ask_in_a_stream])
def test_function_file_and_line(way: Callable[[Any], int], server: ScriptedServer, recorded: Recorded) -> None:
    here = way(server)
    found = recorded.attributes
    assert found["code.file.path"] == __file__
    assert found["code.line.number"] == here
    name = "ask_async" if way is ask_by_await else way.__name__
    assert found["code.function.name"] == f"{__name__}.{name}"
    source = recorded.record["source"]
    assert (source["file"], source["line"]) == (__file__, here)


@pytest.mark.skipif(not NAMED, reason="Python 3.10 knows no qualified names")
def test_a_method_has_its_class(server: ScriptedServer, recorded: Recorded) -> None:
    class Shop:
        def ask(self) -> None:
            ask(server)

        def directly(self) -> None:
            with sync_client(server.url) as client:
                client.chat.completions.create(**BODY)

    Shop().directly()
    assert recorded.attributes["code.function.name"].endswith("<locals>.Shop.directly")


CALLING = "def buy(client, body):\n    client.chat.completions.create(**body)\n"


@pytest.mark.parametrize(("place", "is_the_applications"), [("src", True), ("site-packages", False)])
def test_a_package_of_the_applications_that_is_called_as_one_of_the_agents_sdk(
    place: str,
    is_the_applications: bool,
    server: ScriptedServer,
    recorded: Recorded,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / place / "agents").mkdir(parents=True)
    (tmp_path / place / "agents" / "__init__.py").write_text("")
    (tmp_path / place / "agents" / "shop.py").write_text(CALLING)
    monkeypatch.syspath_prepend(tmp_path / place)
    _source._kinds.clear()  # which of the two it is never changes in an application
    try:
        shop = importlib.import_module("agents.shop")
        with sync_client(server.url) as client:
            shop.buy(client, BODY)
    finally:
        for name in ("agents", "agents.shop"):
            sys.modules.pop(name, None)
        _source._kinds.clear()
    assert (recorded.attributes["code.function.name"] == "agents.shop.buy") is is_the_applications


def test_nobody_is_blamed_for_a_call_that_began_a_task(server: ScriptedServer, recorded: Recorded) -> None:
    async def main() -> None:
        async with async_client(server.url) as client:
            await asyncio.create_task(client.chat.completions.create(**BODY))

    asyncio.run(main())
    assert "code.file.path" not in recorded.attributes


def test_nor_for_one_that_began_a_thread(server: ScriptedServer, recorded: Recorded) -> None:
    with sync_client(server.url) as client:
        thread = threading.Thread(target=client.chat.completions.create, kwargs=BODY)
        thread.start()
        thread.join()
    assert "code.file.path" not in recorded.attributes


def test_off_by_setting(server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, capture_source=False)
    ask(server)
    assert not [key for key in recorded.attributes if key.startswith("code.")]


def fails(server: ScriptedServer, reply: Any, expected: type[BaseException], **options: Any) -> None:
    server.replies(reply)
    with sync_client(server.url, max_retries=0, **options) as client, pytest.raises(expected):
        client.chat.completions.create(**BODY)


def test_status_success(server: ScriptedServer, recorded: Recorded) -> None:
    ask(server)
    assert recorded.record["status"] == "success"


def test_status_failed_with_the_providers_words(server: ScriptedServer, recorded: Recorded) -> None:
    body = {"error": {"message": "no more", "type": "insufficient_quota", "code": "insufficient_quota", "param": None}}
    fails(server, error(429, "no more").but(body=body), openai.RateLimitError)
    record = recorded.record
    assert record["status"] == "failed"
    assert record["error"]["code"] == "insufficient_quota"
    assert record["error"]["provider_type"] == "insufficient_quota"
    assert record["error"]["status_code"] == 429
    assert record["error"]["type"] == "openai.RateLimitError"


def test_a_code_that_is_a_number(server: ScriptedServer, recorded: Recorded) -> None:
    fails(server, error(400, "x").but(body={"error": {"code": 1261, "message": "x"}}), openai.BadRequestError)
    assert recorded.record["error"]["code"] == "1261"


def test_status_timeout(server: ScriptedServer, recorded: Recorded) -> None:
    fails(server, completion("late").but(hold=threading.Event()), openai.APITimeoutError, timeout=0.2)
    assert recorded.record["status"] == "timeout"
    assert recorded.record["success"] is False


def test_status_cancelled(server: ScriptedServer, recorded: Recorded) -> None:
    server.replies(completion("late").but(hold=threading.Event()))

    async def main() -> None:
        async with async_client(server.url) as client:
            task = asyncio.ensure_future(client.chat.completions.create(**BODY))
            await asyncio.to_thread(server.wait_for, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert recorded.record["status"] == "cancelled"


def test_replies_are_what_they_say() -> None:
    assert isinstance(completion("x"), Reply)
