"""Chunks of chat completions: what servers send beside a text is folded, however the client gives it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from spantape.instrumentors.openai import chat
from spantape.instrumentors.openai.chat_chunks import Join

SAID = st.none() | st.sampled_from(["", "a", "你好"])
USAGE = st.none() | st.fixed_dictionaries({"prompt_tokens": st.just(7), "completion_tokens": st.integers(0, 9)})
CALLS = st.lists(
    st.fixed_dictionaries(
        {"index": st.integers(0, 1)},
        optional={
            "id": st.just("call_1"),
            "function": st.fixed_dictionaries({}, optional={"name": SAID, "arguments": SAID}),
        },
    ),
    max_size=2,
)
BESIDE = {"role": st.sampled_from(["assistant", None]), "reasoning_content": SAID, "refusal": SAID, "tool_calls": CALLS}
DELTA = st.one_of(
    st.fixed_dictionaries({"content": SAID}),
    st.fixed_dictionaries({"content": SAID, "reasoning_content": SAID}),
    st.fixed_dictionaries({}, optional={"content": SAID, **BESIDE}),
)
CHOICE = st.fixed_dictionaries(
    {"index": st.integers(0, 1), "delta": DELTA, "finish_reason": st.sampled_from([None, None, None, "stop"])},
    optional={"usage": USAGE, "native_finish_reason": st.none()},
)
WHOLE = {"id": st.just("c"), "model": st.just("m")}
CHUNK = st.fixed_dictionaries(
    {**WHOLE, "choices": st.lists(CHOICE, min_size=1, max_size=1) | st.lists(CHOICE, max_size=3)},
    optional={"usage": USAGE, "provider": st.just("p")},
)
EMPTY = st.fixed_dictionaries({"index": st.just(0), "delta": st.just({}), "finish_reason": st.none()})
GROQS = st.fixed_dictionaries(
    {**WHOLE, "choices": st.lists(EMPTY, max_size=1), "x_groq": st.fixed_dictionaries({"usage": USAGE})}
)
FIRST = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]}


def told(batches: Iterable[Iterable[Any]]) -> dict[str, Any]:
    join = Join()
    for batch in batches:
        join.add(batch)
    body = join.body()
    return {**chat.response(body), **chat.answered(body)}


@settings(max_examples=300)
@given(st.lists(CHUNK | GROQS, max_size=5))
def test_the_clients_objects_say_what_the_bare_json_says(more: list[dict[str, Any]]) -> None:
    chunks = [FIRST, *more]
    typed = [ChatCompletionChunk.construct(**chunk) for chunk in chunks]
    bare = told([chunks])
    assert told([typed]) == bare
    assert told([one] for one in typed) == bare
