"""What is kept of what was said: nothing, less, or another text; the same on the span and in every file."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import openai
import spantape
from recorded import Recorded
from spantape import semconv
from spantape.binary import digest
from spantape.content import ContentPolicy
from spantape.masking import Masking
from spantape.testing import ScriptedServer, completion, error

PNG = bytes(range(256)) * 20
ENCODED = base64.b64encode(PNG).decode()
SHA = hashlib.sha256(PNG).hexdigest()
DATA_URL = f"data:image/png;base64,{ENCODED}"
SECRET = "SECRET"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": f"{SECRET} weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": SECRET}}},
    },
}

Ask = Callable[..., Any]


def messages(policy: ContentPolicy, *texts: str) -> Any:
    parts = [{"type": "text", "content": text} for text in texts]
    kept = policy.keep({semconv.INPUT_MESSAGES: [{"role": "user", "parts": parts}]})
    return json.loads(kept[semconv.INPUT_MESSAGES])[0]["parts"]


def text_of(policy: ContentPolicy, text: str) -> str:
    return str(messages(policy, text)[0]["content"])


def everything(folder: Path) -> str:
    """Give all that was written below a folder."""
    return "".join(file.read_text("utf-8") for file in folder.rglob("*") if file.is_file())


# --- capture


def say_secrets(ask: Ask, server: ScriptedServer) -> None:
    arguments = json.dumps({"city": SECRET})
    conversation = [
        {"role": "system", "content": SECRET},
        {"role": "user", "name": SECRET, "content": [{"type": "text", "text": SECRET}]},
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "weather", "arguments": arguments}}]},
        {"role": "tool", "tool_call_id": "1", "content": SECRET},
    ]  # fmt: skip
    server.replies(completion(SECRET, reasoning=SECRET), completion(tool_calls=[("weather", {"city": SECRET})]))
    ask(messages=conversation, tools=[WEATHER], user=SECRET, extra_body={"metadata": {"a": SECRET}})
    list(ask(messages=conversation, stream=True, stop=None))
    ask(messages=conversation)


def test_capture_is_on_by_default(recorded: Recorded, ask: Ask, server: ScriptedServer) -> None:
    say_secrets(ask, server)
    assert SECRET in recorded.records[0]["prompt"]
    assert recorded.records[0]["request"]["tools"][0]["description"] == f"{SECRET} weather"
    assert recorded.records[0]["request"]["user"] == SECRET


@pytest.mark.parametrize("how", ["keyword", "OpenTelemetry's variable"])
def test_capture_off_leaves_no_content_anywhere(
    how: str, ask: Ask, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "keyword":
        recorded = Recorded(tmp_path / "records", capture_content=False)
    else:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "no_content")
        recorded = Recorded(tmp_path / "records")
    say_secrets(ask, server)
    assert len(recorded.records) == 3
    for span in recorded.spans:
        assert SECRET not in str(dict(span.attributes))
        assert SECRET not in str(span.to_json())
        assert span.attributes["gen_ai.request.model"] == "gpt-4o-mini"
    assert recorded.records[0]["usage"]["output_tokens"]
    assert recorded.records[0]["cost"]["total"]
    assert SECRET not in everything(recorded.base_dir)


def test_capture_off_leaves_no_quotation_in_an_errors_message(ask: Ask, server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", capture_content=False)
    server.replies(error(400, f"you can't say {SECRET}", code="bad_prompt"))
    with pytest.raises(openai.BadRequestError):
        ask(SECRET)
    assert semconv.ERROR_MESSAGE not in recorded.attributes
    assert recorded.span.status.description is None
    assert recorded.record["error"]["type"] == "openai.BadRequestError"
    assert recorded.record["error"]["status_code"] == 400
    assert SECRET not in everything(recorded.base_dir)


def test_a_session_is_kept_when_content_is_not(ask: Ask, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", capture_content=False)
    with spantape.session("5", task="ask"):
        ask()
    assert recorded.record["session_id"] == "5"
    assert recorded.record["metadata"]["task"] == "ask"


# --- length


def test_a_long_text_is_cut_and_marked_one_part_among_several(ask: Ask, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", max_content_chars=10)
    texts = ["short", "长" * 25, "exactly 10"]
    ask([{"type": "text", "text": text} for text in texts])
    parts = recorded.record["messages"][0]["parts"]
    assert parts == [
        {"type": "text", "content": "short"},
        {"type": "text", "content": "长" * 10, "truncated": True, "original_length": 25},
        {"type": "text", "content": "exactly 10"},
    ]
    assert recorded.record["output_messages"][0]["parts"][0]["truncated"] is True


def test_arguments_are_cut_wherever_they_are_long() -> None:
    call = {"type": "tool_call", "id": "call_1234567", "arguments": {"a": "x" * 9, "b": ["y" * 7], "c": 1}}
    kept = ContentPolicy(max_chars=5).keep({semconv.OUTPUT_MESSAGES: [{"role": "assistant", "parts": [call]}]})
    (part,) = json.loads(kept[semconv.OUTPUT_MESSAGES])[0]["parts"]
    assert part["arguments"] == {"a": "x" * 5, "b": ["y" * 5], "c": 1}
    assert part["id"] == "call_1234567"
    assert (part["truncated"], part["original_length"]) == (True, 9)


def test_what_is_no_message_says_in_its_text_that_it_was_cut() -> None:
    kept = ContentPolicy(max_chars=3).keep({semconv.ERROR_MESSAGE: "abcdef", semconv.METADATA: {"a": "abcdef"}})
    assert kept[semconv.ERROR_MESSAGE] == "abc… [cut from 6 characters]"
    assert json.loads(kept[semconv.METADATA]) == {"a": "abc… [cut from 6 characters]"}


# --- binary data


def test_an_image_becomes_its_type_size_and_sha(recorded: Recorded, ask: Ask, server: ScriptedServer) -> None:
    ask([{"type": "image_url", "image_url": {"url": DATA_URL}}, {"type": "text", "text": "what is it?"}])
    assert server.requests[-1].body["messages"][0]["content"][0]["image_url"]["url"] == DATA_URL
    image, _ = recorded.record["messages"][0]["parts"]
    assert image == {"type": "blob", "modality": "image", "mime_type": "image/png", "size": len(PNG), "sha256": SHA}
    assert ENCODED[:100] not in everything(recorded.base_dir)
    assert ENCODED[:100] not in str(recorded.attributes)


def test_audio_becomes_its_type_size_and_sha(recorded: Recorded, ask: Ask) -> None:
    ask([{"type": "input_audio", "input_audio": {"data": ENCODED, "format": "wav"}}])
    (audio,) = recorded.record["messages"][0]["parts"]
    assert audio == {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "size": len(PNG), "sha256": SHA}


def test_an_image_in_what_a_tool_answered_is_one_too() -> None:
    blob = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": ENCODED}
    part = {"type": "tool_call_response", "id": "1", "response": [{"type": "text", "content": "here"}, blob]}
    kept = ContentPolicy().keep({semconv.INPUT_MESSAGES: [{"role": "tool", "parts": [part]}]})
    found = json.loads(kept[semconv.INPUT_MESSAGES])[0]["parts"][0]["response"][1]
    assert found == {"type": "blob", "modality": "image", "mime_type": "image/png", "size": len(PNG), "sha256": SHA}


def test_a_blob_of_somebody_elses_stays() -> None:
    arguments = {"type": "blob", "content": "a file's text"}
    part = {"type": "tool_call", "id": "1", "name": "f", "arguments": arguments}
    kept = ContentPolicy().keep({semconv.OUTPUT_MESSAGES: [{"role": "assistant", "parts": [part]}]})
    assert json.loads(kept[semconv.OUTPUT_MESSAGES])[0]["parts"] == [part]


def test_an_image_that_is_only_referred_to_stays(recorded: Recorded, ask: Ask) -> None:
    ask([{"type": "image_url", "image_url": {"url": "https://example.org/a.png?base64,=1"}}])
    assert recorded.record["messages"][0]["parts"][0]["uri"] == "https://example.org/a.png?base64,=1"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (DATA_URL, "image/png"),
        (DATA_URL.replace("image/png", "image/svg+xml;charset=utf-8"), "image/svg+xml"),
        (DATA_URL.replace("image/png", "application/pdf;name=%E7%97%85.pdf"), "application/pdf"),
        (DATA_URL.replace("image/png", ""), "text/plain"),
        (DATA_URL.replace("data:", "DATA:"), "image/png"),
        (DATA_URL.replace("+", "-").replace("/", "_").replace("image_png", "image/png"), "image/png"),
        (f"data:image/png;base64,{ENCODED.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}", "image/png"),
        (DATA_URL.rstrip("="), "image/png"),
    ],
)
def test_a_data_url_in_the_middle_of_a_text(url: str, kind: str) -> None:
    said = f"[{kind}, {len(PNG)} bytes, sha256 {SHA}]"
    assert text_of(ContentPolicy(), f"看 ![图]({url}) 是什么？") == f"看 ![图]({said}) 是什么？"


@pytest.mark.parametrize("word", ["base64", "Base64", "BASE64"])
def test_one_short_data_url_however_it_is_written(word: str) -> None:
    kept = text_of(ContentPolicy(), f"look; here: data:image/gif;{word},aGVsbG8=; and on")
    assert kept == f"look; here: [image/gif, 5 bytes, sha256 {hashlib.sha256(b'hello').hexdigest()}]; and on"


def test_two_data_urls_in_one_text() -> None:
    small = base64.b64encode(b"hello").decode()
    kept = text_of(ContentPolicy(), f'<img src="{DATA_URL}"><img src="data:image/gif;BASE64,{small}">')
    assert kept.count("sha256") == 2
    assert f"[image/gif, 5 bytes, sha256 {hashlib.sha256(b'hello').hexdigest()}]" in kept


def test_long_base64_without_a_data_url(recorded: Recorded, ask: Ask) -> None:
    ask(messages=[{"role": "tool", "tool_call_id": "1", "content": json.dumps({"type": "image", "data": ENCODED})}])
    (part,) = recorded.record["messages"][0]["parts"]
    assert json.loads(part["response"]) == {"type": "image", "data": f"[base64, {len(PNG)} bytes, sha256 {SHA}]"}


@pytest.mark.parametrize(
    "text",
    ["x" * 5000, "0123456789abcdef" * 200, "ACGT" * 1000, ENCODED[:1000], "Word1 " * 1000, "a/b-c_d." * 500],
)
def test_a_long_text_is_no_base64(text: str) -> None:
    assert text_of(ContentPolicy(), text) == text


@pytest.mark.parametrize("offset", [0, 1, 63, 500, 895, 896, 897, 959, 960, 961, 2000])
def test_base64_is_found_at_any_place(offset: int) -> None:
    kept = text_of(ContentPolicy(), "。" * offset + ENCODED[:1024] + "。" * 100)
    assert kept == "。" * offset + f"[base64, 768 bytes, sha256 {hashlib.sha256(PNG[:768]).hexdigest()}]" + "。" * 100


def test_looking_for_binary_data_takes_no_longer_than_the_text_is_long() -> None:
    for text in ("data:" + ";" * 100_000, "data:;base64,;x" * 20_000, ("0123456789abcdef" * 56 + " ") * 300):
        assert text_of(ContentPolicy(), text)  # a quadratic pattern would need minutes


@pytest.mark.parametrize(
    ("encoded", "data"),
    [
        (ENCODED, PNG),
        (ENCODED.rstrip("="), PNG),
        (base64.encodebytes(PNG).decode(), PNG),
        (base64.urlsafe_b64encode(PNG).decode(), PNG),
        ("aGVsbG8%3D", b"hello"),
        ("", b""),
        ("not base64!", b"not base64!"),
        ("你好", "你好".encode()),
        ("\ud800", "�".encode()),
    ],
)
def test_digest(encoded: str, data: bytes) -> None:
    assert digest(encoded) == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize("data", [b"", b"aGVsbG8=", PNG, b"\xff" * 8 * 1024 * 1024])
def test_digest_of_bytes(data: bytes) -> None:
    assert digest(data) == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_many_bytes_are_only_counted() -> None:
    assert digest(bytes(8 * 1024 * 1024 + 1)) == {"size": 8 * 1024 * 1024 + 1}


@pytest.mark.parametrize(("content", "known"), [(PNG, 2), (ENCODED, 2), (None, 0), (SECRET.encode(), 2), ([SECRET], 0)])
def test_a_blob_keeps_nothing_of_what_is_in_it(content: Any, known: int) -> None:
    part = {"type": "blob", "modality": "image", "name": "a.png", "content": content}
    kept = ContentPolicy().keep({semconv.INPUT_MESSAGES: [{"role": "user", "parts": [part]}]})
    (clean,) = json.loads(kept[semconv.INPUT_MESSAGES])[0]["parts"]
    assert clean.pop("name") == "a.png"
    assert sorted(clean) == sorted(["type", "modality", "size", "sha256"][: 2 + known])


# --- filter


def mask(text: str) -> str:
    return text.replace(SECRET, "***")


def test_a_filter_sees_every_text(ask: Ask, server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", content_filter=mask)
    with spantape.session("5", topic=SECRET, note=SECRET, notes=[{SECRET}]):
        say_secrets(ask, server)
    assert len(recorded.records) == 3
    for span in recorded.spans:
        assert SECRET not in span.to_json()
    assert SECRET not in everything(recorded.base_dir)
    assert recorded.records[0]["metadata"]["session_topic"] == "***"
    assert server.requests[-1].body["messages"][0]["content"] == SECRET


def test_a_filter_sees_errors(ask: Ask, server: ScriptedServer, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "records", content_filter=mask)
    server.replies(error(400, f"you can't say {SECRET}"))
    with pytest.raises(openai.BadRequestError, match=SECRET):
        ask(SECRET)
    assert "you can't say ***" in recorded.record["error_message"]
    assert "you can't say ***" in recorded.span.status.description
    assert SECRET not in everything(recorded.base_dir)
    assert SECRET not in str(recorded.attributes)


def test_a_filter_may_remove_a_text() -> None:
    policy = ContentPolicy(filter=lambda text: None if SECRET in text else text)
    assert messages(policy, SECRET, "hi") == [{"type": "text", "content": None}, {"type": "text", "content": "hi"}]
    assert policy.keep({semconv.ERROR_MESSAGE: SECRET, semconv.TOPIC: SECRET}) == {}


def test_labels_are_not_for_the_filter() -> None:
    def shout(text: str) -> str:
        return text.upper()

    call = {"type": "tool_call", "id": "call_a", "name": "f", "arguments": {"k": "v"}}
    parts = [{"type": "text", "content": "a"}, call]
    kept = ContentPolicy(filter=shout).keep(
        {semconv.OUTPUT_MESSAGES: [{"role": "assistant", "parts": parts, "finish_reason": "stop"}]}
    )
    (message,) = json.loads(kept[semconv.OUTPUT_MESSAGES])
    assert message["parts"][0] == {"type": "text", "content": "A"}
    assert message["parts"][1] == {"type": "tool_call", "id": "call_a", "name": "F", "arguments": {"k": "V"}}
    assert (message["role"], message["finish_reason"]) == ("assistant", "stop")


@pytest.mark.parametrize(
    "hidden",
    [{"parts": [SECRET]}, {"parts": SECRET}, {"id": [SECRET]}, {"type": {"a": SECRET}}, {"x": {"parts": [[SECRET]]}}],
)
def test_nothing_said_hides_behind_a_label(hidden: Any) -> None:
    kept = ContentPolicy(filter=mask).keep({semconv.INPUT_MESSAGES: [{"role": "user", "parts": [hidden, SECRET]}]})
    assert SECRET not in kept[semconv.INPUT_MESSAGES]


def failing(text: str) -> str:
    raise RuntimeError("the filter is broken")


def no_string(text: str) -> Any:
    return len(text)


@pytest.mark.usefixtures("forgiving")
@pytest.mark.parametrize("broken", [failing, no_string])
def test_a_broken_filter_drops_the_content_and_nothing_else(
    broken: Any, ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded = Recorded(tmp_path / "records", content_filter=broken)
    with caplog.at_level(logging.WARNING):
        assert ask(SECRET).choices[0].message.content == f"You said: {SECRET}"
        ask(SECRET)
    attributes = recorded.spans[0].attributes
    assert semconv.INPUT_MESSAGES not in attributes
    assert semconv.OUTPUT_MESSAGES not in attributes
    assert attributes["gen_ai.usage.input_tokens"] > 0
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert semconv.OUTPUT_MESSAGES in attributes[semconv.CONTENT_DROPPED]
    assert recorded.records[0]["metadata"]["content_dropped"]
    assert SECRET not in everything(recorded.base_dir)
    assert len(caplog.records) == 1


@pytest.mark.usefixtures("forgiving")
def test_only_what_the_filter_fails_on_is_dropped() -> None:
    def picky(text: str) -> str:
        if text == SECRET:
            raise ValueError
        return text

    message = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    secret = [{"role": "user", "parts": [{"type": "text", "content": SECRET}]}]
    kept = ContentPolicy(filter=picky).keep({semconv.INPUT_MESSAGES: secret, semconv.OUTPUT_MESSAGES: message, "a": 1})
    assert kept == {
        semconv.OUTPUT_MESSAGES: '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
        "a": 1,
        semconv.CONTENT_DROPPED: [semconv.INPUT_MESSAGES],
    }


@pytest.mark.usefixtures("forgiving")
def test_what_is_nested_too_deep() -> None:
    """A filter that can't see all of it drops it; without a filter what is too deep is cut off."""
    deep: Any = "bottom"
    for _ in range(5000):
        deep = [deep]
    dropped = {semconv.CONTENT_DROPPED: [semconv.METADATA]}
    assert ContentPolicy(filter=str).keep({semconv.METADATA: {"a": deep}}) == dropped
    kept = ContentPolicy().keep({semconv.METADATA: {"a": deep, "b": "kept"}})
    assert "nested too deep" in kept[semconv.METADATA]
    assert json.loads(kept[semconv.METADATA])["b"] == "kept"


