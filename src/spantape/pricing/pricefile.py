"""Reading a price file: JSON, or YAML where PyYAML is installed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from ..errors import SettingError


def load(path: Path) -> object:
    """Give what a price file holds.

    Raises:
        SettingError: It can't be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise SettingError(f"The price file {path} can't be read: {error}") from error
    return _yaml(path, text) if path.suffix.lower() in {".yaml", ".yml"} else _json(path, text)


def _json(path: Path, text: str) -> object:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise SettingError(f"The price file {path} is no JSON: {error}") from error


def _yaml(path: Path, text: str) -> object:
    try:
        import yaml
    except ImportError:
        raise SettingError(
            f"The price file {path} is YAML, which needs PyYAML: pip install 'spantape[yaml]', or write it as JSON"
        ) from None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingError(f"The price file {path} is no YAML: {error}") from error
