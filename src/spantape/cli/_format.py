"""Numbers, times and texts as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import moments

_SYMBOLS = {"USD": "$", "CNY": "¥", "EUR": "€"}
_NONE = "–"
_BARS = " ▁▂▃▄▅▆▇█"
_EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
# What steers a terminal, as signs: a model's answer is not to clear it, to name it, or to write to the clipboard.
_SIGNS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
_SIGNS |= {0x7F: "\u2421"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")


def money(amount: object, currency: object = "USD") -> str:
    """Give an amount with its currency: cents from a dollar on, three figures below."""
    if not isinstance(amount, (int, float)) or isinstance(amount, bool):
        return _NONE
    symbol = _SYMBOLS.get(str(currency), f"{currency} ")
    return f"{symbol}{amount:,.2f}" if abs(amount) >= 1 or not amount else f"{symbol}{_figures(amount)}"


def _figures(amount: float) -> str:
    places = 3 - 1 - int(f"{amount:e}".partition("e")[2])
    return f"{amount:.{min(places, 12)}f}".rstrip("0") or "0"


def duration(milliseconds: object) -> str:
    """Give a duration in the unit that suits it: ms, s, m, h."""
    if not isinstance(milliseconds, (int, float)) or isinstance(milliseconds, bool):
        return _NONE
    if milliseconds < 1000:
        return f"{milliseconds:.0f}ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}m{seconds:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def count(number: object) -> str:
    """Give a number of tokens, calls or bytes: thousands as k, millions as M."""
    if not isinstance(number, (int, float)) or isinstance(number, bool):
        return _NONE
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.1f}{unit}"
    return f"{number:.0f}"


def clock(timestamp: object, *, day: bool = False) -> str:
    """Give the local time of an ISO timestamp, with the date if `day`."""
    moment = moments.read(timestamp)
    return _NONE if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S" if day else "%H:%M:%S")


def line(text: object) -> str:
    """Give a text on one line."""
    return " ".join(str(text).split()) if text is not None else ""


def harmless(text: str) -> str:
    """Give a text that a terminal only shows, whatever was said."""
    return text.replace("\r\n", "\n").translate(_SIGNS)


def size(number: float) -> str:
    """Give a number of bytes."""
    for unit in ("B", "kB", "MB"):
        if abs(number) < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def spark(numbers: Sequence[float]) -> str:
    """Give a row of bars, the highest for the largest number."""
    most = max(numbers, default=0)
    return "".join(_BARS[math.ceil(each / most * (len(_BARS) - 1))] if most else _BARS[0] for each in numbers)


def bar(part: float, most: float, width: int = 12) -> str:
    """Give a bar that is `width` long for the most."""
    eighths = round(part / most * width * 8) if most else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8]
