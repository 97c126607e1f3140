"""The first look, which says quickly that there is nothing to find: never where a detector finds something."""

from __future__ import annotations

import labelled
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from spantape.masking import DETECTORS, Masking
from spantape.masking.views import view

ALONE = {name: (detector, Masking([name])) for name, detector in DETECTORS.items()}
CHECKED = ("", *"0123456789X")
"""What a number may end with: with one of these its checksum is right."""
BEGINS = [
    "1",
    "138",
    "86",
    "0086",
    "+86 ",
    "010",
    "(0755)",
    "0",
    "4111",
    "5105",
    "3782",
    "62",
    "1101011990030",
    "11010120",
]
AROUND = [
    "-",
    " ",
    "(",
    ")",
    ") ",
    ".",
    "0.",
    "+",
    ":",
    "::",
    ",",
    "/",
    "@",
    "@a.co",
    "%40",
    "x",
    "f",
    "é",
    "话",
    "１３８",
    "\n",
    "\\n",
]
TIMES = ["1715000000123", "1615000000123,", "1815000000123456 "]
DIGITS = st.text("0123456789", min_size=1, max_size=8)
TEXTS = st.lists(DIGITS | st.sampled_from(BEGINS) | st.sampled_from(AROUND) | st.sampled_from(TIMES), max_size=10)
ADDRESSES = st.lists(
    st.text("0123456789abcdefF", max_size=4) | st.sampled_from([":", "::", ".", " ", "x"]), max_size=20
)

BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""What is slow on a busy machine is no failure."""


def missed(text: str) -> list[str]:
    """Give the detectors that find something in a text that the first look passes, as text or as its bytes."""
    read, data = view(text).text, text.encode()
    return [
        name
        for name, (detector, alone) in ALONE.items()
        if (alone.is_clean(text) or alone.is_clean(text, data)) and detector.spans(read)
    ]


@BUSY
@given(TEXTS.map("".join))
@example("110 138 1234 5678")
@example("0086138-1234-5678")
@example("(010) 123-4567")
@example("0755)-1234567")
@example("110101 20010131100")
@example("0.1715000000123 13812345678")
@example("1715000000123,1715000000124 4111111111111111")
@example("41111111111111111111")
def test_no_number_is_missed(text: str) -> None:
    for last in CHECKED:
        assert missed(text + last) == [], text + last


@BUSY
@given(ADDRESSES.map("".join))
@example("1:2:abc::")
@example("fe80::1")
@example("::1.2.3.4")
def test_no_address_is_missed(text: str) -> None:
    assert missed(text) == []


@BUSY
@given(
    st.lists(st.sampled_from([case.text for case in labelled.cases() if case.wanted]), max_size=2), TEXTS.map("".join)
)
def test_nothing_is_missed_for_what_stands_beside_it(found: list[str], beside: str) -> None:
    assert missed(beside.join([*found, ""])) == []


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_nothing_is_missed_for_its_escape_sequences(depth: int) -> None:
    for text in (case.text for case in labelled.cases() if case.wanted):
        for escaped in (text.replace("/", "\\/"), "".join(f"\\u{ord(letter):04x}" for letter in text)):
            assert missed(escaped.replace("\\", "\\" * depth)) == [], text


def test_a_card_that_ends_within_what_is_looked_at_may_stand_before_any_character() -> None:
    for spaces in range(4):
        text = "4000 0000 0000 0000" + " " * (7 + spaces) + "话" * 3 + "." * 99
        assert Masking().is_clean(text, text.encode())


@pytest.mark.parametrize("moment", [1600000000000, 1715000000123, 1899999999999, 1715000000123456789])
@pytest.mark.parametrize("form", ["{} ", "[{}],", '"at":{},', "0.{};", "a{}="])
def test_times_are_passed(moment: int, form: str) -> None:
    assert Masking().is_clean("".join(form.format(moment + number) for number in range(50)))
    assert not Masking().is_clean("".join(form.format(moment + number) for number in range(50)) + " 13812345678")
