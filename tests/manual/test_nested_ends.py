"""A call by hand that a client tells: how it ends, and where it belongs."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from openai_ways import BODY, USAGE, async_client, sync_client

import openai
import spantape
from recorded import Recorded
from spantape.instrumentors._in_flight import in_flight
from spantape.testing import ScriptedServer, completion, error, response, stream

TOLD: dict[str, Any] = {"model": "gpt-4o-mini", "messages": "Hi"}
responses = pytest.mark.skipif(not hasattr(openai.OpenAI(api_key="k"), "responses"), reason="a newer openai has it")


class Own(BaseChatModel):
    """A model of the application's own, which calls openai."""

    client: Any

    @property
    def _llm_type(self) -> str:
        return "own"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        said = self.client.chat.completions.create(**BODY).choices[0].message.content
        return ChatResult(generations=[ChatGeneration(message=AIMessage(said))])


def test_it_belongs_where_the_call_by_hand_does(recorded: Recorded, server: ScriptedServer) -> None:
    with (
        sync_client(server.url) as client,
        spantape.session("outer", user_id="bob"),
        spantape.call(**TOLD, session_id="7", user_id="ada") as call,
        spantape.session("inner"),
    ):
        answer = client.chat.completions.create(**BODY)
    assert (recorded.record["session_id"], recorded.record["user_id"]) == ("7", "ada")
    assert spantape.finalize(answer, message_id=3) == call.id
    assert recorded.record["message_id"] == 3
    assert not (recorded.base_dir / "by_session" / "no_session").exists()


def test_a_session_inside_may_keep_less(recorded: Recorded, server: ScriptedServer) -> None:
    server.replies(completion("a secret"))
    with sync_client(server.url) as client, spantape.call(model="m"), spantape.session(capture="metadata"):
        client.chat.completions.create(**BODY)
    assert (recorded.record["response"], recorded.record["prompt"]) == (None, "")
    assert recorded.record["usage"]["total_tokens"]


def test_a_failure_that_nobody_speaks_of(recorded: Recorded, server: ScriptedServer) -> None:
    server.replies(error(500, "broken"))
    with sync_client(server.url, max_retries=0) as client, spantape.call(**TOLD):
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(**BODY)
        assert recorded.spans == []
    assert (recorded.record["success"], recorded.record["error"]["type"]) == (False, "openai.InternalServerError")


def test_a_failure_after_the_answer(recorded: Recorded, server: ScriptedServer) -> None:
    server.replies(completion("Hello"))
    with sync_client(server.url) as client, pytest.raises(ValueError, match="mine"), spantape.call(**TOLD):
        client.chat.completions.create(**BODY)
        raise ValueError("mine")
    assert (recorded.record["error"]["type"], recorded.record["response"]) == ("ValueError", "Hello")


@pytest.mark.parametrize("told", [ValueError("no good"), "no good"])
def test_a_failure_that_is_told(recorded: Recorded, server: ScriptedServer, told: Any) -> None:
    with sync_client(server.url) as client, spantape.call(**TOLD) as call:
        client.chat.completions.create(**BODY)
        call.fail(told)
        assert len(recorded.spans) == 1
    assert recorded.record["error"]["message"] == "no good"


@responses
def test_an_answer_that_tells_of_an_error(recorded: Recorded, server: ScriptedServer) -> None:
    server.replies(response("", status="failed", error={"message": "overloaded", "code": "server_error"}))
    with sync_client(server.url) as client, spantape.call(**TOLD):
        client.responses.create(model="gpt-4o-mini", input="Hi")
    assert (recorded.record["success"], recorded.record["error"]["message"]) == (False, "overloaded")


@responses
def test_another_endpoint_answered_by_hand(recorded: Recorded, server: ScriptedServer) -> None:
    server.replies(error(500, "broken"))
    with sync_client(server.url, max_retries=0) as client, spantape.call(**TOLD) as call:
        with pytest.raises(openai.InternalServerError):
            client.responses.create(model="gpt-4o-mini", input="Hi")
        call.finish("from the cache")
    assert (recorded.record["success"], recorded.record["response"]) == (True, "from the cache")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_is_no_exception_passes(recorded: Recorded, server: ScriptedServer, kind: type[BaseException]) -> None:
    async def main() -> None:
        async with async_client(server.url) as client, spantape.call(**TOLD):
            await client.chat.completions.create(**BODY)
            raise raised

    raised = kind()
    with pytest.raises(kind) as seen:
        asyncio.run(main()) if kind is asyncio.CancelledError else _raises(server, raised)
    assert seen.value is raised or kind is asyncio.CancelledError
    assert recorded.record["success"] is False


def _raises(server: ScriptedServer, raised: BaseException) -> None:
    with sync_client(server.url) as client, spantape.call(**TOLD):
        client.chat.completions.create(**BODY)
        raise raised


def test_a_raw_answer_that_is_read_after_the_block(recorded: Recorded, server: ScriptedServer) -> None:
    server.replies(completion("Hello"))
    with sync_client(server.url) as client:
        with spantape.call(**TOLD):
            answer = client.chat.completions.with_streaming_response.create(**BODY).__enter__()
        assert recorded.spans == []
        answer.read()
        answer.close()
    assert recorded.record["response"] == "Hello"


