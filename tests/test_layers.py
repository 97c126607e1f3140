"""Imports go downward only; instrumentors know neither each other nor sinks; readers need no OpenTelemetry."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "spantape"

LAYERS: list[set[str]] = [
    {
        "binary",
        "calls",
        "environment",
        "errors",
        "guard",
        "jsontext",
        "kinds",
        "masking",
        "memo",
        "_version",
        "moments",
        "places",
        "opening",
    }
    | {"semconv", "settings", "transcript"},
    {"amendment", "content", "context", "filter", "interaction", "pricing", "provider", "record", "sampling"},
    {"sinks", "instrumentors", "manual"},
    {"cli", "web"},
    {
        "collector",
        "completion",
        "file_record",
        "langchain",
        "process",
        "recording",
        "_start",
        "__init__",
        "__main__",
    },
]
ALONE = {"testing"}
MODULES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def layer(name: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if name in rooms)


def imported(path: Path) -> set[str]:
    """Give the modules of ours that a file imports, as paths below the package: `sinks.files.writer`."""
    package = path.relative_to(ROOT).parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - (node.level - 1)]
            inside = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            found |= {f"{inside}.{alias.name}".strip(".") for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("spantape"):
            found.add((node.module or "").partition(".")[2])
    return found


def foreign(path: Path) -> set[str]:
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downward(path: Path) -> None:
    mine = room(path)
    for module in imported(path):
        theirs = module.split(".")[0]
        if mine in ALONE:
            assert theirs in ALONE
        elif theirs != mine and theirs in set().union(*LAYERS):
            assert layer(theirs) <= layer(mine), f"{mine} imports {module}"
            assert {mine, theirs} != {"sinks", "instrumentors"}
            assert theirs not in ALONE


def test_plugins_do_not_know_each_other() -> None:
    for folder in ("instrumentors", "sinks"):
        plugins = {path.name for path in (ROOT / folder).iterdir() if path.is_dir() and path.name != "__pycache__"}
        for plugin in plugins:
            for path in (ROOT / folder / plugin).rglob("*.py"):
                others = {module.split(".")[1] for module in imported(path) if module.startswith(f"{folder}.")}
                assert not others & (plugins - {plugin}), f"{path} imports a neighbour"


def test_openai_and_its_http_client_are_never_imported_by_type() -> None:
    for path in MODULES:
        if room(path) not in ALONE | {"cli"}:  # the command calls it, as an application does
            names = {name for name in foreign(path) if name.split(".")[0] in {"openai", "httpx", "httpx2"}}
            assert not names, f"{path} imports {names}"


def test_only_guard_catches_everything() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and room(path) not in ALONE | {"guard"}:
                assert node.type is not None, f"{path}:{node.lineno}"
                assert getattr(node.type, "id", "named") not in {"Exception", "BaseException"}, f"{path}:{node.lineno}"


READING = """
import sys, spantape
spantape.recordings({folder!r}).get_latest_interactions()
loaded = [name for name in ("openai", "genai_prices", "pydantic", "grpc", "opentelemetry") if name in sys.modules]
assert not loaded, loaded
"""


def test_importing_and_reading_are_cheap(tmp_path: Path) -> None:
    script = READING.format(folder=str(tmp_path))
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)
