"""Prompts and responses at rest: unreadable without the key, and all else as it was."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from sinks_tape import Tape, files, loaded, messages, until

import openai
import spantape
from spantape.errors import SealError, SettingError
from spantape.filter import Filter
from spantape.settings import Settings
from spantape.sinks.files import FileSpanExporter, Recordings
from spantape.testing import ScriptedServer, completion

SECRET = "the launch codes"
OTHER = "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q="
KEY = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U="


def test_a_key_that_is_none() -> None:
    for key in ("short", KEY[:-4], f"{KEY},x", 5, ["x"]):
        with pytest.raises(SettingError, match="generate_key") as raised:
            Settings.load(encryption_key=key)
        assert "short" not in str(raised.value)


def test_no_one_sees_a_key(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SPANTAPE_ENCRYPTION_KEY", f"{KEY}, {OTHER}")
    settings = Settings.load()
    assert [key.encode() for key in settings.encryption_key] == [KEY.encode(), OTHER.encode()]
    shown = f"{settings} {settings!r} {settings.encryption_key[0]} {list(map(str, settings.encryption_key))}"
    assert KEY not in shown + caplog.text
    assert OTHER not in shown


def test_a_file_of_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{OTHER}\n")
    settings = Settings.load(encryption_key=KEY, encryption_key_file=file)
    assert [key.encode() for key in settings.encryption_keys()] == [KEY.encode(), OTHER.encode()]
    for text in ("", "short\n"):
        file.write_text(text)
        with pytest.raises(SettingError, match="encryption_key_file"):
            settings.encryption_keys()
    file.unlink()
    with pytest.raises(SettingError, match="can't be read"):
        settings.encryption_keys()


def test_without_the_package(base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography.fernet", None)
    with pytest.raises(SettingError, match=r"pip install 'spantape\[encryption\]'"):
        spantape.instrument(base_dir=base_dir, encryption_key=KEY)
    assert not base_dir.exists()


@pytest.fixture
def sealed(taped: Callable[..., Tape]) -> Tape:
    pytest.importorskip("cryptography")
    return taped(encryption_key=KEY)


def reader(base_dir: Path, *keys: str) -> Recordings:
    return Recordings(base_dir, settings=Settings.load(encryption_key=",".join(keys) or None))


def test_nothing_of_it_is_on_disk(sealed: Tape, server: ScriptedServer) -> None:
    server.replies(completion(SECRET[::-1]))
    spantape.instrument(base_dir=sealed.base_dir, encryption_key=KEY)
    with openai.OpenAI(base_url=server.url, api_key="test") as client, spantape.session("5"):
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": SECRET}])
    running = sealed.start("5", SECRET)
    sealed.call("5", SECRET, error="Oops")
    sealed.flush()
    assert spantape.flush()

    data = b"".join(path.read_bytes() for path in sealed.base_dir.rglob("*") if path.is_file())
    assert SECRET.encode() not in data
    assert SECRET[::-1].encode() not in data
    assert any((sealed.base_dir / "real_time" / "processes").glob("*.calls"))
    record = spantape.recordings().get_session_interactions("5")[0]
    assert (record["prompt"], record["response"]) == (SECRET, SECRET[::-1])
    assert record["messages"][0]["parts"][0]["content"] == SECRET
    assert record["usage"]["total_tokens"] > 0
    running.end()


def test_without_a_key_all_else_is_there(sealed: Tape) -> None:
    span_id = sealed.call("5", SECRET, **{"gen_ai.output.messages": messages("yes"), "gen_ai.usage.input_tokens": 5})
    sealed.flush()
    (record,) = reader(sealed.base_dir).get_session_interactions("5")
    assert record == loaded(sealed.date_file)[0]
    assert (record["span_id"], record["usage"]) == (span_id, {"input_tokens": 5})
    assert record["performance_metrics"]["prompt_length"] == len(SECRET)
    assert set(record["prompt"]) == set(record["messages"]) == {"encrypted"}
    for keys in ((), (OTHER,)):
        assert reader(sealed.base_dir, *keys).get_statistics()["total_interactions"] == 1


def test_a_wrong_key_is_said_and_loses_nothing(sealed: Tape) -> None:
    sealed.call("5", SECRET)
    sealed.flush()
    before = {file: file.read_bytes() for file in files(sealed.base_dir)}
    for read in (Recordings.get_latest_interactions, lambda recordings: recordings.get("last")):
        with pytest.raises(SealError, match="no key of encryption_key opens the prompt of record"):
            read(reader(sealed.base_dir, OTHER))
    assert {file: file.read_bytes() for file in files(sealed.base_dir)} == before
    assert reader(sealed.base_dir, KEY).get_latest_interactions()[0]["prompt"] == SECRET


def test_keys_that_follow_one_another(sealed: Tape) -> None:
    """The first one writes, all of them read; what was written before there was a key is read as it is."""
    FileSpanExporter(sealed.base_dir).export([])
    sealed.call("5", "one")
    sealed.flush()
    newer = Tape(sealed.base_dir, encryption_key=f"{OTHER},{KEY}")
    newer.call("5", "the second")  # a space: base64 cannot spell it by chance
    newer.close()
    plain = Tape(sealed.base_dir)
    plain.call("5", "three")
    plain.close()

    found = reader(sealed.base_dir, OTHER, KEY).get_session_interactions("5")
    assert [record["prompt"] for record in found] == ["one", "the second", "three"]
    assert "the second" not in sealed.date_file.read_text()
    with pytest.raises(SealError):
        reader(sealed.base_dir, KEY).get_session_interactions("5")


def test_what_is_learned_later_is_written_without_reading_what_was_said(base_dir: Path) -> None:
    spantape.instrument(base_dir=base_dir, encryption_key=KEY)
    with spantape.call(model="m", messages=SECRET, session_id="5") as call:
        call.finish("So be it")
    assert spantape.flush()
    spantape.uninstrument()
    for key, number in ((OTHER, 1), (KEY, 2)):
        spantape.instrument(base_dir=base_dir, encryption_key=key)
        spantape.finalize(call.id, message_id=number)
        spantape.uninstrument()
        (record,) = reader(base_dir, KEY).get_session_interactions("5")
        assert (record["message_id"], record["prompt"], record["response"]) == (number, SECRET, "So be it")


def test_what_is_not_asked_for_needs_no_key(sealed: Tape) -> None:
    sealed.call("5", "one", error="Oops")
    sealed.flush()
    newer = Tape(sealed.base_dir, encryption_key=OTHER)
    newer.call("5", "two")
    running = newer.start("5", "three")
    newer.flush()
    (old, new) = spantape.recordings(sealed.base_dir).get_session_interactions("5")

    recordings = reader(sealed.base_dir, OTHER)
    assert [one["prompt"] for one in until(recordings.get_running_interactions)] == ["three"]
    assert [recordings.get(name)["prompt"] for name in ("last", new["id"], new["id"][:12])] == ["two"] * 3
    assert reader(sealed.base_dir, KEY).get("err")["prompt"] == reader(sealed.base_dir, KEY).get("last~1")["prompt"]
    with pytest.raises(SealError, match=old["id"]):
        recordings.get(old["id"])
    running.end()
    newer.close()


def test_words_are_found_in_what_is_sealed(sealed: Tape) -> None:
    sealed.call("5", SECRET)
    sealed.call("5", "nothing")
    sealed.flush()
    found = reader(sealed.base_dir, KEY).get_latest_interactions(where=Filter(text="launch"))
    assert [record["prompt"] for record in found] == [SECRET]


def test_content_that_expires(sealed: Tape) -> None:
    sealed.call("5", SECRET, at=1_600_000_000 * 10**9)
    sealed.flush()
    sealed.close()
    settings = Settings.load(base_dir=sealed.base_dir, content_retention_days=1, retention_days=9999)
    from spantape.sinks.files.upkeep import cleanup

    cleanup(sealed.base_dir, settings)
    assert [loaded(file)[0]["prompt"] for file in files(sealed.base_dir / "by_session")] == [None]
