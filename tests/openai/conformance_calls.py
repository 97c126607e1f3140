"""Every call that the conformance test makes, and what listens while it does."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import conformity
from made import Made
from openai_calls import CASES, MANNERS, Case, make, resource, there
from openai_ways import BODY, MESSAGES, SAID, WAYS, async_client, sync_client
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as logs_export
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler, SamplingResult
from response_ways import BODY as ASKED
from response_ways import HAS_RESPONSES
from response_ways import WAYS as RESPONSES

import spantape
from spantape.testing import Reply, Request, ScriptedServer, answers

Memory: Any = getattr(logs_export, "InMemoryLogRecordExporter", None) or logs_export.InMemoryLogExporter


class Looking(Sampler):
    """Takes every span, and remembers what was known of each when it was started."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def should_sample(  # type: ignore[override]
        self, parent_context: Any, trace_id: int, name: str, kind: Any = None, attributes: Any = None, *rest: Any, **more: Any
    ) -> SamplingResult:
        self.seen.append(dict(attributes or {}))
        return ALWAYS_ON.should_sample(parent_context, trace_id, name, kind, attributes)

    def get_description(self) -> str:
        return "looking"


class Listening:
    """Instruments, and listens in all three ways: spans, metrics under one set of names, events."""

    def __init__(self, names: str, *, content: bool) -> None:
        spantape.uninstrument()
        self.names, self.content = names, content
        self.sampler, self._memory, self.reader, self._logs = (
            Looking(), InMemorySpanExporter(), InMemoryMetricReader(), Memory()
        )  # fmt: skip
        tracers = TracerProvider(sampler=self.sampler, shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._memory))
        loggers = LoggerProvider(shutdown_on_exit=False)
        loggers.add_log_record_processor(logs_export.SimpleLogRecordProcessor(self._logs))
        spantape.instrument(
            files=False,
            tracer_provider=tracers,
            meter_provider=MeterProvider([self.reader], shutdown_on_exit=False),
            logger_provider=loggers,
            metrics=names,
            events=True,
            capture_content="SPAN_AND_EVENT" if content else "NO_CONTENT",
            estimate_usage=False,
        )

    @property
    def spans(self) -> list[Any]:
        return list(self._memory.get_finished_spans())

    def deviations(self, made: Made) -> list[str]:
        """Give all that deviates from the conventions in the spans, metrics and events of one call."""
        if len(self.spans) != 1 or len(self.sampler.seen) != 1:
            return [f"{len(self.spans)} spans"]
        (span,), made = self.spans, replace(made, content=self.content)
        events = [one.log_record for one in self._logs.get_finished_logs()]
        wrong = [*conformity.span(span, self.sampler.seen[0], made)]
        wrong += conformity.metrics(self._metrics(), span.attributes, made, self.names)
        if len(events) != (1 if conformity.operation(made.request).is_inference else 0):
            return [*wrong, f"{len(events)} events"]
        for event in events:
            wrong += conformity.event(event, span.attributes, span.context.span_id, content=self.content)
        return wrong

    def _metrics(self) -> dict[str, Any]:
        data = self.reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        return {metric.name: metric for scope in scopes for metric in scope.metrics}


def made(server: ScriptedServer, reply: Reply | None = None, **how: Any) -> Made:
    """Give the last call that the server was sent; it answers by itself unless it was told a reply."""
    request = server.requests[-1]
    return Made.of(request, reply or default_reply(request), **how)


def default_reply(request: Request) -> Reply:
    return answers.default_reply(request)


# --- every way

Call = Callable[[str], Any]

# What has no case of its own because it is made in more ways, or because only these tests need it whole.
FURTHER: Mapping[str, Case] = {
    "chat": Case("chat.completions.create", BODY, "chat gpt-4o-mini"),
    "responses": Case("responses.create", ASKED, "chat gpt-4o-mini"),
    "a response": Case("responses.retrieve", {"response_id": "resp_7"}, "fetch_response"),
    "a response cancelled": Case("responses.cancel", {"response_id": "resp_7"}, "cancel_response"),
    "a response compacted": Case("responses.compact", {"model": "gpt-4o-mini", "input": SAID}, "compact_response"),
    "tokens counted": Case("responses.input_tokens.count", {"model": "gpt-4o-mini", "input": SAID}, "count_tokens"),
}
EVERY: Mapping[str, Case] = {name: case for name, case in {**FURTHER, **CASES}.items() if there(case.path)}


def _in_manner(manner: str, case: Case) -> Call:
    return lambda url: make(manner, case, url)


