"""The keys for what is encrypted on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import SettingError
from ..settings import Settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


def fernet(settings: Settings) -> MultiFernet | None:
    """Give what encrypts with the first key and decrypts with all; None without a key."""
    keys = settings.encryption_keys()
    if not keys:
        return None
    try:
        from cryptography.fernet import Fernet, MultiFernet
    except ImportError:
        raise SettingError(
            "encryption_key needs the cryptography package: pip install 'spantape[encryption]'"
        ) from None
    return MultiFernet([Fernet(key.encode()) for key in keys])
