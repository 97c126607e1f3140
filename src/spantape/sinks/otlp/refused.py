"""`Refused`: the receiver did not take a request for what it is, so that the same would be refused again."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """The receiver refused a request; `for_size` when it may take a smaller one."""

    def __init__(self, reason: str, *, for_size: bool) -> None:
        super().__init__(reason)
        self.for_size = for_size
