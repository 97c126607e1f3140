"""Moderations: what was judged, and the verdicts → attributes. The conventions have no operation for it."""

from __future__ import annotations

from collections.abc import Mapping

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._mapping import Table, fields, items, nothing, others, pick, text
from .._messages import Part, generic_part
from .inputs import one_message

_RESPONSE = Table(
    {
        "id": (semconv.RESPONSE_ID, text),
        "model": (semconv.RESPONSE_MODEL, text),
    }
)
_ELSEWHERE = frozenset({"model", "input"})


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give what is to be judged, as the parts of one message."""
    return {
        semconv.INPUT_MESSAGES: one_message(body.get("input")),
        semconv.REQUEST_PARAMETERS: others(body, _ELSEWHERE) or None,
    }


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what came back; there is no usage, as moderations cost nothing."""
    verdicts = [one.get("flagged") for one in items(body.get("results"))]
    known = [verdict for verdict in verdicts if isinstance(verdict, bool)]
    return pick(_RESPONSE, body) | {semconv.MODERATION_FLAGGED: any(known) if known else None}


def answered(body: Mapping[str, Json]) -> Attributes:
    """Give the verdicts, in the order of the inputs."""
    verdicts = [_verdict(one) for one in items(body.get("results"))]
    return {semconv.OUTPUT_MESSAGES: [{"role": "assistant", "parts": verdicts}] if verdicts else None}


def _verdict(result: Mapping[str, Json]) -> Part:
    """Give a verdict: of the categories those that apply, and all scores."""
    flagged = [name for name, applies in fields(result.get("categories")).items() if applies is True]
    scores = dict(fields(result.get("category_scores")))
    return generic_part("moderation", {"flagged": result.get("flagged"), "categories": flagged, "scores": scores})


ENDPOINT = Endpoint("moderation", nothing, response, asked, answered)