@pytest.mark.parametrize("policy", [ContentPolicy(), ContentPolicy(max_chars=10)])
def test_what_lies_in_itself_or_too_deep_is_cut_off_beside_binary_data_too(policy: ContentPolicy) -> None:
    around: list[Any] = []
    around.append({"role": "user", "parts": [{"type": "text", "content": around}]})
    deep: Any = "bottom"
    for _ in range(5000):
        deep = [deep]
    blob = {"role": "user", "parts": [{"type": "blob", "content": ENCODED}, {"type": "text", "content": deep}]}
    for value in ([blob], [*around, blob]):
        kept = policy.keep({semconv.INPUT_MESSAGES: value})[semconv.INPUT_MESSAGES]
        assert "<nested" in kept
        assert SHA in kept


# --- text of every kind


@pytest.mark.parametrize("text", ["你好，杭州", "🎉 \U0001f469‍\U0001f469‍\U0001f467", "é́", "\x00\x1b[31m", "\u2028"])
def test_text_is_kept_as_it_is(text: str, recorded: Recorded, ask: Ask) -> None:
    ask(text)
    assert recorded.record["prompt"] == text
    assert recorded.record["response"] == f"You said: {text}"
    assert text in json.loads(recorded.attributes[semconv.INPUT_MESSAGES])[0]["parts"][0]["content"]


