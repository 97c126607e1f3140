"""What the tests of the command share."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_tree import tree


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tree(tmp_path / "records")
