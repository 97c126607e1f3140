"""Of which calls no content is kept, though there is a record of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from fnmatch import fnmatchcase

from .. import semconv
from ..content import Attributes
from ..context import capture


def closing(names: Collection[str]) -> Callable[[Attributes], bool]:
    """Give what says whether a call's content is kept: by the session around, and by provider and model."""
    if not names:
        return lambda _: capture() is not None

    def closes(known: Attributes) -> bool:
        called = (str(known.get(name, "")).lower() for name in (semconv.PROVIDER, semconv.REQUEST_MODEL))
        return capture() is not None or any(fnmatchcase(one, name) for one in called for name in names)

    return closes
