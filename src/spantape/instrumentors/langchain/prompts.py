"""Prompt templates → what the model run after them says of its prompt; pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import semconv
from ...content import Attributes
from .._mapping import fields, text


def attributes(name: str, of_class: str | None, metadata: Mapping[str, Any], inputs: Any) -> Attributes:
    """Give the template's name, where it has one of its own, and the variables that are text."""
    given = {str(key): value for key, value in fields(inputs).items() if isinstance(value, str)}
    found: Attributes = {
        semconv.PROMPT_NAME: text(metadata.get("lc_hub_repo")) or (name if name != of_class else None),
        semconv.PROMPT_VERSION: text(metadata.get("lc_hub_commit_hash")),
        **{semconv.PROMPT_VARIABLE + key: value for key, value in given.items()},
    }
    return {key: value for key, value in found.items() if value is not None}


def is_formatted(inputs: Any) -> bool:
    """Say whether it is what a template gives."""
    return hasattr(inputs, "to_messages")
