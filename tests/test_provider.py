"""Whose provider a call's span comes from, whenever the application sets one; and what is given back at the end."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.util._once import Once

import openai
import spantape
from programs import left_open_at_exit, run
from spantape import provider as ours
from spantape.sinks.files import FileSpanExporter
from spantape.testing import ScriptedServer

Ask = Callable[..., Any]
Record = dict[str, Any]


@pytest.fixture(autouse=True)
def no_global_provider() -> Iterator[None]:
    """The process has no global provider; what a test sets is forgotten after it."""
    before = trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE
    forget()
    yield
    spantape.uninstrument()
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = before


def forget() -> None:
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, Once()


def replace(provider: Any) -> None:
    forget()
    trace.set_tracer_provider(provider)


@pytest.fixture
def ask(server: ScriptedServer) -> Iterator[Ask]:
    http = openai.DefaultHttpxClient(verify=False)
    with openai.OpenAI(base_url=server.url, api_key="test", http_client=http) as client:

        def create(text: str = "hi", **more: Any) -> Any:
            messages: Any = [{"role": "user", "content": text}]
            return client.chat.completions.create(model="gpt-4o-mini", messages=messages, **more)

        yield create


class App:
    """An application's provider, and what it has exported."""

    def __init__(self, **options: Any) -> None:
        resource = Resource.create({"service.name": "shop"})
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False, **options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.exporter.get_finished_spans()]

    @property
    def relays(self) -> list[Any]:
        found = self.provider._active_span_processor._span_processors
        return [one for one in found if isinstance(one, ours.Relay)]


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., None]:
    def instrument(**settings: Any) -> None:
        spantape.instrument(**({"base_dir": tmp_path / "records"} | settings))

    return instrument


def records(count: int) -> list[Record]:
    assert spantape.flush()
    found = spantape.recordings().get_latest_interactions(1000)[::-1]
    assert len(found) == count
    return found


# --- the application's own


def test_a_provider_set_before(app: App, start: Ask, ask: Ask) -> None:
    trace.set_tracer_provider(app.provider)
    start()
    with app.provider.get_tracer("shop").start_as_current_span("GET /") as request:
        ask()
    (record,) = records(1)
    assert app.names == ["chat gpt-4o-mini", "GET /"]
    assert record["trace_id"] == f"{request.get_span_context().trace_id:032x}"
    assert record["parent_span_id"] == f"{request.get_span_context().span_id:016x}"
    assert record["source"]["service"] == "shop"


def test_a_provider_set_after_instrument_and_after_the_first_call(app: App, start: Ask, ask: Ask) -> None:
    start()
    ask("first")
    trace.set_tracer_provider(app.provider)
    with app.provider.get_tracer("shop").start_as_current_span("GET /") as request:
        ask("second")
    first, second = records(2)
    assert (first["prompt"], second["prompt"]) == ("first", "second")
    assert first["trace_id"] != second["trace_id"] == f"{request.get_span_context().trace_id:032x}"
    assert ("service" in first["source"], second["source"]["service"]) == (False, "shop")
    assert app.names == ["chat gpt-4o-mini", "GET /"]


def test_a_provider_that_is_replaced(app: App, start: Ask, ask: Ask) -> None:
    trace.set_tracer_provider(app.provider)
    start()
    ask()
    other = App()
    replace(other.provider)
    ask()
    replace(app.provider)
    ask()
    assert (len(app.names), len(other.names)) == (2, 1)
    assert (len(app.relays), len(other.relays)) == (1, 1)
    records(3)


def test_no_global_provider_is_set_unasked(start: Ask, ask: Ask) -> None:
    start()
    ask()
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    records(1)


def test_the_global_provider_on_request(start: Ask, ask: Ask) -> None:
    start(global_provider=True)
    assert isinstance(trace.get_tracer_provider(), TracerProvider)
    with trace.get_tracer("shop").start_as_current_span("GET /") as request:
        ask()
    (record,) = records(1)
    assert record["trace_id"] == f"{request.get_span_context().trace_id:032x}"
    spantape.uninstrument()
    start(global_provider=True)
    ask()
    records(2)


def test_the_global_provider_is_not_taken_from_an_application_that_has_one(app: App, start: Ask, ask: Ask) -> None:
    trace.set_tracer_provider(app.provider)
    start(global_provider=True)
    ask()
    assert trace.get_tracer_provider() is app.provider
    assert app.names == ["chat gpt-4o-mini"]


