"""`__all__` is what users can rely on: it says exactly what is importable, and every name has a docstring."""

from __future__ import annotations

import types

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


def test_instrument_is_the_function_whatever_is_imported() -> None:
    import spantape.instrument

    assert callable(spantape.instrument)
