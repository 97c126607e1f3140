"""`__all__` is what users can rely on: it says exactly what is importable, and every name has a docstring."""

from __future__ import annotations

import types

import spantape

MODULES = types.ModuleType


def test_all_is_what_is_there() -> None:
    there = {
        name
        for name, value in vars(spantape).items()
        if not name.startswith("_") and not isinstance(value, MODULES) and name != "annotations"
    }
    assert there | {"__version__"} == set(spantape.__all__)
    assert list(spantape.__all__) == sorted(spantape.__all__)


def test_every_name_says_what_it_is() -> None:
    for name in spantape.__all__:
        if name != "__version__":
            assert getattr(spantape, name).__doc__


def test_instrument_is_the_function_whatever_is_imported() -> None:
    import spantape.instrument

    assert callable(spantape.instrument)
