"""Imported by each Python process that `spantape run` starts: records, and gives way to the next `sitecustomize`."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

_HERE = str(Path(__file__).parent)
_CLIENTS = ("openai", "langchain_core")


def _record_when_a_client_comes() -> None:
    """Do nothing in processes that call no model: they start as quickly as they did."""
    from wrapt import register_post_import_hook

    from spantape.process import join_run

    for client in _CLIENTS:
        register_post_import_hook(lambda _: join_run(), client)


def _give_way() -> None:
    sys.path[:] = [place for place in sys.path if place != _HERE]
    ours = sys.modules.pop(__name__)
    try:
        import_module(__name__)
    except ModuleNotFoundError as error:
        if error.name != __name__:
            raise
        sys.modules[__name__] = ours


if find_spec("spantape") and find_spec("wrapt"):  # it may be a Python of another environment
    _record_when_a_client_comes()
_give_way()
