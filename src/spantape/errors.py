"""The exceptions that spantape itself raises.

    SpantapeError
    ├── SettingError    a setting has a value that can't be used
    ├── QueryError      a question to the recordings that can't be answered as asked
    ├── PushError       recorded spans could not be sent
    └── SealError       a prompt or response is encrypted with a key that is not there

They come only from calls that you make to spantape. An instrumented client raises what it always raised.
"""

from __future__ import annotations


class SpantapeError(Exception):
    """The root of everything that spantape raises."""


class SettingError(SpantapeError, ValueError):
    """A setting has a value that can't be used; the message names it and says what is accepted."""


class SealError(SpantapeError):
    """A prompt or response is encrypted with a key that is not among the given ones."""


class QueryError(SpantapeError, ValueError):
    """A query's argument can't be understood; the message says what is accepted."""


class PushError(SpantapeError):
    """Recorded spans could not be sent; the message says why, and what becomes of those that are left."""