def test_a_stream_of_langchain_that_is_read_after_the_block(recorded: Recorded, server: ScriptedServer) -> None:
    langchain_openai = pytest.importorskip("langchain_openai")
    server.replies(stream(["Hel", "lo"], usage=True))
    model = langchain_openai.ChatOpenAI(model="gpt-4o-mini", base_url=server.url, api_key="test")
    with spantape.call(**TOLD) as call:
        pieces = model.stream("Hi")
        said = [next(pieces).content]
    assert recorded.spans == []
    said += [piece.content for piece in pieces]
    assert (recorded.record["id"], recorded.record["response"]) == (call.id, "".join(said))


@pytest.mark.parametrize("how", ["answers", "fails"])
def test_a_model_of_langchain_that_calls_openai(recorded: Recorded, server: ScriptedServer, how: str) -> None:
    server.replies(completion("Hello") if how == "answers" else error(500, "broken"))
    with sync_client(server.url, max_retries=0) as client, spantape.call(**TOLD) as call:
        if how == "answers":
            message = Own(client=client).invoke("Hi")
        else:
            with pytest.raises(openai.InternalServerError):
                Own(client=client).invoke("Hi")
            call.finish("Hello")
        client.chat.completions.create(**BODY)
    mine = next(record for record in recorded.records if record["id"] == call.id)
    assert (mine["success"], mine["response"], len(recorded.spans)) == (True, "Hello", 2)
    if how == "answers":
        assert mine["server"]["address"] == "127.0.0.1"
        assert spantape.finalize(message, message_id=1) == call.id


def test_a_block_in_a_model_of_langchain(recorded: Recorded, server: ScriptedServer) -> None:
    """The block is the nearer one; what it is in goes on."""

    class Inside(Own):
        def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
            with spantape.call(**TOLD) as call:
                ids.append(call.id)
                return super()._generate(*args, **kwargs)

    ids: list[Any] = []
    server.replies(completion("Hello", id="chatcmpl-9"))
    with sync_client(server.url) as client:
        Inside(client=client).invoke("Hi")
    told = {record["id"]: record["response_id"] for record in recorded.records}
    assert (len(told), told[ids[0]]) == (2, "chatcmpl-9")


def test_a_block_in_a_run_in_a_block(recorded: Recorded, server: ScriptedServer) -> None:
    def step(text: str) -> str:
        with spantape.call(**TOLD) as inner:
            client.chat.completions.create(**BODY)
            ids.append(inner.id)
        return text

    ids: list[Any] = []
    server.replies(completion("Hello", id="chatcmpl-9"))
    with sync_client(server.url) as client, spantape.call(**TOLD) as call:
        RunnableLambda(step).invoke("x")
    told = {record["id"]: record["response_id"] for record in recorded.records if record["operation"] == "chat"}
    assert told == {ids[0]: "chatcmpl-9", call.id: None}


def test_one_of_two_threads_tells_it(recorded: Recorded, server: ScriptedServer) -> None:
    with sync_client(server.url) as client, spantape.call(**TOLD) as call:
        ready = threading.Barrier(4)

        def ask() -> None:
            ready.wait()
            client.chat.completions.create(**BODY)

        threads = [threading.Thread(target=contextvars.copy_context().run, args=(ask,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    ids = [record["id"] for record in recorded.records]
    assert (len(ids), ids.count(call.id), len(recorded.spans)) == (4, 1, 4)


def test_nothing_stays_listed(recorded: Recorded, server: ScriptedServer) -> None:
    before = set(in_flight)
    held = [spantape.call(**TOLD) for _ in range(3)]
    with sync_client(server.url) as client, held[0]:
        client.chat.completions.create(**BODY)
    assert len(set(in_flight) - before) == 2
    held[1].finish("Hi")
    held[2].fail("no")
    assert set(in_flight) <= before


def test_a_block_that_is_open_at_exit(server: ScriptedServer, tmp_path: Path) -> None:
    program = f"""
import openai, spantape, threading
spantape.instrument(base_dir={str(tmp_path / "records")!r})
client = openai.OpenAI(base_url={server.url!r}, api_key="k")
told = threading.Event()
def run():
    with spantape.call(model="m", messages="Hi"):
        client.chat.completions.create(model="gpt-4o-mini", messages=[{{"role": "user", "content": "Hi"}}])
        told.set()
        threading.Event().wait()
threading.Thread(target=run, daemon=True).start()
told.wait()
"""
    server.replies(completion("Hello"))
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
    (record,) = spantape.recordings(tmp_path / "records").get_latest_interactions(10)
    assert (record["response"], record["success"], record["metadata"].get("stream_end")) == ("Hello", True, None)


def alive() -> int:
    gc.collect()
    return sum(type(thing) is spantape.call for thing in gc.get_objects())


@pytest.mark.parametrize("is_told", [True, False])
def test_nothing_of_it_is_kept(recorded: Recorded, server: ScriptedServer, is_told: bool) -> None:
    """An application may keep its newest call in a context, in which the next one begins."""
    kept: contextvars.ContextVar[Any] = contextvars.ContextVar("kept")
    before = alive()
    with sync_client(server.url) as client:
        for _ in range(10):
            kept.set(spantape.call(**TOLD))
            with kept.get() as call:
                if is_told:
                    client.chat.completions.create(**BODY)
                call.finish("Hi")
            del call
    assert alive() == before + 1
    kept.set(None)


def test_a_stream_that_is_left_in_the_block(recorded: Recorded, server: ScriptedServer) -> None:
    with sync_client(server.url) as client, spantape.call(**TOLD) as call:
        with client.chat.completions.create(**BODY, **USAGE) as chunks:
            next(iter(chunks))
        call.finish("told")
    assert recorded.record["metadata"]["stream_end"] == "closed"
    assert len(recorded.spans) == 1
