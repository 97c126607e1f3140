"""Batches: made, looked at, cancelled. What a batch used is told by every look at it, so it is no usage of a call."""

from __future__ import annotations

from collections.abc import Mapping

from ... import semconv
from ...content import Attributes
from ...jsontext import Json
from .._endpoint import Endpoint
from .._mapping import Table, pick, text, whole
from .._messages import generic_part

_REQUEST = Table(
    {
        "batch_id": (semconv.BATCH_ID, text),
        "endpoint": (semconv.BATCH_ENDPOINT, text),
        "input_file_id": (semconv.BATCH_INPUT_FILE, text),
    }
)
_RESPONSE = Table(
    {
        "id": (semconv.BATCH_ID, text),
        "model": (semconv.RESPONSE_MODEL, text),
        "status": (semconv.BATCH_STATUS, text),
        "endpoint": (semconv.BATCH_ENDPOINT, text),
        "input_file_id": (semconv.BATCH_INPUT_FILE, text),
        "output_file_id": (semconv.BATCH_OUTPUT_FILE, text),
        "error_file_id": (semconv.BATCH_ERROR_FILE, text),
        "request_counts.total": (semconv.BATCH_REQUESTS_TOTAL, whole),
        "request_counts.completed": (semconv.BATCH_REQUESTS_COMPLETED, whole),
        "request_counts.failed": (semconv.BATCH_REQUESTS_FAILED, whole),
        "usage.input_tokens": (semconv.BATCH_INPUT_TOKENS, whole),
        "usage.output_tokens": (semconv.BATCH_OUTPUT_TOKENS, whole),
    }
)


def request(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of what is about to be sent."""
    return pick(_REQUEST, body)


def asked(body: Mapping[str, Json]) -> Attributes:
    """Give what the batch is to be like; what its requests say is in a file."""
    return {semconv.REQUEST_PARAMETERS: {key: value for key, value in body.items() if key != "batch_id"} or None}


def response(body: Mapping[str, Json]) -> Attributes:
    """Give the attributes of the batch as it is now."""
    return pick(_RESPONSE, body)


def answered(body: Mapping[str, Json]) -> Attributes:
    """Give the batch as it is now, for the record; times and files that it does not have yet are left out."""
    there = {key: value for key, value in body.items() if value is not None}
    return {semconv.OUTPUT_MESSAGES: [{"role": "assistant", "parts": [generic_part("batch", there)]}]}


CREATE = Endpoint("create_batch", request, response, asked, answered)
FETCH = Endpoint("fetch_batch", request, response, asked, answered)
CANCEL = Endpoint("cancel_batch", request, response, asked, answered)
