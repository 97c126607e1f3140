"""Requests that use all that can be asked, for the conformance test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openai_calls import Case, there
from openai_ways import BODY, SAID
from response_ways import BODY as ASKED

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
    {"role": "assistant", "content": None, "audio": {"id": "audio_1"}},
    {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{"}},
    {"role": "function", "name": "f", "content": "1"},
    {"role": "user", "content": [{"type": "novel", "thing": 1}]},
]
EVERYTHING: dict[str, Any] = {
    "n": 2,
    "seed": 7,
    "top_p": 0.5,
    "stop": ["a", "b"],
    "max_completion_tokens": 9,
    "service_tier": "flex",
    "frequency_penalty": 1,
    "presence_penalty": -1,
    "temperature": 0,
    "reasoning_effort": "low",
    "top_k": 3,
    "response_format": {"type": "json_object"},
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
    known = {name: more.pop(name) for name in ("messages", "tools", "functions") if name in more}
    return Case("chat.completions.create", {**BODY, **known, "extra_body": more}, "chat")  # old versions know not all


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
            top_p=0.5, max_output_tokens=9, reasoning={"effort": "low"}, service_tier="flex",
            previous_response_id="resp_0", text={"format": JSON_SCHEMA},
            extra_body={"conversation": {"id": "conv_1"}, "prompt": TEMPLATE},
        ),
        "responses with tools": _asked(tools=GIVEN),
        "a run with everything": Case(
            "beta.threads.runs.create",
            {
                "thread_id": "thread_7", "assistant_id": "asst_7", "model": "gpt-4o", "temperature": 0,
                "instructions": "be kind", "additional_instructions": "be short",
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
