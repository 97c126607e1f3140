"""Beside another instrumentation of openai, a call gives the application what it gave, and one record of ours."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("neighbours_program.py")
PACKAGES = {
    "official": "opentelemetry.instrumentation.genai.openai",
    "openinference": "openinference.instrumentation.openai",
    "openllmetry": "opentelemetry.instrumentation.openai",
    "logfire": "logfire",
}
ORDERS = list(itertools.product(PACKAGES, ("theirs", "ours"), ("theirs", "ours")))


def is_installed(package: str) -> bool:
    done = subprocess.run([sys.executable, "-c", f"import {package}"], check=False, capture_output=True, timeout=300)
    return done.returncode == 0


INSTALLED = {vendor: is_installed(package) for vendor, package in PACKAGES.items()}


def beside(vendor: str, first: str, out_first: str, folder: Path) -> dict[str, Any]:
    if not INSTALLED[vendor]:
        pytest.skip(f"{PACKAGES[vendor]} is not installed")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), vendor, first, out_first],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.usefixtures("forgiving")  # as in production, where a failure of ours would be logged
@pytest.mark.parametrize(("vendor", "first", "out_first"), ORDERS)
def test_one_record_and_nothing_else_changes(vendor: str, first: str, out_first: str, tmp_path: Path) -> None:
    found = beside(vendor, first, out_first, tmp_path)
    assert found["together"] == found["alone"]
    assert found["records"] == sorted(found["plain"])
    assert found["errors"] == ["failing", "failing async"]
    assert found["one left"] == (found["they left"] if out_first == "theirs" else found["alone"])
    assert found["more records"] == (len(found["plain"]) if out_first == "theirs" else 0)
    assert found["both left"] == found["they left"]
    assert found["logged"] == []
    assert found["changed"] == []


@pytest.mark.usefixtures("forgiving")
def test_the_completion_hook_leaves_calls_that_we_record_to_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK", "spantape")
    monkeypatch.setenv("SPANTAPE_BASE_DIR", str(tmp_path / "hooked"))
    found = beside("official", "theirs", "ours", tmp_path)
    assert found["records"] == sorted(found["plain"])
    # The hook has written what theirs told before we came and after we left: in two rounds, and one call between.
    (file,) = (tmp_path / "hooked" / "by_date").glob("*.json")
    told = [record["prompt"] for record in json.loads(file.read_text())]
    unseen = {"client.post", "abandoned", "streaming response, lines"}  # by theirs, the last two before 1.3b0
    assert {name: told.count(name) for name in found["plain"] if name not in unseen} == {
        name: 3 if name == "create" else 2 for name in found["plain"] if name not in unseen
    }