def test_the_provider_that_is_given_wins(app: App, start: Ask, ask: Ask) -> None:
    other = App()
    trace.set_tracer_provider(other.provider)
    start(tracer_provider=app.provider, global_provider=True)
    ask()
    assert (app.names, other.names) == (["chat gpt-4o-mini"], [])
    records(1)


def test_the_stand_in_for_a_provider_to_come_is_none(app: App, start: Ask, ask: Ask) -> None:
    start(tracer_provider=trace.get_tracer_provider())
    ask()
    trace.set_tracer_provider(app.provider)
    ask()
    assert app.names == ["chat gpt-4o-mini"]
    records(2)


class Foreign(trace.TracerProvider):
    def get_tracer(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a provider that is left alone")


@pytest.mark.parametrize("how", ["global", "given"])
def test_a_foreign_provider_is_left_alone_with_one_warning(
    how: str, start: Ask, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    if how == "global":
        trace.set_tracer_provider(Foreign())
    with caplog.at_level(logging.WARNING):
        start(tracer_provider=Foreign() if how == "given" else None)
        ask()
        ask()
    assert caplog.messages == [
        "The TracerProvider is a Foreign, which takes no span processors; spantape records with its own"
    ]
    records(2)


def test_a_provider_that_can_not_be_hashed(app: App, start: Ask, ask: Ask) -> None:
    class Wrapper(trace.TracerProvider):
        """As a vendor's may be: a dataclass around the SDK's."""

        __hash__ = None  # type: ignore[assignment]

        def get_tracer(self, *arguments: Any, **more: Any) -> Any:
            return app.provider.get_tracer(*arguments, **more)

        def add_span_processor(self, processor: Any) -> None:
            app.provider.add_span_processor(processor)

    wrapper = Wrapper()
    trace.set_tracer_provider(wrapper)
    start()
    ask()
    ask()
    assert (len(app.names), len(app.relays)) == (2, 1)
    records(2)


# --- what is added to it


def test_instrument_again_on_the_same_provider(app: App, start: Ask, ask: Ask) -> None:
    trace.set_tracer_provider(app.provider)
    for _ in range(3):
        start()
        ask()
        spantape.uninstrument()
    start()
    records(3)
    assert len(app.relays) == 1
    assert len(app.names) == 3


def test_first_calls_of_many_threads_at_once(app: App, start: Ask, ask: Ask) -> None:
    start()
    trace.set_tracer_provider(app.provider)
    together = threading.Barrier(8)

    def call(_: int) -> None:
        together.wait(60)
        ask()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))
    assert len(app.relays) == 1
    assert len(app.names) == 8
    records(8)


def test_a_tracer_of_the_provider_before_is_never_kept(app: App, start: Ask, ask: Ask) -> None:
    """A thread that has begun to make the old provider's tracer while another one finds the new provider."""
    other = App()
    trace.set_tracer_provider(other.provider)
    start()
    made, found = threading.Event(), threading.Event()
    original = other.provider.get_tracer

    def slow(*arguments: Any, **more: Any) -> Any:
        made.set()
        assert found.wait(60)
        return original(*arguments, **more)

    other.provider.get_tracer = slow  # type: ignore[method-assign]
    thread = threading.Thread(target=ask)
    thread.start()
    assert made.wait(60)
    replace(app.provider)
    ask()
    found.set()
    thread.join()
    ask()
    assert (len(other.names), len(app.names)) == (1, 2)


def test_only_our_spans_are_looked_at(app: App, start: Ask, ask: Ask) -> None:
    trace.set_tracer_provider(app.provider)
    start()
    with app.provider.get_tracer("spantapes").start_as_current_span("theirs"):
        ask()
    records(1)


def test_a_provider_is_not_kept_alive_by_what_was_added_to_it() -> None:
    app = App()
    ours.join(app.provider, [])
    gone = weakref.ref(app.provider)
    del app
    gc.collect()
    assert gone() is None


def test_a_shutdown_of_the_application_writes_and_does_not_stop_the_recording(app: App, start: Ask, ask: Ask) -> None:
    trace.set_tracer_provider(app.provider)
    start(flush_interval=3600)
    ask()
    app.provider.shutdown()
    assert len(spantape.recordings().get_latest_interactions()) == 1
    ask()
    records(2)


def test_a_flush_of_the_application_writes(app: App, start: Ask, ask: Ask) -> None:
    trace.set_tracer_provider(app.provider)
    start(flush_interval=3600)
    ask()
    assert app.provider.force_flush()
    assert len(spantape.recordings().get_latest_interactions()) == 1


