"""Detectors of secrets: keys, tokens and passwords, which nobody wants in a record."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .detector import Detector, Shape, compiled, glance, has

_ALNUM = bytes(0x61 if i < 128 and chr(i).isalnum() else 0x20 for i in range(256))
_RUN = b"a" * 16
_LOGIN = r"://[^\s/?#:@\"'<>[]{0,128}:([^\s/?#\"'<>]{1,256})@"
_PARAMETER = (
    r"(?:[?&](?i:password|passwd|pwd|sig|x-amz-(?:signature|security-token)|(?:client_|app_|api_)?secret|api[_-]?key"
    r"|(?:access_|auth_|refresh_|id_|api_|session_)?token)|;(?i:password|pwd))="
    r"(?!\$[({A-Za-z])([A-Za-z0-9._~!$*+,/=@:%^|-]{0,511}[A-Za-z0-9_~=!$/%+*-])"
)
_KEY_BEGINS = r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_KEY_ENDS = r"-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_KEY_CUT = r"[A-Za-z0-9+/=:,\s\\]{0,16384}"
_LONGEST_KEY = 65_536
_MAY_LOGIN = rb":\\*/\\*/[^\s/#:@\"]{0,512}:[^\s/#\"]{1,1024}@"  # in bytes; a ? may be a character beyond ASCII
_MAY_PARAMETER = rb"(?i)=(?<=[dgenty]=)(?<=(?:word|sswd|[?&;]pwd|[?&;]sig|ture|oken|cret|[_-]key|ikey)=)"


def _has_token(data: bytes) -> bool:
    """Say whether 16 letters and digits stand in a row, as in every key: far quicker than to look for each kind."""
    return has(data.translate(_ALNUM), _RUN)


def _has_password(data: bytes) -> object:
    is_in_login = b"@" in data and glance(_MAY_LOGIN).search(data)
    has_parameters = b"=" in data and (b"&" in data or b"?" in data or b";" in data)
    return is_in_login or (has_parameters and glance(_MAY_PARAMETER).search(data))


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    """Give private keys; of one whose end is missing, as it was cut off, what looks like a key."""
    for begin in compiled(_KEY_BEGINS).finditer(text):
        start = begin.end()
        stop = text.find("-----", start)
        is_whole = stop >= 0 and stop - start <= _LONGEST_KEY and '"' not in text[start:stop]
        end = compiled(_KEY_ENDS).match(text, stop) if is_whole else compiled(_KEY_CUT).match(text, start)
        yield begin.start(), end.end() if end else start


def _passwords(text: str) -> Iterator[tuple[int, int]]:
    """Give passwords before a host, and those among an address's parameters."""
    for pattern in (_LOGIN, _PARAMETER):
        for match in compiled(pattern).finditer(text):
            yield match.span(1)


def _is_random(found: str) -> bool:
    return any(character.isdigit() for character in found) and re.search("[A-Za-z0-9]{16}", found) is not None


def _has_digit(found: str) -> bool:
    return any(character.isdigit() for character in found)


def _is_open(found: str) -> bool:
    """Say whether a password was not hidden before: an error may quote what an earlier call was told."""
    return re.fullmatch(r"\*+|\[[a-z_]+(?::[0-9a-f]{16})?\]", found) is None


def _beginning(*known: str) -> Shape:
    """Show which kind of key it is, and nothing else of it."""
    return lambda found: next((start for start in known if found.startswith(start)), "") + "***"


def _pem(found: str) -> str:
    begin = "-----".join(found.split("-----", 2)[:2]) + "-----"
    return f"{begin}***{begin.replace('BEGIN', 'END')}"


CREDENTIALS = (
    Detector(
        "private_key",
        _private_keys,
        shape=_pem,
        marks=("-----BEGIN ",),
    ),
    Detector(
        "openai",
        r"sk-(?<![A-Za-z0-9_-]sk-)(?!ant-)[A-Za-z0-9_-]{16,}",
        check=_is_random,
        shape=_beginning("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-or-v1-", "sk-"),
        marks=("sk-",),
        gate=_has_token,
    ),
    Detector(
        "anthropic",
        r"sk-ant-(?<![A-Za-z0-9_-]sk-ant-)[A-Za-z0-9_-]{16,}",
        check=_is_random,
        shape=_beginning("sk-ant-"),
        marks=("sk-ant-",),
        gate=_has_token,
    ),
    Detector(
        "aws",
        r"A[KS]IA(?<![A-Za-z0-9]A[KS]IA)[A-Z0-9]{16}(?![A-Za-z0-9])",
        shape=_beginning("AKIA", "ASIA"),
        marks=("AKIA", "ASIA"),
        gate=_has_token,
    ),
    Detector(
        "aws_secret",  # looks like nothing, but for the name before it
        r"(?i:secret_?access_?key)[\"'\s:=>]{1,8}([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        marks=("ecret_access_key", "ecretAccessKey", "SECRET_ACCESS_KEY"),
        gate=_has_token,
    ),
    Detector(
        "google",
        r"AIza(?<![A-Za-z0-9]AIza)[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
        shape=_beginning("AIza"),
        marks=("AIza",),
        gate=_has_token,
    ),
    Detector(
        "github",
        r"gh[pousr]_(?<![A-Za-z0-9]gh[pousr]_)[A-Za-z0-9]{36,}|github_pat_(?<![A-Za-z0-9]github_pat_)[A-Za-z0-9_]{40,}",
        shape=_beginning("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        marks=("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        gate=_has_token,
    ),
    Detector(
        "slack",
        r"xox[abeoprs]-(?<![A-Za-z0-9]xox[abeoprs]-)(?:1-)?[A-Za-z0-9-]{16,}"
        r"|xapp-(?<![A-Za-z0-9]xapp-)\d-[A-Za-z0-9-]{16,}|hooks\.slack\.com/services/[A-Za-z0-9/]{20,}",
        check=_has_digit,
        shape=_beginning("xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-", "hooks.slack.com/"),
        marks=(*(f"xox{kind}-" for kind in "abeoprs"), "xapp-", "/services/", "/services\\"),
        gate=_has_token,
    ),
    Detector(
        "jwt",
        r"eyJ(?<![A-Za-z0-9_-]eyJ)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        shape=_beginning("eyJ"),
        marks=("eyJ",),
        gate=_has_token,
    ),
    Detector(
        "bearer",
        r"earer(?<=[Bb]earer)(?<![A-Za-z0-9][Bb]earer)[ \t]{1,4}([A-Za-z0-9._~+/=-]{12,})",
        check=_has_digit,
        marks=("earer",),
    ),
    Detector(
        "url_password",
        _passwords,
        check=_is_open,
        gate=_has_password,
    ),
)
