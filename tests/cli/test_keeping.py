"""What keeps the records in order: clean, backup, push, status; and the prices."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from cli_terminal import terminal
from cli_tree import RECORDS, process, record, spantape, tree

import spantape as tape
from receivers import http_receiver

YOUNG = {f"SPANTAPE_{name}RETENTION_DAYS": "15000" for name in ("", "DATE_", "ERROR_")}


def test_clean_says_first_what_it_would_do(tmp_path: Path) -> None:
    folder = tree(tmp_path, [record(1, timestamp="2020-01-01T12:00:00+08:00")])
    old = folder / "by_session" / "session_5" / "1970-01-02.json"
    (folder / "by_session" / "session_5" / "2026-11-21.json").rename(old)
    plan = json.loads(spantape("clean", "--dry-run", "-o", "json", folder=folder, **YOUNG))
    assert [(each["action"], each["path"]) for each in plan] == [("delete", "by_session/session_5/1970-01-02.json")]
    done = process("clean", folder=folder, **YOUNG)
    assert done.stderr.endswith("nothing was done: give --force to do it\n")
    assert old.exists()
    assert spantape("clean", "--force", folder=folder, **YOUNG)
    assert not old.exists()
    assert process("clean", folder=folder, **YOUNG).stderr == "nothing to do\n"


def test_backup(folder: Path, tmp_path: Path) -> None:
    told = spantape("backup", str(tmp_path / "copy"), folder=folder)
    assert told.endswith(f": {tmp_path / 'copy'}\n")
    assert re.match(r"4 files, [1-9][\d.]* kB: ", told)
    assert json.loads(spantape("ls", "-o", "json", "--dir", str(tmp_path / "copy"), folder=folder)) == RECORDS[::-1]
    assert process("backup", str(folder), folder=folder).returncode == 1


def test_status(folder: Path) -> None:
    told = spantape("status", folder=folder)
    assert "health    healthy\n" in told
    assert "calls     4, 1 failed\n" in told
    assert "cost      $0.00081\n" in told
    assert "running   0\n" in told
    (told,) = json.loads(spantape("status", "-o", "json", folder=folder))
    assert (told["total_interactions"], told["status"], told["cost"]) == (4, "healthy", {"USD": 0.00081})


def test_an_unhealthy_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write to what is closed
    done = process("status", folder=tmp_path)
    assert done.returncode == 4
    assert f"unhealthy · {tmp_path} can't be written to" in done.stdout


def test_columns_are_given_where_they_are_asked_for(folder: Path) -> None:
    assert spantape("status", "--fields", "total_interactions", folder=folder) == "total_interactions\n4\n"
    assert spantape("session", "5", "-n", "1", "--fields", "model", folder=folder) == "model\ngpt-4o-mini\n"
    assert spantape("doctor", "--fields", "about", folder=folder).startswith("about\npython\n")


@pytest.mark.parametrize("words", ["export no/such/folder.json", "backup prices.json/copy"])
def test_what_the_system_refuses(words: str, folder: Path) -> None:
    """It is told in a line, without a traceback."""
    (folder.parent / "prices.json").touch()
    done = process(*words.replace("prices", "../prices").split(), folder=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("spantape: ")
    assert done.stderr.count("\n") == 1


def test_push(tmp_path: Path) -> None:
    tape.instrument(base_dir=tmp_path, traces=True)
    with tape.call(provider="mine", model="m", messages=[{"role": "user", "content": "hi"}]) as call:
        call.finish(response="hello")
    tape.flush()
    tape.uninstrument()
    with http_receiver() as receiver:
        told = spantape("push", "--endpoint", receiver.url, folder=tmp_path)
        assert told == "1 spans sent, 0 refused, 0 lines that could not be read\n"
        assert spantape("push", "--endpoint", receiver.url, folder=tmp_path).startswith("0 spans sent")
        assert spantape("push", "--force", "--endpoint", receiver.url, folder=tmp_path).startswith("1 spans sent")
        assert len(receiver.spans) == 2


def test_push_needs_a_place(folder: Path) -> None:
    done = process("push", folder=folder)
    assert done.returncode == 1
    assert "give an endpoint" in done.stderr


def test_a_price(folder: Path) -> None:
    (found,) = json.loads(spantape("prices", "find", "gpt-4o-mini", "-o", "json", folder=folder))
    assert (found["input"], found["output"], found["currency"]) == (0.15, 0.6, "USD")
    assert found["source"].startswith("genai-prices@")
    assert "$0.15" in terminal("prices", "find", "gpt-4o-mini", folder=folder)
    regional = ("prices", "find", "qwen-plus", "--provider", "dashscope", "--server", "dashscope.aliyuncs.com")
    assert {each["currency"] for each in json.loads(spantape(*regional, "-o", "json", folder=folder))} == {"CNY"}
    by_answer = ("prices", "find", "glm-4.6", "--provider", "zhipu", "--server", "open.bigmodel.cn")
    assert "answer ≤ 199" in terminal(*by_answer, folder=folder)
    assert process("prices", "find", "no-such-model", folder=folder).returncode == 3


def test_own_prices_come_first(folder: Path) -> None:
    own = folder / "prices.json"
    row = {"model": "mine", "input_price_per_1k": 1, "output_price_per_1k": 2, "currency": "CNY", "source": "us"}
    own.write_text(json.dumps([row]))
    first, *others = json.loads(spantape("prices", "list", "-o", "json", folder=folder, SPANTAPE_PRICES=str(own)))
    assert (first["model"], first["input"], first["currency"], first["source"]) == ("mine", 1000.0, "CNY", "us")
    assert len(others) > 50
    named = json.loads(spantape("prices", "list", "-q", "doubao", "-o", "json", folder=folder))
    assert {each["model"].partition("-")[0] for each in named} == {"doubao"}


@pytest.mark.parametrize("price", [0.3, 0.15])
def test_recorded_calls_are_priced_anew(price: float, folder: Path) -> None:
    own = folder / "prices.json"
    own.write_text(json.dumps([{"model": "gpt-4o-mini*", "input_price_per_1m": price, "output_price_per_1m": 0.6}]))
    done = process("prices", "recalc", "-o", "json", "--model", "gpt-4o-mini", folder=folder, SPANTAPE_PRICES=str(own))
    assert done.returncode == 0, done.stderr
    changed = json.loads(done.stdout or "[]")
    assert [each["difference"] for each in changed] == ([0.00015] * 2 if price == 0.3 else [])
    assert done.stderr.startswith(f"{len(changed)} of 3 calls: $0.00054 → ")
