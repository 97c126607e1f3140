"""The keys for what is encrypted on the disk, and the form that it has there: `{"encrypted": "gAAAA…"}`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import jsontext
from ..errors import SealError, SettingError
from ..jsontext import Json
from ..settings import Settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

SEALED = "encrypted"


class Keys:
    """Encrypt with the first key, decrypt with all."""

    def __init__(self, fernet: MultiFernet) -> None:
        self._fernet = fernet

    def seal(self, value: Json) -> Json:
        return {SEALED: self._fernet.encrypt(jsontext.dumps(value)).decode()}

    def open(self, sealed: Json, what: str) -> Json:
        """Give what was sealed; `what` says in the error what no key opens."""
        from cryptography.fernet import InvalidToken

        try:
            return jsontext.loads(self._fernet.decrypt(sealed[SEALED].encode()))
        except InvalidToken:
            raise no_key_opens(what) from None


def keys_of(settings: Settings) -> Keys | None:
    """Give the keys of the settings; None without one."""
    keys = settings.encryption_keys()
    if not keys:
        return None
    try:
        from cryptography.fernet import Fernet, MultiFernet
    except ImportError:
        raise SettingError(
            "encryption_key needs the cryptography package: pip install 'spantape[encryption]'"
        ) from None
    return Keys(MultiFernet([Fernet(key.encode()) for key in keys]))


def is_sealed(value: Json) -> bool:
    """Say whether what was said is encrypted."""
    return isinstance(value, dict) and list(value) == [SEALED] and isinstance(value[SEALED], str)


def no_key_opens(what: str) -> SealError:
    return SealError(
        f"no key of encryption_key opens {what}: add the one that it was written with, behind a comma; nothing is lost"
    )
