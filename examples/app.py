"""A small application with LLM calls of every kind; of spantape it knows only `session`. See examples/demo.py."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import spantape

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tell the weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask(client: openai.OpenAI, question: str) -> str:
    """A plain call; the client retries it by itself when the server is busy."""
    messages: Any = [{"role": "system", "content": "You are a kind assistant."}, {"role": "user", "content": question}]
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0.3, max_tokens=60)
    return answer.choices[0].message.content or ""


def tell(client: openai.OpenAI, question: str) -> str:
    """A streamed call."""
    messages: Any = [{"role": "user", "content": question}]
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=messages, stream=True, max_tokens=60, stream_options={"include_usage": True}
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def use_a_tool(client: openai.OpenAI, question: str) -> str:
    """Two calls: the model asks for a tool, then answers with its result."""
    messages: list[Any] = [{"role": "user", "content": question}]
    tools: Any = [WEATHER]
    first = client.chat.completions.create(model="gpt-4o", messages=messages, tools=tools, max_tokens=60)
    wish = first.choices[0].message
    messages.append(wish)
    result = json.dumps({"weather": "晴 ☀️ 23°C"}, ensure_ascii=False)
    messages += [{"role": "tool", "tool_call_id": call.id, "content": result} for call in wish.tool_calls or []]
    return (
        client.chat.completions.create(model="gpt-4o", messages=messages, tools=tools, max_tokens=60)
        .choices[0]
        .message.content
        or ""
    )


async def ask_three_at_once(client: openai.AsyncOpenAI) -> list[str]:
    """Async calls, side by side, one of them streamed."""

    async def plain(question: str) -> str:
        messages: Any = [{"role": "user", "content": question}]
        answer = await client.chat.completions.create(model="gpt-4.1-mini", messages=messages, max_tokens=60)
        return answer.choices[0].message.content or ""

    async def streamed(question: str) -> str:
        messages: Any = [{"role": "user", "content": question}]
        stream = await client.chat.completions.create(
            model="gpt-4.1-mini", messages=messages, max_tokens=60, stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    return await asyncio.gather(plain("Name a river."), plain("写一句诗 🌸"), streamed("Count to three."))


def fail(client: openai.OpenAI) -> str:
    """A call that the server refuses."""
    try:
        client.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "Hello?"}])
    except openai.APIStatusError as error:
        return f"{type(error).__name__} {error.status_code}"
    return "the server took it"


def run(client: openai.OpenAI, asynchronous: openai.AsyncOpenAI) -> None:
    """Use the model in two sessions."""
    with spantape.session("5", user_id="ada", role_name="产品专员", topic="选择一款产品"):
        ask(client, "请用一句话介绍你自己 🙂")
        tell(client, "Tell me a short story about a tape recorder.")
        use_a_tool(client, "What is the weather in 杭州?")
    with spantape.session("support-42", user_id="grace", agent_key="helper"):
        asyncio.run(ask_three_at_once(asynchronous))
        fail(client)