CALLS: Mapping[str, Call] = {
    **{f"chat, {name}": way.run for name, way in WAYS.items()},
    **{f"responses, {name}": way.run for name, way in (RESPONSES if HAS_RESPONSES else {}).items()},
    **{
        f"{name}, {manner}": _in_manner(manner, case)
        for name, case in EVERY.items()
        for manner in MANNERS
        if name not in {"chat", "responses"}
    },
}
"""What can be called, by name: an endpoint with ways of its own is one more line."""


# --- streams, and how they are left: (the call, when its stream has begun) → how many chunks were taken

THREAD: Any = {"messages": [{"role": "user", "content": SAID}]}
STREAMS: Mapping[str, Case] = {
    name: case
    for name, case in {
        "chat": Case("chat.completions.create", BODY | {"stream": True}, "chat"),
        "chat with usage": Case(
            "chat.completions.create", BODY | {"stream": True, "stream_options": {"include_usage": True}}, "chat"
        ),
        "completions": Case(
            "completions.create", {"model": "gpt-3.5-turbo-instruct", "prompt": SAID, "stream": True}, "text_completion"
        ),
        "responses": Case("responses.create", ASKED | {"stream": True}, "chat"),
        "a response": Case("responses.retrieve", {"response_id": "resp_7", "stream": True}, "fetch_response"),
        "runs": Case(
            "beta.threads.create_and_run", {"assistant_id": "asst_7", "thread": THREAD, "stream": True}, "invoke_agent"
        ),
    }.items()
    if there(case.path)
}


def begin(client: Any, case: Case) -> Any:
    return resource(client, case.path)(**case.arguments)


def read(client: Any, case: Case) -> int:
    return len(list(begin(client, case)))


def drop(client: Any, case: Case) -> int:
    for _ in begin(client, case):
        break
    return 1


def leave(client: Any, case: Case) -> int:
    chunks = begin(client, case)
    for _ in range(3):
        next(chunks)
    chunks.close()
    return 3


def never_look(client: Any, case: Case) -> int:
    begin(client, case)
    return 0


LEAVING = (read, drop, leave, never_look)


def cancel(server: ScriptedServer, case: Case, reply: Reply, after: int) -> BaseException:
    """Cancel the task that reads a stream, once it has `after` chunks."""
    hold = threading.Event()
    server.replies(reply.but(hold=hold, hold_after=after))

    async def consume() -> None:
        async with async_client(server.url) as client:
            chunks = await begin(client, case)
            for _ in range(after):
                await chunks.__anext__()
            reached.set()
            await chunks.__anext__()

    async def main() -> BaseException:
        task = asyncio.create_task(consume())
        await asyncio.wait_for(reached.wait(), 10)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return asyncio.CancelledError()

    reached = asyncio.Event()
    error = asyncio.run(main())
    hold.set()
    return error


# --- rich requests and answers: (the case, the reply to it, or None for the server's own)

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
DATA = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
FILES = [
    {"type": "file", "file": {"file_id": "file-1"}},
    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
]
CALLED = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "杭州"}'}}
CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
FUNCTION = {"name": "weather", "description": "Tells it.", "parameters": {"type": "object", "properties": {}}}
TOOLS: list[Any] = [
    {"type": "function", "function": FUNCTION},
    {"type": "custom", "custom": {"name": "shell"}},
    {"type": "web_search"},  # compatible servers have such
]
HISTORY: list[Any] = [
    {"role": "developer", "content": [{"type": "text", "text": "be kind"}]},
    {"role": "user", "name": "Ada", "content": [{"type": "text", "text": SAID}, IMAGE, DATA, AUDIO, *FILES]},
    {"role": "assistant", "content": None, "tool_calls": [CALLED, CUSTOM]},
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "sunny"}]},
    {"role": "tool", "tool_call_id": "call_2", "content": "a b"},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    {"role": "assistant", "content": None, "audio": {"id": "audio_1"}, "function_call": {"name": "f", "arguments": "{"}},
    {"role": "function", "name": "f", "content": "1"},
    {"role": "user", "content": [{"type": "novel", "thing": 1}]},
]
EVERYTHING: dict[str, Any] = {
    **{"n": 2, "seed": 7, "top_p": 0.5, "stop": ["a", "b"], "max_completion_tokens": 9, "service_tier": "flex"},
    **{"frequency_penalty": 1, "presence_penalty": -1, "temperature": 0, "reasoning_effort": "low"},
    **{"extra_body": {"top_k": 3}, "response_format": {"type": "json_object"}},
}
PLAIN: list[Any] = [{"role": "user", "content": SAID}]
JSON_SCHEMA = {"type": "json_schema", "name": "a", "schema": {"type": "object", "required": ["x"], "properties": {}}}
ITEMS: list[Any] = [
    {"role": "developer", "content": "be kind"},
    {"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": SAID},
        {"type": "input_image", "image_url": "https://example.com/cat.png"},
        {"type": "input_image", "file_id": "file-3"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    ]},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gA"},
    {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    {"type": "custom_tool_call", "call_id": "call_2", "name": "shell", "input": "ls"},
    {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "a"}]},
    {"type": "computer_call", "id": "cc", "call_id": "call_3", "action": {"type": "click"}},
    {"type": "computer_call_output", "call_id": "call_3", "output": {"type": "computer_screenshot", "file_id": "f"}},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
    {"type": "mcp_call", "id": "m", "name": "t", "arguments": "{}", "output": "1", "server_label": "s"},
    {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAA"},
    {"type": "item_reference", "id": "msg_1"},
]  # fmt: skip
GIVEN: list[Any] = [
    {"type": "function", **FUNCTION},
    {"type": "web_search"},
    {"type": "mcp", "server_label": "s", "server_url": "https://example.com", "headers": {"authorization": "secret"}},
]
TEMPLATE = {"id": "pmpt_1", "version": "7", "variables": {"name": "Ada", "photo": {"type": "input_image"}}}


