"""`finalize(...)`: what is learned of a call after it has ended reaches its record, whoever tells it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai_ways import BODY, USAGE, async_client, http, sync_client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from sinks_tape import loaded

import openai
import spantape
from programs import run
from recorded import Recorded
from spantape.sinks.files import FileSpanExporter
from spantape.testing import ScriptedServer, completion

Way = Callable[[Any], Any]


def chunks(client: openai.OpenAI) -> Any:
    return list(client.chat.completions.create(**BODY, **USAGE))[-1]


def exhausted(client: openai.OpenAI) -> Any:
    stream = client.chat.completions.create(**BODY, **USAGE)
    list(stream)
    return stream


def raw_parsed(client: openai.OpenAI) -> Any:
    return client.chat.completions.with_raw_response.create(**BODY).parse()


def streaming_raw(client: openai.OpenAI) -> Any:
    with client.chat.completions.with_streaming_response.create(**BODY) as response:
        return response.parse()


def helper(client: openai.OpenAI) -> Any:
    completions = getattr(client.chat.completions, "stream", None) or client.beta.chat.completions.stream
    with completions(**{**BODY, "stream_options": {"include_usage": True}}) as stream:
        return stream.get_final_completion()


def parsed(client: openai.OpenAI) -> Any:
    return (getattr(client.chat.completions, "parse", None) or client.beta.chat.completions.parse)(**BODY)


WAYS: dict[str, Way] = {
    "object": lambda client: client.chat.completions.create(**BODY),
    "id": lambda client: client.chat.completions.create(**BODY).id,
    "mapping": lambda client: client.chat.completions.create(**BODY).model_dump(),
    "chunk": chunks,
    "stream": exhausted,
    "raw": lambda client: client.chat.completions.with_raw_response.create(**BODY),
    "raw parsed": raw_parsed,
    "streaming raw": streaming_raw,
    "helper": helper,
    "parsed": parsed,
    "responses": lambda client: client.responses.create(model="gpt-4o-mini", input="hi"),
    "embeddings, which have no id": lambda client: client.embeddings.create(model="text-embedding-3-small", input="x"),
    "a file": lambda client: client.audio.speech.create(model="tts-1", voice="alloy", input="x"),
}


@pytest.mark.parametrize("way", WAYS)
def test_by_what_the_client_gave(recorded: Recorded, server: ScriptedServer, way: str) -> None:
    with sync_client(server.url) as client:
        if way == "responses" and not hasattr(client, "responses"):
            pytest.skip("this openai has no responses")
        with spantape.session("5", user_id="ada", task="x"):
            answer = WAYS[way](client)
            gc.collect()
        key = spantape.finalize(answer, message_id=12, rating=5)
    record = recorded.record
    assert (record["id"], record["message_id"], record["session_id"], record["user_id"]) == (key, 12, "5", "ada")
    assert (
        record["metadata"] | {"stage": "finalized", "task": "x", "rating": 5, "finalized": True} == record["metadata"]
    )
    assert record["prompt"]


def test_async(recorded: Recorded, server: ScriptedServer) -> None:
    async def main() -> None:
        async with async_client(server.url) as client:
            spantape.finalize(await client.chat.completions.create(**BODY), "m1")

    asyncio.run(main())
    assert recorded.record["message_id"] == "m1"


def test_a_small_span_with_a_link(recorded: Recorded, server: ScriptedServer) -> None:
    with sync_client(server.url) as client:
        answer = client.chat.completions.create(**BODY)
    with trace.get_tracer("app", tracer_provider=recorded.provider).start_as_current_span("save") as saving:
        spantape.finalize(answer, message_id=12, step_id=3)
    call, amendment, _ = recorded.spans
    assert [link.context for link in amendment.links] == [call.context]
    assert amendment.parent.span_id == saving.get_span_context().span_id
    assert amendment.kind is trace.SpanKind.INTERNAL
    assert amendment.attributes["spantape.message_id"] == 12
    assert "gen_ai.operation.name" not in amendment.attributes
    assert "gen_ai.input.messages" not in amendment.attributes


def test_again_adds(recorded: Recorded, server: ScriptedServer) -> None:
    with sync_client(server.url) as client:
        answer = client.chat.completions.create(**BODY)
    spantape.finalize(answer, message_id=12, first=1)
    spantape.finalize(answer, second=2, topic="茶", user_id="bob")
    record = recorded.record
    assert (record["message_id"], record["user_id"]) == (12, "bob")
    assert record["metadata"] | {"first": 1, "second": 2, "session_topic": "茶"} == record["metadata"]
    for file in recorded.base_dir.rglob("*/*.json"):
        if file.parent.name != "real_time":
            assert loaded(file)[-1] == record  # last one wins


def test_a_failed_call_is_amended_among_the_errors_too(recorded: Recorded) -> None:
    with spantape.call(model="m", messages="hi") as call:
        call.fail("no")
    spantape.finalize(call.id, 9)
    assert [
        one["message_id"] for one in spantape.recordings(recorded.base_dir).get_error_interactions()
    ] == []  # not yet
    spantape.flush()
    assert [one["message_id"] for one in spantape.recordings(recorded.base_dir).get_error_interactions()] == [9]


def test_the_answer_is_neither_changed_nor_kept(recorded: Recorded, server: ScriptedServer) -> None:
    with sync_client(server.url) as client:
        answer = client.chat.completions.create(**BODY)
        plain, names = answer.model_dump(), set(vars(answer))
        spantape.finalize(answer, 1)
        assert (answer.model_dump(), set(vars(answer))) == (plain, names)
        gone = weakref.ref(answer)
        del answer
        gc.collect()
    assert gone() is None


def test_before_the_call_has_ended(recorded: Recorded, server: ScriptedServer) -> None:
    with sync_client(server.url) as client:
        stream = client.chat.completions.create(**BODY, **USAGE)
        next(stream)
        spantape.finalize(stream, message_id=4)
        assert spantape.flush()
        assert recorded.record["message_id"] == 4
        list(stream)
    record = recorded.record
    assert (record["message_id"], record["metadata"]["stage"]) == (4, "finalized")
    assert record["response"]


def shown(base_dir: Path) -> list[dict[str, Any]]:
    assert spantape.flush()
    return loaded(base_dir / "real_time" / "latest.json")


def test_it_shows_at_once(recorded: Recorded, server: ScriptedServer) -> None:
    with sync_client(server.url) as client:
        answer, other = (client.chat.completions.create(**BODY) for _ in range(2))
    before = shown(recorded.base_dir)
    spantape.finalize(answer, message_id=12, text="x" * 2000)
    spantape.finalize(other, message_id=13)
    spantape.finalize(other, rating=5)
    first, second = shown(recorded.base_dir)
    assert [one["metadata"]["stage"] for one in (*before, first, second)] == ["completed"] * 2 + ["finalized"] * 2
    assert (first["message_id"], second["message_id"], second["metadata"]["rating"]) == (12, 13, 5)
    assert len(first["metadata"]["text"]) < 1000
    assert first | {"message_id": None, "metadata": 0} == before[0] | {"metadata": 0}

    run(
        "import spantape\nspantape.finalize(sys.argv[1], message_id=14)",
        first["id"],
        SPANTAPE_BASE_DIR=str(recorded.base_dir),
    )
    assert [one["message_id"] for one in loaded(recorded.base_dir / "real_time" / "latest.json")] == [14, 13]


def test_from_another_process(recorded: Recorded, server: ScriptedServer) -> None:
    server.replies(completion("one", id="chatcmpl-far"), completion("two"))
    with sync_client(server.url) as client:
        client.chat.completions.create(**BODY)
        client.chat.completions.create(**BODY)
    first, second = recorded.records
    out = run(
        "import spantape\nfor key in sys.argv[1:]: print(spantape.finalize(key, message_id=key, by='worker'))",
        "chatcmpl-far",
        second["id"],
        SPANTAPE_BASE_DIR=str(recorded.base_dir),
        TZ="Pacific/Kiritimati",  # where it is tomorrow already
    )
    assert out.split() == [first["id"], second["id"]]
    assert len(list((recorded.base_dir / "by_date").iterdir())) == 1
    amended = recorded.records
    assert [one["message_id"] for one in amended] == ["chatcmpl-far", second["id"]]
    assert [one["metadata"]["by"] for one in amended] == ["worker", "worker"]
    assert [one["trace_id"] for one in amended] == [first["trace_id"], second["trace_id"]]
    assert [one["messages"] for one in amended] == [first["messages"], second["messages"]]


@pytest.mark.parametrize("streams", [False, True])
def test_by_the_message_of_langchain(recorded: Recorded, server: ScriptedServer, streams: bool) -> None:
    pytest.importorskip("spantape.instrumentors.langchain")
    from langchain_openai import ChatOpenAI

    with http() as client:
        model = ChatOpenAI(model="gpt-4o-mini", base_url=server.url, api_key="test", http_client=client)  # type: ignore[arg-type]
        message = [*model.stream("hi")][-1] if streams else model.invoke("hi")
    spantape.finalize(message, message_id=8)
    assert recorded.record["message_id"] == 8


def test_by_what_a_call_by_hand_was_finished_with(recorded: Recorded) -> None:
    class Answer:
        text = "ho"

    answer = Answer()
    spantape.call(messages="hi").finish(answer)
    spantape.finalize(answer, 5)
    assert recorded.record["message_id"] == 5


@pytest.mark.parametrize("thing", ["nobody's", object(), {"id": "nobody's"}, None])
def test_an_unknown_call_is_an_error_that_says_what_to_do(recorded: Recorded, thing: Any) -> None:
    with pytest.raises(spantape.QueryError, match="interaction's id"):
        spantape.finalize(thing, 1)
    assert recorded.spans == []


def test_where_calls_are_left_out_an_unknown_one_is_no_error(
    server: ScriptedServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spantape.instrument(files=False, tracer_provider=TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False))
    server.replies(completion(id="chatcmpl-left-out"))
    with sync_client(server.url) as client:
        answer = client.chat.completions.create(**BODY)
    assert spantape.finalize(answer, 1) is None
    assert "finalize()" in caplog.text


def test_what_a_sampler_leaves_out_is_amended_in_the_files(server: ScriptedServer, tmp_path: Path) -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    spantape.instrument(base_dir=tmp_path / "records", tracer_provider=provider)
    with sync_client(server.url) as client:
        spantape.finalize(client.chat.completions.create(**BODY), 7)
    assert spantape.flush()
    assert [one["message_id"] for one in spantape.recordings().get_latest_interactions()] == [7]


def test_a_call_that_was_not_chosen_gets_no_record(server: ScriptedServer, tmp_path: Path) -> None:
    spantape.instrument(base_dir=tmp_path / "records", sample_rate=0.000001)
    with sync_client(server.url) as client, spantape.session("5"):
        spantape.finalize(client.chat.completions.create(**BODY), 7)
    assert spantape.flush()
    assert spantape.recordings().get_latest_interactions() == []
    assert spantape.finalize("nobody's", 1) is None


def test_an_exporter_alone_writes_amendments(server: ScriptedServer, tmp_path: Path) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(FileSpanExporter(tmp_path / "records")))
    spantape.instrument(files=False, tracer_provider=provider)
    with sync_client(server.url) as client:
        spantape.finalize(client.chat.completions.create(**BODY), 7)
    assert [one["message_id"] for one in spantape.recordings(tmp_path / "records").get_latest_interactions()] == [7]


@pytest.mark.parametrize("metadata", ["a text", {1: 2}, [3]])
def test_metadata_that_is_none_costs_nothing_else(recorded: Recorded, metadata: Any) -> None:
    with spantape.call(model="small-1", messages="Hi", metadata=metadata) as call:
        call.finish("Hello")
    spantape.finalize(call.id, message_id=12, metadata=metadata)
    assert (recorded.record["message_id"], recorded.record["prompt"]) == (12, "Hi")


def test_the_newest_are_known_and_older_ones_are_found(
    recorded: Recorded, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spantape.instrumentors._ledger._MOST", 2)
    with sync_client(server.url) as client:
        answers = [client.chat.completions.create(**BODY) for _ in range(5)]
    records = recorded.records
    assert spantape.finalize(answers[0], 0) == records[0]["id"]
    assert spantape.finalize(answers[-1], 4) == records[-1]["id"]
    assert [one["message_id"] for one in recorded.records] == [0, None, None, None, 4]


def test_where_a_record_is_does_not_change(recorded: Recorded) -> None:
    with spantape.call(messages="hi", session_id="5") as call:
        call.finish("ho")
    spantape.finalize(call.id, 1, session_id="6")
    assert recorded.record["session_id"] == "5"


def test_a_session_counts_a_call_of_langchain_once(recorded: Recorded, server: ScriptedServer) -> None:
    pytest.importorskip("spantape.instrumentors.langchain")
    from langchain_core.runnables import RunnableLambda
    from langchain_openai import ChatOpenAI

    with http() as client, spantape.session("5") as session:
        model = ChatOpenAI(model="gpt-4o-mini", base_url=server.url, api_key="test", http_client=client)  # type: ignore[arg-type]
        (RunnableLambda(str.upper) | model).invoke("hi")
    assert session.summary["total_api_calls"] == 1
    assert session.summary["total_tokens"]


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_record_that_can_not_be_read_at_this_moment(
    recorded: Recorded, caplog: pytest.LogCaptureFixture, comes_back: bool
) -> None:
    """What is learned of it waits, or is counted as lost in the end."""
    with spantape.call(model="small-1", session_id="5") as call:
        call.finish("Hi!")
    assert spantape.flush()
    (file,) = (recorded.base_dir / "by_session" / "session_5").iterdir()
    file.rename(aside := file.with_name("aside"))
    file.mkdir()
    assert spantape.finalize(call.id, message_id=12) == call.id
    assert not spantape.flush(0.5)
    health = spantape.recordings(recorded.base_dir).get_health_status()
    assert (health["status"], health["lost"], file.name in health["last_error"]) == ("degraded", 0, True)
    if not comes_back:
        spantape.uninstrument()
        assert "spantape lost 1 records" in caplog.text
        return
    file.rmdir()
    aside.rename(file)
    assert recorded.record["message_id"] == 12
