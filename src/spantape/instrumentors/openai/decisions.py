"""Decisions: questions about an input, and their answers → attributes. The conventions have no operation for it."""

from __future__ import annotations

from collections.abc import Mapping

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._mapping import Table, items, nothing, others, pick, text
from .._messages import generic_part
from .response_items import messages
from .usage import tokens

_RESPONSE = Table(
    {
        "id": (semconv.RESPONSE_ID, text),
        "model": (semconv.RESPONSE_MODEL, text),
    }
)
_ELSEWHERE = frozenset({"model", "input"})


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give what the questions are about, and with the parameters the questions."""
    return {
        semconv.INPUT_MESSAGES: messages(body.get("input")) or None,
        semconv.REQUEST_PARAMETERS: others(body, _ELSEWHERE) or None,
    }


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back."""
    return pick(_RESPONSE, body) | tokens(body.get("usage"))


def answered(body: Mapping[str, Json]) -> Attributes:
    """Give the answers, in the order of the questions."""
    answers = [generic_part(str(answer.get("type")), answer) for answer in items(body.get("answers"))]
    return {semconv.OUTPUT_MESSAGES: [{"role": "assistant", "parts": answers}] if answers else None}


ENDPOINT = Endpoint("decision", nothing, response, asked, answered)