def _chat(**more: Any) -> Case:
    return Case("chat.completions.create", {**BODY, **more}, "chat")


def _asked(**more: Any) -> Case:
    return Case("responses.create", {**ASKED, **more}, "chat")


RICH: Mapping[str, Case] = {
    name: case
    for name, case in {
        "chat with everything": _chat(**EVERYTHING),
        "chat with a history": _chat(messages=HISTORY),
        "chat with tools": _chat(messages=PLAIN, tools=TOOLS, n=2),
        "chat with functions": _chat(functions=[FUNCTION]),
        "chat with a schema": _chat(
            response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": JSON_SCHEMA["schema"]}}
        ),
        "chat with speech": _chat(modalities=["text", "audio"], audio={"voice": "a", "format": "wav"}),
        "chat with one choice": _chat(n=1, service_tier="auto", stop="x", max_tokens=5),
        "completions of several": Case(
            "completions.create",
            {"model": "gpt-3.5-turbo-instruct", "prompt": [SAID, "b"], "n": 2, "stop": "x", "max_tokens": 5, "seed": 1},
            "text_completion",
        ),
        "completions of tokens": Case(
            "completions.create", {"model": "gpt-3.5-turbo-instruct", "prompt": [1, 2]}, "text_completion"
        ),
        "embeddings of tokens": Case(
            "embeddings.create",
            {"model": "text-embedding-3-small", "input": [[1, 2], [3]], "dimensions": 4, "encoding_format": "float"},
            "embeddings",
        ),
        "moderations of an image": Case(
            "moderations.create",
            {"model": "omni-moderation-latest", "input": [{"type": "text", "text": SAID}, IMAGE, DATA]},
            "moderation",
        ),
        "responses with items": _asked(input=ITEMS, tools=GIVEN),
        "responses with everything": _asked(
            **{"top_p": 0.5, "max_output_tokens": 9, "reasoning": {"effort": "low"}, "service_tier": "flex"},
            **{"previous_response_id": "resp_0", "text": {"format": JSON_SCHEMA}},
            extra_body={"conversation": {"id": "conv_1"}, "prompt": TEMPLATE},
        ),
        "responses with tools": _asked(tools=GIVEN),
        "a run with everything": Case(
            "beta.threads.runs.create",
            {
                **{"thread_id": "thread_7", "assistant_id": "asst_7", "model": "gpt-4o", "temperature": 0},
                **{"instructions": "be kind", "additional_instructions": "be short"},
                "tools": [{"type": "function", "function": FUNCTION}, {"type": "code_interpreter"}],
                "additional_messages": [
                    {"role": "user", "content": [
                        {"type": "text", "text": SAID},
                        {"type": "image_file", "image_file": {"file_id": "f"}},
                        IMAGE,
                    ]},
                ],
            },
            "invoke_agent",
        ),
    }.items()
    if there(case.path)
}  # fmt: skip
FAILURES = (400, 429, 500)


def manners_of(case: Case) -> dict[str, Case]:
    """Give a case as it is, and as a stream where it can be one."""
    streams = case.path in {"chat.completions.create", "responses.create", "completions.create"}
    streamed = replace(case, arguments={**case.arguments, "stream": True})
    return {"whole": case, "streamed": streamed} if streams else {"whole": case}
