"""One call: as a person reads it, and as something to send again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cli_tree import FAILED, RECORDS, process, record, said, spantape, tree

import openai
import spantape as tape
from spantape.testing import ScriptedServer

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
]


@pytest.mark.parametrize("asked", CHATS)
@pytest.mark.parametrize("form", ["curl", "python", "request"])
def test_what_is_sent_again_is_what_was_sent(asked: dict[str, Any], form: str, tmp_path: Path) -> None:
    with ScriptedServer() as server:
        tape.instrument(base_dir=tmp_path)
        with openai.OpenAI(base_url=server.url, api_key="k") as client:
            client.chat.completions.create(model="gpt-4o-mini", **asked)
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
