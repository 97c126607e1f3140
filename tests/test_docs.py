"""The documentation is current, complete, and its Python runs."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from spantape.settings import Settings
from spantape.testing import ScriptedServer

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GENERATED: dict[Path, str] = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]()


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_pages_are_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == GENERATED[path], "run `make docs`"


def test_every_setting_is_explained() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for option in fields(Settings):
        assert f"`{option.name}`" in page
        assert option.metadata["help"].endswith(".")


def snippets() -> list[Any]:
    found = []
    for path in PAGES:
        for number, code in enumerate(
            re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL), 1
        ):
            found.append(pytest.param(code, id=f"{path.name}-{number}"))
    return found


@pytest.mark.parametrize("code", snippets())
def test_python_in_the_pages_runs(code: str, tmp_path: Path) -> None:
    """Each snippet is a whole program, pasted into a new file; the client finds the scripted server by its variable."""
    import os

    for package in re.findall(r"^from (opentelemetry\.instrumentation\.genai\.\w+)", code, re.MULTILINE):
        pytest.importorskip(package)
    program = tmp_path / "program.py"
    program.write_text(code, encoding="utf-8")
    with ScriptedServer() as server:
        environment = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "test", "PATH": os.environ["PATH"]}
        done = subprocess.run(
            [sys.executable, program.name],
            check=False,
            cwd=tmp_path,
            env=environment,
            timeout=300,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} → {target}"
