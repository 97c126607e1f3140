"""The files of a multipart request are described without being opened, whatever they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from media_ways import Counting

from spantape.instrumentors.openai.uploads import uploads


def generator() -> Iterator[bytes]:
    raise AssertionError("the client's to read")
    yield b""


def upload(**known: Any) -> dict[str, Any]:
    return {"field": "file", "name": None, "mime_type": None, "content": None} | known


@pytest.mark.parametrize(
    ("files", "described"),
    [
        (None, []),
        ([], []),
        ("text", []),
        (generator(), []),
        ([("file", b"x")], [upload(content=b"x")]),
        ({"file": b"x"}, [upload(content=b"x")]),
        ([("image[]", ("a.png", b"x"))], [upload(field="image", name="a.png", mime_type="image/png", content=b"x")]),
        ([("file", ("a", b"x", "audio/mpeg", {"h": "v"}))], [upload(name="a", mime_type="audio/mpeg", content=b"x")]),
        ([("file", (None, b"x"))], [upload(content=b"x")]),
        ([("file", (b"a.mp3", generator()))], [upload(name="a.mp3", mime_type="audio/mpeg")]),
        ([("file", ())], [upload()]),
        ([("file", (3, "text", 4))], [upload()]),
        ([("file",), "file", 3, ("a", "b", "c")], []),
    ],
)
def test_described(files: Any, described: list[Any]) -> None:
    assert uploads(files) == described


@pytest.mark.parametrize(("name", "known"), [("/a/b.wav", "b.wav"), (3, None), (None, None), (b"/a/b.wav", "b.wav")])
def test_a_files_own_name(name: Any, known: str | None) -> None:
    file = Counting(b"sound", name)
    (described,) = uploads([("file", file)])
    assert (described["name"], described["content"]) == (known, None)
    assert file.done == []
