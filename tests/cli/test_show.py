"""One call: as a person reads it, and as something to send again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest
from cli_tree import FAILED, RECORDS, process, record, said, spantape, tree

import openai
import spantape as tape
from spantape.testing import ScriptedServer, error

SHOWN = """\
fa11ed00  429 ↻2  gpt-4o-mini (gpt-4o-mini-2024-07-18)  openai  2026-11-21 12:00:03  1.5s  session 5  user ada
why       openai.RateLimitError  429  rate  Error code: 429 - slow down
asked     temperature 0.3
from      app.ask  /srv/app.py:7  shop
trace     00000000000000000000000000000003  span 0000000000000003  request req_3

user      question 3
got       nothing
"""
FOLDED = """\
          … 2 messages as in 00000000
user      more
assistant answer 1
"""


def plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize("name", ["fa1", FAILED["id"], "last", "err", "last~0", "err~0"])
def test_a_call_by_its_name(name: str, folder: Path) -> None:
    assert plain(spantape("show", name, folder=folder)) == SHOWN


def test_only_what_is_new(folder: Path) -> None:
    assert plain(spantape("show", "last~2", "--diff", "prev", folder=folder)).endswith(FOLDED)


def test_only_what_is_new_since_any_call(folder: Path) -> None:
    told = plain(spantape("show", "00000001", "--diff", "00000000", folder=folder))
    assert told == plain(spantape("show", "00000001", "--diff", "prev", folder=folder))
    assert "messages as in" not in spantape("show", "00000001", "--diff", "err", folder=folder)
    assert process("show", "--diff", "ffff", folder=folder).returncode == 3


@pytest.mark.parametrize(("name", "code"), [("ffff", 3), ("last~9", 3), ("err~1", 3), ("0000", 2), ("last~x", 3)])
def test_a_name_that_names_none(name: str, code: int, folder: Path) -> None:
    done = process("show", name, folder=folder)
    assert done.returncode == code
    assert name in done.stderr


def test_raw_is_the_record(folder: Path) -> None:
    assert json.loads(spantape("show", "00000002", "--raw", folder=folder)) == RECORDS[2]


def test_the_answer_alone(tmp_path: Path) -> None:
    folder = tree(tmp_path, [record(1, response="So:\n```python\nprint(1)\n```\nThat is it.")])
    assert spantape("show", "-r", folder=folder) == "So:\n```python\nprint(1)\n```\nThat is it.\n"
    assert spantape("show", "-x", folder=folder) == "print(1)\n"
    assert process("show", "-x", "last", folder=tree(tmp_path / "none")).returncode == 3


def test_markdown(folder: Path) -> None:
    text = spantape("show", "00000002", "--as", "md", folder=folder)
    assert "**user** 选择一款产品 🙂" in text
    assert "**asked** tools get_weather" in text


@pytest.mark.parametrize(
    ("stage", "told"), [("started", "nothing yet: it runs"), ("interrupted", "nothing: its process died")]
)
def test_why_there_is_no_answer(stage: str, told: str, tmp_path: Path) -> None:
    open_call = record(1, response=None, success=None, status=None, metadata={"stage": stage})
    assert f"got       {told}\n" in spantape("show", folder=tree(tmp_path, [open_call]))


WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"杭州"}'}}
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
HI = [{"role": "user", "content": "hi"}]
CHATS: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": 'It\'s "quoted" $HOME `x` 你好'}], "temperature": 0.3},
    {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi", "name": "ada"}], "n": 2},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, PICTURE]}]},
    {
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        ],
        "tools": [WEATHER],
        "response_format": {"type": "json_object"},
    },
    {"messages": HI, "extra_body": {"top_k": 5, "chat-template": {"a": True}}},
    {"messages": HI, "stream": True, "stream_options": {"include_usage": True}},
]


@pytest.mark.parametrize("asked", CHATS)
@pytest.mark.parametrize("form", ["curl", "python", "request"])
def test_what_is_sent_again_is_what_was_sent(asked: dict[str, Any], form: str, tmp_path: Path) -> None:
    with ScriptedServer() as server:
        tape.instrument(base_dir=tmp_path)
        with openai.OpenAI(base_url=server.url, api_key="k") as client:
            answer = client.chat.completions.create(model="gpt-4o-mini", **asked)
            assert not asked.get("stream") or list(answer)
        tape.flush()
        sent = server.requests[-1].body
        again(form, tmp_path)
        if form != "request":
            assert server.requests[-1] is not server.requests[0]
            assert server.requests[-1].headers["authorization"] == "Bearer from-the-environment"
        assert (json.loads((tmp_path / "said").read_text()) if form == "request" else server.requests[-1].body) == sent


def again(form: str, folder: Path) -> None:
    """Run what the command gives."""
    if form == "request":
        (folder / "said").write_text(spantape("show", "--request", folder=folder))
        return
    text = spantape("show", "--as", form, folder=folder)
    key = {"OPENAI_API_KEY": "from-the-environment", "PATH": "/usr/bin:/bin"}
    if form == "curl":
        subprocess.run(["sh", "-c", text], env=key, check=True, capture_output=True, timeout=300)
        return
    with mock.patch.dict(os.environ, key):
        exec(text, {})


def test_a_stream_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer() as server:
        folder = tree(tmp_path, [record(1, request={"model": "m", "stream": True}, server=whereabouts(server.url))])
        again("python", folder)
    assert "ChatCompletionChunk(" in capsys.readouterr().out


def whereabouts(url: str) -> dict[str, Any]:
    found = urlsplit(url)
    return {"address": found.hostname, "port": found.port}


TEXT = "gpt-3.5-turbo-instruct"


@pytest.mark.parametrize("form", ["curl", "python"])
@pytest.mark.parametrize(
    "make",
    [
        lambda client: client.images.generate(model="gpt-image-1", prompt="a cat", n=2, size="1024x1024"),
        lambda client: client.audio.speech.create(model="tts-1", voice="alloy", input="say it", speed=1.5),
        lambda client: client.embeddings.create(model="e", input=["你好", "b"], dimensions=8, encoding_format="float"),
        lambda client: client.completions.create(model=TEXT, prompt="once", max_tokens=5, echo=True),
        lambda client: client.moderations.create(model="omni-moderation-latest", input="hi"),
    ],
)
def test_every_endpoint_that_can_be_sent_to_again(make: Any, form: str, tmp_path: Path) -> None:
    with ScriptedServer() as server:
        tape.instrument(base_dir=tmp_path)
        with openai.OpenAI(base_url=server.url, api_key="k") as client:
            make(client)
        tape.flush()
        again(form, tmp_path)
        first, second = server.requests
        assert (first.path, first.body) == (second.path, second.body)


def test_a_call_of_the_responses_api_that_failed(tmp_path: Path) -> None:
    sent = {"model": "no-such-model", "input": "hi", "max_output_tokens": 20, "reasoning": {"effort": "low"}}
    with ScriptedServer() as server:
        server.replies(error(404, "no such model"))
        tape.instrument(base_dir=tmp_path)
        with openai.OpenAI(base_url=server.url, api_key="k") as client, pytest.raises(openai.NotFoundError):
            client.post("/responses", body=sent, cast_to=object)
        tape.flush()
        again("curl", tmp_path)
        first, second = server.requests
    assert first.path == second.path
    assert second.body == {**sent, "input": HI}


@pytest.mark.parametrize("operation", ["transcription", "image_edit", "invoke_agent", "create_batch"])
@pytest.mark.parametrize("words", ["--request", "--as curl", "--as python"])
def test_what_cannot_be_sent_again(operation: str, words: str, tmp_path: Path) -> None:
    done = process("show", *words.split(), folder=tree(tmp_path, [record(1, operation=operation)]))
    assert done.returncode == 3
    assert f"a call of `{operation}` can't be sent again" in done.stderr


def test_one_limit_is_sent_once(tmp_path: Path) -> None:
    request = {"model": "m", "max_tokens": 5, "max_completion_tokens": 5}
    sent = json.loads(spantape("show", "--request", folder=tree(tmp_path, [record(1, request=request)])))
    assert "max_tokens" not in sent
    assert sent["max_completion_tokens"] == 5


@pytest.mark.parametrize(
    ("provider", "server", "url"),
    [
        (
            "dashscope",
            {"address": "dashscope.aliyuncs.com", "port": 443},
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ),
        ("zhipu", {"address": "open.bigmodel.cn", "port": 443}, "https://open.bigmodel.cn/api/paas/v4"),
        ("deepseek", {"address": "api.deepseek.com", "port": 443}, "https://api.deepseek.com/v1"),
        ("vllm", {"address": "::1", "port": 8000}, "http://[::1]:8000/v1"),
    ],
)
def test_where_it_is_sent(provider: str, server: dict[str, Any], url: str, tmp_path: Path) -> None:
    folder = tree(tmp_path, [record(1, provider=provider, server=server)])
    assert f"{url}/chat/completions" in spantape("show", "--as", "curl", folder=folder)
    assert f"base_url='{url}'" in spantape("show", "--as", "python", folder=folder)


@pytest.mark.parametrize(
    ("changed", "path", "body"),
    [
        ({"response_id": "resp_1"}, "/v1/responses", {"input": [{"role": "user", "content": "hi"}]}),
        ({"operation": "embeddings"}, "/v1/embeddings", {"input": "hi"}),
        ({"operation": "text_completion"}, "/v1/completions", {"prompt": "hi"}),
    ],
)
def test_other_endpoints(changed: dict[str, Any], path: str, body: dict[str, Any], tmp_path: Path) -> None:
    folder = tree(tmp_path, [record(1, messages=[said("user", "hi")], request={"model": "m"}, **changed)])
    assert f"https://api.openai.com{path} " in spantape("show", "--as", "curl", folder=folder)
    sent = json.loads(spantape("show", "--request", folder=folder))
    assert sent == {"model": "m", **body}
