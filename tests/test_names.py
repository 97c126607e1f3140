"""`__all__` is what users can rely on: it says exactly what is importable, and every name has a docstring."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

import spantape

MODULES = types.ModuleType
NO_NAMES = {"annotations", "import_module", "Any", "TYPE_CHECKING"}


def test_all_is_what_is_there() -> None:
    there = {
        name
        for name in dir(spantape)
        if not name.startswith("_") and not isinstance(getattr(spantape, name), MODULES) and name not in NO_NAMES
    }
    assert there | {"__version__"} == set(spantape.__all__)
    assert list(spantape.__all__) == sorted(spantape.__all__)


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="module 'spantape' has no attribute 'sesion'"):
        _ = spantape.sesion


def test_every_name_says_what_it_is() -> None:
    for name in spantape.__all__:
        if name != "__version__":
            assert getattr(spantape, name).__doc__


def test_no_module_bears_the_name_of_what_the_package_offers() -> None:
    modules = {path.stem for path in Path(spantape.__file__).parent.iterdir()}
    assert not modules & set(spantape.__all__)