def test_lone_surrogates_become_what_every_encoder_takes() -> None:
    seen: list[str] = []
    policy = ContentPolicy(filter=lambda text: seen.append(text) or text)  # type: ignore[func-returns-value]
    kept = policy.keep(
        {
            semconv.INPUT_MESSAGES: [{"role": "user", "parts": [{"type": "text", "content": "a\ud800b"}]}],
            semconv.ERROR_MESSAGE: "\udfff",
            semconv.RESPONSE_MODEL: "m\ud800",
            semconv.REQUEST_STOP_SEQUENCES: ["\ud83d\ude00", "\ud800"],
        }
    )
    assert "a�b" in seen[0]
    assert "a�b" in kept.pop(semconv.INPUT_MESSAGES)
    assert kept == {
        semconv.ERROR_MESSAGE: "�",
        semconv.RESPONSE_MODEL: "m�",
        semconv.REQUEST_STOP_SEQUENCES: ["😀", "�"],
    }


def test_what_is_not_content_passes() -> None:
    values = {"a": 1, "b": 1.5, "c": True, "d": "text", "e": ["x"]}
    assert ContentPolicy(capture=False, max_chars=1).keep({**values, "f": None}) == values


@pytest.mark.parametrize("said", [13812345678, 5, 0.5, True])
def test_a_number_may_be_what_was_said(said: Any) -> None:
    kept = ContentPolicy(masking=Masking()).keep({semconv.TOOL_RESULT: said, semconv.INPUT_TOKENS: 13812345678})
    assert kept[semconv.TOOL_RESULT] == ("138****5678" if said == 13812345678 else json.dumps(said))
    assert kept[semconv.INPUT_TOKENS] == 13812345678
    assert ContentPolicy(capture=False).keep({semconv.TOOL_RESULT: said}) == {}
