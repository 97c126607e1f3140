"""What the detectors find and what they leave, on texts that were labelled by hand; and how long they look for it."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable

import labelled
import pytest

import spantape
from spantape.masking import DETECTORS, GROUPS, Detector, Masking
from spantape.masking.presidio import presidio
from spantape.masking.views import view

NOTHING_TO_FIND = "今天天气很好 The quick brown fox, version 1.2.3; f(x) = a[1:2] # 3 % of it\n"


@pytest.mark.parametrize("case", labelled.cases(), ids=lambda case: case.text[:40].encode("unicode_escape").decode())
def test_what_is_found(case: labelled.Case) -> None:
    assert (labelled.found(case.text) == case.wanted) is not case.hard


def test_the_labelled_set_is_large_and_says_something_of_each_detector() -> None:
    cases = labelled.cases()
    assert len(cases) >= 300
    assert sum(not case.wanted for case in cases) >= 150, "traps"
    assert {kind for case in cases for kind, *_ in case.wanted} == set(DETECTORS)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_finds_its_own_kind_alone(name: str) -> None:
    alone = Masking([name])
    for case in labelled.cases():
        mine = {one for one in case.wanted if one[0] == name}
        others = [one for one in case.wanted if one[0] != name]
        if mine and not others and not case.hard:
            assert {(one.kind, one.start, one.end) for one in alone.findings(case.text)} == mine


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_can_be_switched_off(name: str) -> None:
    rest = Masking(["all", f"-{name}"])
    assert name not in {one.kind for case in labelled.cases() for one in rest.findings(case.text)}


@pytest.mark.parametrize("text", [case.text for case in labelled.cases() if case.wanted])
def test_what_is_masked_is_masked_once(text: str) -> None:
    for mode in ("mask", "hash", "remove"):
        masking = Masking(mode=mode, key="k")
        assert masking.text(masking.text(text)) == masking.text(text)


# --- what is shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("13812345678", "138****5678"),
        ("138 1234 5678", "138 **** 5678"),
        ("+86 138-1234-5678", "+86 138-****-5678"),
        ("010-65529988", "010-****9988"),
        ("+1 (415) 555-2671", "+1 (41*) ***-2671"),
        ("zhang@example.com", "z***@example.com"),
        ("11010119900307002X", "110***********002X"),
        ("4111 1111 1111 1111", "**** **** **** 1111"),
        ("203.0.113.7", "203.0.*.*"),
        ("2001:db8::1", "2001:db8:***"),
        ("sk-" + "proj-" + "a1b2c3d4" * 6, "sk-proj-***"),
        ("Bearer " + "a1b2c3d4" * 3, "Bearer ***"),
        ("postgres://user:secret@host/db", "postgres://user:***@host/db"),
        ("https://user:secret@example.com/", "https://user:***@example.com/"),
    ],
)  # fmt: skip
def test_the_shape_is_kept(text: str, shown: str) -> None:
    assert Masking().text(text) == shown
    assert Masking().text(f"看{text}，") == f"看{shown}，"


def test_a_secret_shows_nothing_but_its_kind() -> None:
    secrets = Masking(["secrets"])
    for case in labelled.cases():
        for kind, start, end in case.wanted:
            if kind in GROUPS["secrets"]:
                left = secrets.text(case.text)
                assert not any(piece in left for piece in re.findall(r"[A-Za-z0-9]{12,}", case.text[start:end][14:]))


def test_equal_values_have_equal_hashes_however_they_are_written() -> None:
    masking = Masking(mode="hash", key="secret")
    hashes = {
        masking.text(phone) for phone in ("13812345678", "138-1234-5678", "+86 138 1234 5678", "１３８１２３４５６７８")
    }
    assert len(hashes) == 1
    assert re.fullmatch(r"\[phone:[0-9a-f]{16}\]", hashes.pop())
    assert masking.text("A@b.com") == masking.text("a@B.com") != masking.text("b@b.com")


def test_the_key_makes_the_hash() -> None:
    def hashed(key: str | bytes | None) -> str:
        return Masking(mode="hash", key=key).text("13812345678")

    assert hashed("a") == hashed(b"a") != hashed("b")
    assert hashed(None) == hashed(None) != hashed("a")


def test_removed_is_removed() -> None:
    assert Masking(mode="remove").text("call 13812345678 or a@b.com!") == "call [phone] or [email]!"


def test_the_key_is_in_no_representation() -> None:
    assert "topsecret" not in repr(Masking(mode="hash", key="topsecret"))


# --- one's own


def test_a_pattern_of_ones_own() -> None:
    order = Detector("order", r"ORD-\d{8}")
    assert Masking(["all", order]).text("ORD-20240501 from a@b.com") == "*** from a***@b.com"
    assert Masking([order], mode="remove").text("ORD-20240501") == "[order]"


def test_only_the_first_group_is_hidden() -> None:
    assert Masking([Detector("name", re.compile(r"姓名：(\w+)"))]).text("姓名：张三。") == "姓名：***。"


def test_a_function_of_ones_own() -> None:
    def names(text: str) -> list[tuple[int, int]]:
        return [(match.start(), match.end()) for match in re.finditer("张三|李四", text)]

    masking = Masking([Detector("name", names, shape=lambda found: found[0] + "某")])
    assert masking.text("张三和李四") == "张某和李某"


def test_findings_that_overlap_hide_all_that_was_found() -> None:
    masking = Masking([Detector("a", lambda text: [(0, 4), (2, 6), (2, 3), (8, 8)])])
    assert masking.text("abcdefgh") == "******gh"


def test_presidio_is_a_detector() -> None:
    class Found:
        start, end = 11, 19

    class Analyzer:
        def analyze(self, text: str, language: str, entities: object, score_threshold: float) -> list[Found]:
            assert (language, entities, score_threshold) == ("de", None, 0.5)
            return [Found()] if "Jane Doe" in text else []

    masking = Masking(["email", presidio(Analyzer(), language="de")], mode="remove")
    assert masking.text("My name is Jane Doe") == "My name is [presidio]"


@pytest.mark.parametrize("wrong", ["emial", "-emial", ""])
def test_an_unknown_name_is_named_and_the_known_ones_are_told(wrong: str) -> None:
    with pytest.raises(spantape.SettingError, match="email") as caught:
        Masking([wrong])
    assert repr(wrong.removeprefix("-")) in str(caught.value)


def test_a_pattern_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(spantape.SettingError, match="'order' can't be used"):
        spantape.instrument(mask=[Detector("order", "ORD-(")])


def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(spantape.SettingError, match="mask, hash, remove"):
        Masking(mode="blur")


# --- how long it takes


def seconds(work: Callable[[], object], times: int) -> float:
    """Give the CPU time that something takes: the least of some."""
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def is_linear(masking: Masking, piece: str, size: int) -> bool:
    """Say whether a text takes about eight times as long as an eighth of it; its end opens all gates.

    One time in three is enough, on a busy machine: what goes with the square would take 64 times as long each time.
    """
    short, long = (piece * (most // len(piece)) + OPENS for most in (size // 8, size))
    most = 24 * max(seconds(lambda: masking.text(short), 2), 0.005)
    return any(seconds(lambda: masking.text(long), 1) < most for _ in range(3))


OPENS = (
    " a@b.co ://u:p@h eyJsk-AKIAghp_xoxb-AIza bearer secret_access_key -----BEGIN "
    + "a1" * 20
    + " 13812345678 1.1.1.1 2001:db8::1 ?token=x"
)
HOSTILE = {
    "email": ["a.", "a@", "@a.", "a@a.", "%40", "a%40a-"],
    "phone": ["1", "+1", "1 ", "(0", "0(", "86 1", "010-", "138-", "１"],
    "resident_id": ["1", "110101 19900307 ", "11010119900307"],
    "bank_card": ["6222 ", "4", "4111111111111111", "3782 822463 "],
    "ip": ["1.", "1.1.1.1.", "999."],
    "ipv6": [":", "a:", "::", "a::b:", "1:1"],
    "openai": ["sk-", "sk-a", "sk-aaaaaaaaaaaaaaaaaaaa "],
    "anthropic": ["sk-ant-", "sk-ant-a "],
    "aws": ["AKIA", "AKIA" + "A" * 15],
    "aws_secret": ["secret_access_key", "secret_access_key=a", "secret_access_key " + "a" * 39 + " "],
    "google": ["AIza", "AIza" + "a" * 34 + " "],
    "github": ["ghp_", "github_pat_", "ghp_" + "a" * 35 + " "],
    "slack": ["xoxb-", "xapp-1-", "hooks.slack.com/services/"],
    "jwt": ["eyJ", "eyJ.", "eyJaaaaaaaaaaaaaaaaaaaa.", "eyJaaaaaaaa.aaaaaaaa"],
    "bearer": ["bearer ", "bearer a", "bearer\t\t"],
    "private_key": ["-", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----\na-"],
    "url_password": [
        "://",
        "://a:",
        "://a:b",
        ":/:@",
        ":\\/\\/a:@",
        "&token=",
        "?token=a.",
        "&sig=" + "." * 600,
        "token=",
    ],
}


def test_each_detector_has_its_hostile_texts() -> None:
    assert set(HOSTILE) == set(DETECTORS)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_megabyte_of_hostile_text_takes_as_long_as_its_length(name: str) -> None:
    masking = Masking([name])
    for piece in HOSTILE[name]:
        assert is_linear(masking, piece, 2**20), piece


@pytest.mark.parametrize("piece", ["\\u4e09", "\\", "\\\\\\\\", '{"a":', "[", '"{', "\\n1381234567", "０", "＠"])
def test_escapes_and_nesting_take_as_long_as_their_length(piece: str) -> None:
    assert is_linear(Masking(), piece, 2**18)


NOTHING = {
    "prose": NOTHING_TO_FIND,
    "Chinese": "今天天气很好，我们去公园散步吧；里面有３个全角数字。",
    "code": "def find(self, n: int) -> str:\n    return self._table.get(n, 'x') or std::move(n)  # 2 % of it\n",
    "JSON": '{"id":"chatcmpl-9aBcD","created":1715000000,"ok":true,"items":[{"name":"a","price":12.5}]}',
    "log": "2024-05-06 12:33:44,123 INFO [worker-7] request 1715000000123, id=7c9e6679-7425-40de-944b-e07fc1f90ae7\n",
    "numbers": "2024-05-06,0.023412341234123,4111.25,1715000000123456789,20240131235959\n",
}


@pytest.mark.parametrize("kind", NOTHING)
@pytest.mark.parametrize("group", ["secrets", "all"])
def test_text_with_nothing_to_find_is_passed_by_the_first_look(group: str, kind: str) -> None:
    """No detector runs; compared with what one simple pattern takes: figures are in `benchmarks/masking.py`."""
    masking, text = Masking([group]), NOTHING[kind] * (20_000 // len(NOTHING[kind]))
    assert masking.text(text) is text
    assert masking.is_clean(text)
    assert seconds(lambda: masking.is_clean(text), 5) < 2 * seconds(lambda: re.findall("[a-z]", "a" * len(text)), 5)


def test_the_first_look_misses_nothing_that_a_detector_finds() -> None:
    for case in labelled.cases():
        for text in (case.text, json.dumps(case.text), json.dumps([case.text], ensure_ascii=False), f"…{case.text}"):
            for name, detector in DETECTORS.items():
                assert not (detector.spans(view(text).text) and Masking([name]).is_clean(text)), (name, text)


def test_the_first_look_misses_nothing_whatever_stands_around_it() -> None:
    found = sorted({case.text[start:end] for case in labelled.cases() for _, start, end in case.wanted})
    around = [
        "",
        " ",
        "(",
        ")",
        "(男)",
        "f(g(",
        "))",
        "（",
        "）",
        "。",
        "：",
        ".",
        "...",
        "9",
        "9.",
        "a",
        "f",
        "-",
        "+",
        "/",
        '"',
    ]
    around += [
        "\\n",
        "\\f",
        "\\u8bdd",
        "\\\\u8bdd",
        "\n",
        "=",
        "2024 ",
        "110 ",
        "0755-",
        " 12/25",
        "X",
        "——",
        "1715000000123,",
    ]
    chance = random.Random(6)
    for _ in range(6000):
        text = "".join(chance.choice(parts) for parts in (around, around, found, around, around))
        for name, detector in DETECTORS.items():
            assert not (detector.spans(view(text).text) and Masking([name]).is_clean(text)), (name, text)


def test_no_text_breaks_it() -> None:
    alphabet = [*'a1@.:/\\"{}[],- +u0\n０＠\ud800张*%', "sk-", "eyJ", "\\u", "\\n", "://", "-----BEGIN "]
    chance = random.Random(1)
    masking = Masking()
    for _ in range(3000):
        text = "".join(chance.choices(alphabet, k=chance.randrange(60)))
        assert isinstance(masking.text(text), str)
