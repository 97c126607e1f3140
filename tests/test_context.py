"""`session(...)`: what a call belongs to, on the span and in the record, wherever the call is made."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import openai
import spantape
from recorded import Recorded
from spantape import context
from spantape.testing import ScriptedServer

ALL: dict[str, Any] = {
    "user_id": "u1",
    "agent_key": "agent",
    "conversation_id": "c1",
    "role_name": "产品专员",
    "step_id": 1,
    "round_index": 2,
    "topic": "选择一款产品 🎉",
}


@pytest.fixture
def ask(server: ScriptedServer) -> Iterator[Callable[[], None]]:
    http = openai.DefaultHttpxClient(verify=False)
    with openai.OpenAI(base_url=server.url, api_key="test", http_client=http) as client:
        yield (
            lambda: (
                client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
                and None
            )
        )


def who() -> tuple[str | None, str | None]:
    now = context.current()
    return now.session_id, now.user_id


def test_all_values_are_span_attributes_and_record_fields(recorded: Recorded, ask: Callable[[], None]) -> None:
    with spantape.session("5", **ALL, task_type="ask", tags=["a", "b"]):
        ask()
    attributes, record = recorded.attributes, recorded.record
    assert attributes["session.id"] == record["session_id"] == "5"
    assert attributes["user.id"] == record["user_id"] == "u1"
    assert attributes["gen_ai.conversation.id"] == record["conversation_id"] == "c1"
    for name in ("agent_key", "role_name", "step_id", "round_index"):
        assert attributes[f"spantape.{name}"] == record[name] == ALL[name]
    assert attributes["spantape.topic"] == record["metadata"]["session_topic"] == ALL["topic"]
    assert attributes["spantape.metadata"] == '{"task_type":"ask","tags":["a","b"]}'
    assert record["metadata"]["task_type"] == "ask"
    assert record["metadata"]["tags"] == ["a", "b"]


def test_nothing_is_set_outside(recorded: Recorded, ask: Callable[[], None]) -> None:
    with spantape.session("5", user_id="u1"):
        pass
    ask()
    assert not {"session.id", "user.id", "spantape.metadata"} & recorded.attributes.keys()
    assert recorded.record["session_id"] is None


def test_the_records_of_a_session_are_found_by_its_id(recorded: Recorded, ask: Callable[[], None]) -> None:
    with spantape.session(5):
        ask()
    assert recorded.records
    found = spantape.recordings(recorded.base_dir).get_session_interactions(5)
    assert [record["session_id"] for record in found] == ["5"]


def test_an_inner_session_adds_to_the_outer_one() -> None:
    with spantape.session("5", user_id="u1", topic="outer", a=1, b=1):
        with spantape.session(user_id="u2", step_id=0, b=2):
            inner = context.current()
        outer = context.current()
    assert (inner.session_id, inner.user_id, inner.topic, inner.step_id) == ("5", "u2", "outer", 0)
    assert inner.metadata == {"a": 1, "b": 2}
    assert (outer.user_id, outer.step_id, outer.metadata) == ("u1", None, {"a": 1, "b": 1})
    assert context.current() == context.Belonging()


def test_the_session_id_may_be_a_keyword_and_metadata_may_have_any_name() -> None:
    with spantape.session(session_id=7, self="me", function="f", metadata="m"):
        now = context.current()
    assert now.session_id == "7"
    assert now.metadata == {"self": "me", "function": "f", "metadata": "m"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [(3, 3), ("3a", "3a"), (0, 0), (True, "True"), (1.5, "1.5"), (2**80, str(2**80)), (-(2**80), str(-(2**80)))],
)
def test_numbers_stay_numbers_where_every_exporter_takes_them(given: object, kept: object) -> None:
    with spantape.session(step_id=given):
        assert context.current().step_id == kept


@pytest.mark.parametrize("given", [None, ""])
def test_an_empty_value_is_none(given: object) -> None:
    with spantape.session("5", user_id="u1"), spantape.session(given, user_id=given):
        assert who() == ("5", "u1")


def test_a_lone_surrogate_is_replaced() -> None:
    with spantape.session("a\ud800b", topic="\ud83d\ude00"):
        assert context.current().session_id == "a�b"
        assert context.current().topic == "😀"


def test_an_error_inside_goes_through_and_the_session_ends() -> None:
    with pytest.raises(ZeroDivisionError), spantape.session("5"):
        raise ZeroDivisionError
    assert who() == (None, None)


@pytest.mark.usefixtures("forgiving")
def test_a_value_that_can_not_be_read_harms_nobody() -> None:
    class Evil:
        def __str__(self) -> str:
            raise RuntimeError("no")

    with spantape.session("5"), spantape.session(user_id=Evil()):
        assert who() == ("5", None)
    assert who() == (None, None)


def test_one_session_entered_twice() -> None:
    session = spantape.session("5")
    with session, session:
        assert who() == ("5", None)
    assert who() == (None, None)
    with session:
        assert who() == ("5", None)


# --- decorator


@spantape.session("5", user_id="u1")
def decorated(times: int) -> list[Any]:
    """Docs."""
    return [who()] + (decorated(times - 1) if times else [])


def test_a_decorated_function() -> None:
    assert decorated(2) == [("5", "u1")] * 3
    assert (decorated.__name__, decorated.__doc__) == ("decorated", "Docs.")
    assert who() == (None, None)


def test_a_decorated_coroutine_function_run_many_times_at_once() -> None:
    @spantape.session(user_id="u1")
    async def work(number: int) -> tuple[Any, Any]:
        with spantape.session(number):
            await asyncio.sleep(0)
            return who()

    async def main() -> list[Any]:
        return await asyncio.gather(*(work(number) for number in range(5)))

    assert asyncio.run(main()) == [(str(number), "u1") for number in range(5)]


# --- tasks, threads, generators


def test_asyncio_tasks_inherit_and_do_not_disturb_each_other() -> None:
    seen: dict[int, list[Any]] = {}

    async def work(number: int) -> None:
        seen[number] = [who()]
        async with spantape.session(number):
            await asyncio.sleep(0)
            seen[number].append(who())
        seen[number].append(who())

    async def main() -> None:
        with spantape.session("outer", user_id="u1"):
            tasks = [asyncio.create_task(work(number)) for number in range(3)]
        assert who() == (None, None)
        await asyncio.gather(*tasks)  # a task belongs to where it was made, even when that session is over

    asyncio.run(main())
    assert seen == {number: [("outer", "u1"), (str(number), "u1"), ("outer", "u1")] for number in range(3)}


def test_threads_have_what_they_are_given() -> None:
    seen: list[Any] = []

    def work() -> None:
        with spantape.session(user_id="u2"):
            seen.append(who())
        seen.append(who())

    with spantape.session("5", user_id="u1"):
        for target in (work, functools.partial(contextvars.copy_context().run, work)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        asyncio.run(asyncio.to_thread(work))
    assert seen == [(None, "u2"), (None, None)] + [("5", "u2"), ("5", "u1")] * 2


def test_one_session_shared_by_two_threads() -> None:
    shared = spantape.session("5")
    inside, leave = threading.Barrier(2), threading.Barrier(2)
    seen: list[Any] = []

    def work() -> None:
        with shared:
            inside.wait(60)
            seen.append(who())
            leave.wait(60)
        seen.append(who())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen, key=str) == [("5", None), ("5", None), (None, None), (None, None)]


def test_sessions_left_in_another_order_than_entered() -> None:
    def steps(name: str) -> Iterator[None]:
        with spantape.session(name):
            yield

    first, second = steps("first"), steps("second")
    next(first), next(second)
    assert who() == ("second", None)
    first.close()  # type: ignore[attr-defined]
    assert who() == ("second", None)
    second.close()  # type: ignore[attr-defined]
    assert who() == (None, None)


def test_a_generator_closed_in_another_context() -> None:
    async def steps() -> AsyncIterator[None]:
        async with spantape.session("inside"):
            yield

    async def main() -> tuple[Any, Any]:
        running = steps()
        await asyncio.create_task(anext(running))  # type: ignore[arg-type]
        with spantape.session("mine"):
            await running.aclose()  # type: ignore[attr-defined]
            return who()

    assert asyncio.run(main()) == ("mine", None)


def test_an_exit_stack_may_close_in_any_order() -> None:
    outer, inner = spantape.session("outer"), spantape.session(user_id="inner")
    with contextlib.ExitStack() as stack:
        stack.enter_context(outer)
        inner.__enter__()
    assert who() == (None, "inner")
    inner.__exit__()
    inner.__exit__()
    assert who() == (None, None)


# --- metadata is the caller's, and may be anything


def test_metadata_of_any_kind(recorded: Recorded, ask: Callable[[], None], tmp_path: Path) -> None:
    class Secret:
        def __repr__(self) -> str:
            return "sk-secret"

    with spantape.session("5", client=Secret(), path=tmp_path, numbers={2}, deep={"a": [1, None]}, stage="mine"):
        ask()
    metadata = recorded.record["metadata"]
    assert metadata["client"] == "<Secret>"
    assert (metadata["numbers"], metadata["deep"]) == ([2], {"a": [1, None]})
    assert metadata["stage"] == "completed"
    assert "sk-secret" not in str(recorded.attributes)