class Failing(SpanProcessor):
    def __init__(self, place: str) -> None:
        self.place = place

    def on_start(self, *_: Any, **__: Any) -> None:
        if self.place == "on_start":
            raise RuntimeError("the application's own")

    def on_end(self, span: Any) -> None:
        if self.place == "on_end":
            raise RuntimeError("the application's own")


@pytest.mark.usefixtures("forgiving")
@pytest.mark.parametrize("place", ["on_start", "on_end"])
@pytest.mark.parametrize("order", ["before", "after"])
def test_a_processor_of_the_applications_that_fails(
    place: str, order: str, start: Ask, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    app = App()
    trace.set_tracer_provider(app.provider)
    if order == "before":
        app.provider.add_span_processor(Failing(place))
    start()
    if order == "after":
        app.provider.add_span_processor(Failing(place))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert ask().choices[0].message.content == "You said: hi"
            list(ask(stream=True))
    assert len([line for line in caplog.records if line.name == "spantape"]) == 1
    if (place, order) != ("on_end", "before"):  # a span whose end the SDK does not tell us of is not known
        records(4)


@pytest.mark.usefixtures("forgiving")
def test_a_sampler_of_the_applications_that_fails(start: Ask, ask: Ask) -> None:
    class Broken(Sampler):
        def should_sample(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("the application's own")

        def get_description(self) -> str:
            return "broken"

    trace.set_tracer_provider(TracerProvider(sampler=Broken(), shutdown_on_exit=False))
    start()
    assert ask().choices[0].message.content == "You said: hi"
    records(1)


# --- what its sampler leaves out


def test_a_call_that_is_left_out_is_recorded_under_the_same_trace_id(start: Ask, ask: Ask) -> None:
    app = App(sampler=ParentBased(TraceIdRatioBased(0)))
    trace.set_tracer_provider(app.provider)
    start()
    with app.provider.get_tracer("shop").start_as_current_span("GET /") as request:
        assert not request.is_recording()
        ask()
    (record,) = records(1)
    assert record["trace_id"] == f"{request.get_span_context().trace_id:032x}"
    assert record["parent_span_id"] == f"{request.get_span_context().span_id:016x}"
    assert record["source"]["service"] == "shop"
    assert app.names == []


def test_each_provider_is_judged_by_its_own_sampler(start: Ask, ask: Ask) -> None:
    off, on = App(sampler=ALWAYS_OFF), App()
    trace.set_tracer_provider(off.provider)
    start(files=False)
    for app in (off, on, off, on):
        replace(app.provider)
        ask()
    assert (off.names, on.names) == ([], ["chat gpt-4o-mini"] * 2)


def test_a_root_that_is_left_out_has_no_made_up_parent(start: Ask, ask: Ask) -> None:
    app = App(sampler=ALWAYS_OFF)
    trace.set_tracer_provider(app.provider)
    start()
    ask()
    ask()
    first, second = records(2)
    assert first["parent_span_id"] is second["parent_span_id"] is None
    assert first["trace_id"] != second["trace_id"]
    assert app.names == []


def test_spans_below_a_call_that_is_left_out_are_left_out_too(start: Ask, server: ScriptedServer) -> None:
    app = App(sampler=ParentBased(TraceIdRatioBased(0)))
    trace.set_tracer_provider(app.provider)
    start()
    tracer = app.provider.get_tracer("http")
    seen: list[Any] = []

    def hook(_: Any) -> None:
        seen.append(trace.get_current_span().get_span_context())
        with tracer.start_as_current_span("POST") as span:
            seen.append(span.get_span_context())

    http = openai.DefaultHttpxClient(verify=False, event_hooks={"request": [hook]})
    with openai.OpenAI(base_url=server.url, api_key="test", http_client=http) as client:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    call, below = seen
    (record,) = records(1)
    assert record["trace_id"] == f"{call.trace_id:032x}" == f"{below.trace_id:032x}"
    assert not call.trace_flags.sampled
    assert not below.trace_flags.sampled
    assert app.names == []


def test_sampled_and_left_out_calls_side_by_side(start: Ask, ask: Ask) -> None:
    app = App(sampler=ParentBased(TraceIdRatioBased(0.5)))
    trace.set_tracer_provider(app.provider)
    start()
    for _ in range(40):
        ask()
    assert 0 < len(app.names) < 40
    assert {record["source"]["service"] for record in records(40)} == {"shop"}


def test_a_remote_parent_that_is_not_sampled_is_respected_without_a_provider(start: Ask, ask: Ask) -> None:
    start()
    context = trace.SpanContext(0x1234, 0x5678, is_remote=True, trace_flags=trace.TraceFlags(0))
    with trace.use_span(trace.NonRecordingSpan(context)):
        ask()
    assert records(1)[0]["trace_id"] == f"{0x1234:032x}"


# --- an exporter of ours that the application has set up


def test_an_exporter_of_the_applications_for_the_same_folder(app: App, start: Ask, ask: Ask, tmp_path: Path) -> None:
    app.provider.add_span_processor(BatchSpanProcessor(FileSpanExporter(tmp_path / "records")))
    trace.set_tracer_provider(app.provider)
    start()
    ask("first")
    records(1)
    app.provider.force_flush()
    by_date = "".join(file.read_text() for file in (tmp_path / "records" / "by_date").iterdir())
    assert by_date.count('"prompt":"first"') == 1
    spantape.uninstrument()
    tracer = app.provider.get_tracer("spantape.openai")
    tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"}).end()
    app.provider.force_flush()
    assert len(spantape.recordings(tmp_path / "records").get_latest_interactions()) == 2
    app.provider.shutdown()


def test_an_exporter_of_the_applications_for_another_folder(app: App, start: Ask, ask: Ask, tmp_path: Path) -> None:
    app.provider.add_span_processor(SimpleSpanProcessor(FileSpanExporter(tmp_path / "theirs")))
    trace.set_tracer_provider(app.provider)
    start()
    ask()
    theirs = spantape.recordings(tmp_path / "theirs").get_latest_interactions()
    assert [record["id"] for record in theirs] == [record["id"] for record in records(1)]


# --- instrument and uninstrument


def test_every_original_is_given_back(start: Ask, ask: Ask, app: App) -> None:
    base = openai._base_client
    owners = [base.SyncAPIClient, base.AsyncAPIClient, base.BaseClient]
    before = [dict(vars(owner)) for owner in owners]
    trace.set_tracer_provider(app.provider)
    start()
    assert vars(base.SyncAPIClient)["request"] is not before[0]["request"]
    ask()
    spantape.uninstrument()
    for owner, members in zip(owners, before, strict=True):
        assert vars(owner).keys() == members.keys()
        assert all(vars(owner)[name] is member for name, member in members.items())
    ask()
    assert len(app.names) == 1
    spantape.uninstrument()


def test_a_second_instrument_changes_nothing(start: Ask, ask: Ask, tmp_path: Path) -> None:
    start()
    patched = vars(openai._base_client.SyncAPIClient)["request"]
    start(base_dir=tmp_path / "elsewhere", capture_content=False)
    assert vars(openai._base_client.SyncAPIClient)["request"] is patched
    ask()
    assert records(1)[0]["prompt"] == "hi"
    assert not (tmp_path / "elsewhere").exists()


def test_one_line_says_what_where_and_where_to(start: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="spantape"):
        start()
        start()
    (line,) = caplog.records
    assert (line.name, line.levelno) == ("spantape", logging.INFO)
    said = line.getMessage()
    assert f"openai {openai.__version__}" in said
    assert str(tmp_path / "records") in said
    assert said.endswith("sends spans to nowhere")


def test_recordings_are_found_wherever_the_process_has_gone(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    spantape.instrument(base_dir="relative")
    ask()
    monkeypatch.chdir("/")
    records(1)


def test_without_files(start: Ask, ask: Ask, app: App, tmp_path: Path) -> None:
    trace.set_tracer_provider(app.provider)
    start(files=False)
    ask()
    assert spantape.flush()
    assert app.names == ["chat gpt-4o-mini"]
    assert not (tmp_path / "records").exists()


# --- at exit


@left_open_at_exit
@pytest.mark.parametrize("order", ["before", "after"])
def test_an_open_stream_reaches_the_application_and_the_files_at_exit(
    order: str, server: ScriptedServer, tmp_path: Path
) -> None:
    said = run(
        """
        import spantape
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

        def apm():
            provider = TracerProvider()
            provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
            trace.set_tracer_provider(provider)

        url, folder, order = sys.argv[1:]
        if order == "before":
            apm()
        spantape.instrument(base_dir=folder)
        if order == "after":
            apm()
        import openai
        client = openai.OpenAI(base_url=url, api_key="test")
        stream = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        next(stream)
        """,
        server.url,
        tmp_path / "records",
        order,
    )
    assert '"spantape.stream.end": "abandoned"' in said
    (record,) = spantape.recordings(tmp_path / "records").get_latest_interactions()
    assert record["metadata"]["stream_end"] == "abandoned"
