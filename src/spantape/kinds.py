"""`Kind`: how a setting's value is read, from a text or from what a keyword gives; and every kind that there is."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Flag
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .errors import SettingError

if TYPE_CHECKING:
    from .masking import Masking

_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True)
class Kind:
    """How a setting's value is read: `parse` gives the value or raises `ValueError`; `accepts` says it in words."""

    accepts: str
    parse: Callable[[Any], Any]
    secret: bool = False

    def read(self, source: str, value: object) -> Any:
        """Give the value that was found at `source`; raises `SettingError` when it can't be used."""
        try:
            return self.parse(value)
        except SettingError as error:
            raise SettingError(f"{source}: {error}") from None
        except (ValueError, TypeError, ArithmeticError):
            said = "something" if self.secret else repr(value)
            raise SettingError(f"{source} is {said}, which spantape can't use: give {self.accepts}") from None


def _must(condition: bool) -> None:
    if not condition:
        raise ValueError


def _switch(value: object) -> bool:
    word = str(value).strip().lower()
    _must(word in _YES + _NO)
    return word in _YES


class Capture(Flag):
    """Where what was said is kept: OpenTelemetry's four words. Files and OTLP have what the span has."""

    NO_CONTENT = 0
    SPAN_ONLY = 1
    EVENT_ONLY = 2
    SPAN_AND_EVENT = 3

    @property
    def on_span(self) -> bool:
        """Whether the span has it."""
        return bool(self & Capture.SPAN_ONLY)

    @property
    def on_event(self) -> bool:
        """Whether the event has it."""
        return bool(self & Capture.EVENT_ONLY)


def _capture(value: object) -> Capture:
    if isinstance(value, Capture):
        return value
    word = str(value).strip().upper()
    if word in Capture.__members__:
        return Capture[word]
    return Capture.SPAN_ONLY if _switch(word) else Capture.NO_CONTENT


def _hosts(value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    _must(isinstance(names, (list, tuple, set, frozenset)) and all(isinstance(name, str) for name in names))
    return tuple(name.strip().lower() for name in names if name.strip())  # type: ignore[attr-defined]


def _mask(value: object) -> Masking:
    """Read what is to be masked: what is named comes on top of the secrets."""
    from .masking import Masking

    if isinstance(value, Masking):
        return value
    word = str(value).strip().lower()
    if word in _YES + _NO:
        return Masking() if word in _YES else Masking(())
    given = value.split(",") if isinstance(value, str) else value
    _must(isinstance(given, (list, tuple)))
    names = [name.strip() if isinstance(name, str) else name for name in given]  # type: ignore[attr-defined]
    _must(bool(names) and all(names))
    all_but = all(isinstance(name, str) and name.startswith("-") for name in names)
    return Masking(("all" if all_but else "secrets", *names))


def _mode(value: object) -> str:
    from .masking import MODES

    word = str(value).strip().lower()
    _must(word in MODES)
    return word


def _key(value: object) -> object:
    _must(isinstance(value, (str, bytes)) and bool(value))
    return value


def _metrics(value: object) -> str:
    word = str(value).strip().lower()
    _must(word in {"current", "latest", "off"})
    return word


def whole(least: int) -> Kind:
    """Give the kind of a whole number."""

    def parse(value: Any) -> int:
        _must(isinstance(value, (int, str)) and not isinstance(value, bool))
        number = int(value)
        _must(number >= least)
        return number

    return Kind(f"a whole number of at least {least}", parse)


def _number(least: float, most: float) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        _must(isinstance(value, (int, float, str)) and not isinstance(value, bool))
        number = float(value)
        _must(least <= number <= most)
        return number

    return parse


def _path(value: Any) -> Path:
    _must(isinstance(value, (str, os.PathLike)) and str(value) != "")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:  # there is no such user's home
        raise ValueError from error


def _prices(value: object) -> Path | list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else _path(value)


def _exchange_rates(value: object) -> Mapping[str, Decimal]:
    """Read pairs of currencies with a rate; all have to lead to one currency, so that costs can be added up."""
    pairs = [part.split("=") for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    rates = {str(pair).strip().upper(): Decimal(str(rate).strip()) for pair, rate in dict(pairs).items()}  # type: ignore[call-overload]
    _must(
        all(re.fullmatch("[A-Z]{3}/[A-Z]{3}", pair) and rate.is_finite() and rate > 0 for pair, rate in rates.items())
    )
    bases, quotes = {pair[:3] for pair in rates}, {pair[4:] for pair in rates}
    _must(len(quotes) <= 1 and not bases & quotes)
    return rates


def _url(value: object) -> str:
    address = str(value).strip()
    parts = urlsplit(address)
    _must(parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0)
    return address


def _protocol(value: object) -> str:
    word = str(value).strip().lower()
    _must(word in {"grpc", "http/protobuf"})
    return word


def _steps(value: object) -> str:
    word = str(value).strip().lower()
    _must(word in {"all", "essential"})
    return word


def _function(value: object) -> object:
    _must(callable(value))
    return value


class Secret(str):
    """A text that no log and no list of settings shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __str__(self) -> str:
        return "***"


def _keys(value: Any) -> tuple[Secret, ...]:
    names = str.split(value, ",") if isinstance(value, str) else value
    keys = tuple(Secret(str.strip(name)) for name in names)
    _must(bool(keys) and all(len(base64.urlsafe_b64decode(key.encode())) == 32 for key in keys))
    return keys


def _provider(method: str) -> Callable[[object], object]:
    def parse(value: object) -> object:
        _must(callable(getattr(value, method, None)))
        return value

    return parse


SWITCH = Kind("true or false", _switch)
CAPTURE = Kind("true or false, or OpenTelemetry's NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT", _capture)
SECONDS = Kind("a number of seconds from 0.01 to 3600", _number(0.01, 3600))
TEMPERATURE = Kind("a number from 0 to 2", _number(0, 2))
SHARE = Kind("a number from 0 to 1", _number(0, 1))
COUNT = whole(1)
PATH = Kind("a path", _path)
PRICES = Kind("the path of a JSON or YAML file; a keyword may also give the list of rows itself", _prices)
EXCHANGE_RATES = Kind("pairs such as USD/CNY=7.1,EUR/CNY=7.9, all to one currency", _exchange_rates)
URL = Kind("an http:// or https:// address", _url)
PROTOCOL = Kind("grpc or http/protobuf", _protocol)
FUNCTION = Kind("a function of one string that gives a string or None (by keyword only)", _function)
HOSTS = Kind("host names, separated by commas; * is all", _hosts)
KEYS = Kind("keys as `cryptography.fernet.Fernet.generate_key()` gives them, separated by commas", _keys, secret=True)
NAMES = Kind("names, separated by commas", _hosts)
MASK = Kind("true, false, names of detectors (after `-`: not that one), spantape.Detector or spantape.Masking", _mask)
MODE = Kind("mask, hash or remove", _mode)
KEY = Kind("a text that is not empty", _key)
METRICS = Kind("current, latest or off", _metrics)
STEPS = Kind("all or essential", _steps)
TRACER_PROVIDER = Kind("an OpenTelemetry TracerProvider (by keyword only)", _provider("get_tracer"))
METER_PROVIDER = Kind("an OpenTelemetry MeterProvider (by keyword only)", _provider("get_meter"))
LOGGER_PROVIDER = Kind("an OpenTelemetry LoggerProvider (by keyword only)", _provider("get_logger"))
