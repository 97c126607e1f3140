"""What is different between two calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_tree import record, said, spantape, tree

from spantape.cli._difference import words

TOLD = """\
model     [-gpt-4o-mini-]{+gpt-4o+}
temperature [-0.3-]{+0.9+}
top_p     {+0.5+}
user      请写[-三-]{+四+}个 words
assistant {+An answer.+}
input     [-1.0k-]{+1.5k+}  +50%
cost      [-$0.00027-]{+–+}
"""


def test_two_calls(tmp_path: Path) -> None:
    one = record(1, messages=[said("user", "请写三个 words")], output_messages=None)
    other = record(
        2,
        messages=[said("user", "请写四个 words")],
        output_messages=[said("assistant", "An answer.")],
        model="gpt-4o",
        request={"model": "gpt-4o", "temperature": 0.9, "top_p": 0.5},
        usage={"input_tokens": 1500, "output_tokens": 200},
        cost=None,
    )
    assert spantape("diff", "last~1", "last", folder=tree(tmp_path, [one, other])) == TOLD


def test_the_same(folder: Path) -> None:
    assert spantape("diff", "last", "err", folder=folder) == "the calls are the same\n"


@pytest.mark.parametrize(
    ("before", "after", "pieces"),
    [
        ("a b c", "a x c", [" a ", "-b", "+x", "  c"]),
        ("", "new", ["+new"]),
        ("你好世界", "你好，世界", [" 你好", "+，", " 世界"]),
        ("word " * 5000 + "\none", "word " * 5000 + "\ntwo", [" " + "word " * 5000 + "\n", "-one", "+two"]),
    ],
)
def test_words(before: str, after: str, pieces: list[str]) -> None:
    assert [piece.sign + piece.text for piece in words(before, after)] == pieces
