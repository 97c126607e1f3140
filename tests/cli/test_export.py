"""Calls as files for other programs: all of them, and every value complete."""

from __future__ import annotations

import base64
import csv
import json
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from cli_tree import DAY, RECORDS, process, real, record, spantape, tree, write

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LONG = "好" * 40_000
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()


def export(folder: Path, name: str, *words: str) -> Path:
    told = spantape("export", name, *words, folder=folder)
    assert told.endswith(f": {name}\n")
    return folder / name


def sheet(path: Path) -> list[list[Any]]:
    """Read a spreadsheet as the standard library can."""
    with zipfile.ZipFile(path) as book:
        rows = ET.fromstring(book.read("xl/worksheets/sheet1.xml")).iter(f"{MAIN}row")
    return [[_value(cell) for cell in row.iter(f"{MAIN}c")] for row in rows]


def _value(cell: ET.Element) -> Any:
    assert cell.find(f"{MAIN}f") is None, "a formula"
    text = "".join(each.text or "" for each in cell.iter(f"{MAIN}t"))
    number = cell.find(f"{MAIN}v")
    return text if number is None or number.text is None else float(number.text)


@pytest.mark.parametrize(("name", "words"), [("a.json", ()), ("a.txt", ("-o", "json"))])
def test_json(name: str, words: tuple[str, ...], folder: Path) -> None:
    assert json.loads(export(folder, name, *words).read_text(encoding="utf-8")) == RECORDS


def test_the_newest_are_written_in_their_order(folder: Path) -> None:
    assert json.loads(export(folder, "a.json", "-n", "2").read_text(encoding="utf-8")) == RECORDS[-2:]


def test_jsonl_of_a_filter(folder: Path) -> None:
    path = export(folder, "a.jsonl", "--status", "error", "--fields", "id,error.code")
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == [
        {"id": RECORDS[3]["id"], "error.code": "rate"}
    ]


def test_csv_is_complete(tmp_path: Path) -> None:
    calls = [record(1, response=LONG, prompt='a,"b"\nc'), record(2, response="=1+1")]
    path = export(tree(tmp_path, calls), "a.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")  # for Excel
    with path.open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["prompt"], first["response"], first["cost.total"]) == ('a,"b"\nc', LONG, "0.00027")
    assert second["response"] == "'=1+1"
    assert json.loads(first["metadata"])["stage"] == "completed"


def test_xlsx(tmp_path: Path) -> None:
    calls = [record(1, response=LONG), record(2, response="=1+cmd"), record(3, response="https://x.example/" * 200)]
    calls.append(record(4, response="🙂" * 20_000))
    head, *rows = sheet(export(tree(tmp_path, calls), "a.xlsx", "--fields", "id,response,cost,usage.input_tokens"))
    assert head == ["id", "response", "cost", "usage.input_tokens"]
    assert [row[2:] for row in rows] == [[0.00027, 1000.0]] * 4
    assert rows[0][1].endswith("… [cut: 40000 characters]")
    assert len(rows[0][1]) == 32_767
    assert [row[1] for row in rows[1:3]] == [calls[1]["response"], calls[2]["response"]]
    assert len(rows[3][1].encode("utf-16-le")) // 2 in {32_766, 32_767}  # as Excel counts


def test_markdown_and_html_are_for_people(tmp_path: Path) -> None:
    said = "<script>alert('你好')</script>"
    folder = tree(tmp_path, [record(1, response=said, session_id=said, messages=[{"role": said, "parts": []}])])
    assert "**assistant** <script>alert('你好')</script>" in export(folder, "a.md").read_text(encoding="utf-8")
    page = export(folder, "a.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(&#x27;你好&#x27;)&lt;/script&gt;" in page
    assert "<script" not in page


def test_what_cannot_be_written(folder: Path) -> None:
    (folder / "there.json").write_text("mine")
    for words, code in (("there.json", 2), ("a.pdf", 2), ("none.json --model none", 3)):
        assert process("export", *words.split(), folder=folder).returncode == code
    assert (folder / "there.json").read_text() == "mine"
    assert not (folder / "none.json").exists()
    assert spantape("export", "there.json", "--force", folder=folder).startswith("4 calls, ")


def test_half_an_export_is_none(folder: Path) -> None:
    """What was there stays; nothing is left of what failed."""
    (folder / "a.json").write_text("mine")
    broken = record(9) | {"id": {"a": 1}}
    file = folder / "by_date" / f"{DAY}_all_interactions.json"
    write(file, [*RECORDS, broken])
    done = process("export", "a.json", "--force", folder=folder, SPANTAPE_ENCRYPTION_KEY=KEY)
    assert done.returncode == 0
    write(file, [*RECORDS, broken | {"prompt": {"encrypted": "gAAAA"}}])
    done = process("export", "a.json", "--force", folder=folder, SPANTAPE_ENCRYPTION_KEY=KEY)
    assert done.returncode == 1
    assert len(json.loads((folder / "a.json").read_text(encoding="utf-8"))) == len(RECORDS) + 1
    assert not list(folder.glob("*.part"))


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="a device of POSIX")
def test_to_a_device(folder: Path) -> None:
    done = real("export", "/dev/stdout", "-o", "jsonl", "--force", "--fields", "model", "-n", "1", folder=folder)
    assert done.stdout.splitlines()[0] == '{"model":"gpt-4o-mini"}'
    assert Path("/dev/stdout").exists()


def test_a_page_has_no_columns(folder: Path) -> None:
    done = process("export", "a.html", "--fields", "id", folder=folder)
    assert done.returncode == 2
    assert "a page shows whole calls" in done.stderr
